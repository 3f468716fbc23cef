// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// The folder of principals files, one an account, root's and outside of every home.
public struct PrincipalsFolder: Sendable {
    /// A file of it.
    public struct Entry: Sendable, Hashable {
        /// The file's name.
        public let account: String
        /// Who may enter, options in front where somebody wrote some.
        public let lines: [String]
        /// What sshd reads otherwise than it looks, or not at all: one line each, escaped.
        public let problems: [String]
    }

    private let files: any HostFiles
    private let layout: HostLayout
    private let owner: UInt32
    private let group: UInt32

    /// - Parameter owner: who owns what is made; root, but in tests.
    public init(_ files: any HostFiles, _ layout: HostLayout, owner: UInt32 = 0, group: UInt32 = 0) {
        self.files = files
        self.layout = layout
        self.owner = owner
        self.group = group
    }

    /// A principals file of these principals; each once.
    static func content(_ principals: [ExactText]) -> [UInt8] {
        var unique: [ExactText] = []
        for principal in principals where !unique.contains(principal) { unique.append(principal) }
        return Array(unique.map { $0.string + "\n" }.joined().utf8)
    }

    // MARK: Reading

    /// Every file of the folder, by name; nothing when there is no folder.
    public func entries() throws(AgentError) -> [Entry] {
        var entries: [Entry] = []
        for name in try files.list(layout.principals) ?? [] where !name.hasPrefix(".") {
            if let entry = try entry(name) { entries.append(entry) }
        }
        return entries
    }

    /// The file of an account; nil when there is none.
    public func entry(_ account: AccountName) throws(AgentError) -> Entry? { try entry(account.text) }

    private func entry(_ name: String) throws(AgentError) -> Entry? {
        guard let content = try files.read("\(layout.principals)/\(name)") else { return nil }
        do throws(SSHWireError) {
            let file = try AuthorizedPrincipalsFile(content.bytes)
            return Entry(
                account: name, lines: file.entries.map(\.entry.line),
                problems: file.problems.map { "line \($0.number): \($0.error.reason)" })
        } catch {
            return Entry(account: name, lines: [], problems: [error.reason])
        }
    }

    // MARK: Writing

    /// What is to be done so that exactly these principals may enter an account.
    public func setting(_ account: AccountName, _ principals: [ExactText]) throws(AgentError) -> Plan {
        let entry = try AccountPrincipals(account, principals, replacesExisting: true)
        return try plan(account, Self.content(entry.principals), "the principals that may enter \(account)")
    }

    /// What is to be done so that no certificate enters an account.
    ///
    /// - Throws: `.notFound` when the account has no file.
    public func removal(of account: AccountName) throws(AgentError) -> Plan {
        let isRecorded = try TrustRecord.read(files, layout)?[path(account)] != nil
        let kind = try files.kind(path(account))
        guard isRecorded || kind != nil else {
            throw AgentError(.notFound, "account \(account): it has no principals")
        }
        return try plan(account, nil, "no certificate may enter \(account)")
    }

    private func path(_ account: AccountName) -> String { "\(layout.principals)/\(account)" }

    private func plan(_ account: AccountName, _ content: [UInt8]?, _ purpose: String) throws(AgentError)
        -> Plan
    {
        let recorded = try TrustRecord.read(files, layout)
        var record = recorded ?? TrustRecord()
        var steps: [Plan.Step] = []
        let attributes = FileAttributes(mode: 0o755, owner: owner, group: group)
        for folder in [layout.configuration, layout.principals] where content != nil {
            guard try files.folder(folder) == nil else { continue }
            steps.append(
                Plan.Step(.folder(path: folder, before: nil, after: attributes), "where principals files are")
            )
            if !record.folders.contains(folder) { record.folders.append(folder) }
        }
        let path = path(account)
        let before = try files.read(path)
        let after = content.map {
            FileContent(
                $0,
                FileAttributes(
                    mode: 0o644, owner: owner, group: group, securityLabel: before?.attributes.securityLabel))
        }
        if let after {
            let known = record[path]
            record[path] = TrustRecord.File(
                path: path, kind: .whole, original: known == nil ? before : known?.original,
                sha256: Digest.sha256(after.bytes), attributes: after.attributes)
        } else {
            record[path] = nil
        }
        if before != after {
            steps.append(Plan.Step(.file(path: path, before: before, after: after), purpose))
        }
        if record != recorded {
            let old = try files.read(layout.originals, maximumBytes: TrustRecord.maximumBytes)
            let new = FileContent(
                try record.encode(),
                old?.attributes ?? FileAttributes(mode: 0o600, owner: owner, group: group))
            steps.append(
                Plan.Step(
                    .file(path: layout.originals, before: old, after: new), "what trust status compares with")
            )
        }
        return Plan(steps)
    }

    /// Carries a plan of this folder out. sshd reads principals at each login: there is nothing to reload or to prove.
    ///
    /// - Throws: `.busy` when something else is there by now; what comes before it in the plan is done then.
    public func apply(_ plan: Plan) throws(AgentError) {
        if try files.folder(layout.state) == nil {
            try files.makeFolder(layout.state, FileAttributes(mode: 0o700, owner: owner, group: group))
        }
        for step in plan.steps {
            switch step.change {
            case .folder(let path, nil, let attributes?): try files.makeFolder(path, attributes)
            case .folder: break
            case .file(let path, let before, let after):
                guard try files.read(path, maximumBytes: TrustRecord.maximumBytes) == before else {
                    throw AgentError(
                        .busy, "\(path.escapedForTerminal) is not any more what it was a moment ago",
                        hint: "somebody else changes it: try again")
                }
                if let after { try files.replace(path, after) } else { try files.remove(path) }
            }
        }
    }
}
