// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The host as it would be with a change made: what is planned hides what is there. For reading only.
struct PlannedFiles: HostFiles {
    let files: any HostFiles
    private var planned: [String: FileContent?] = [:]

    init(_ files: any HostFiles, _ steps: [ChangeJournal.Step]) {
        self.files = files
        for step in steps {
            if case .file(let path, _, let after) = step.change { planned.updateValue(after, forKey: path) }
        }
    }

    /// True for what the change makes, replaces or removes.
    func isPlanned(_ path: String) -> Bool { planned[path] != nil }

    func kind(_ path: String) throws(AgentError) -> FileKind? {
        if let content = planned[path] { return content == nil ? nil : .file }
        return try files.kind(path)
    }

    func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent? {
        if let content = planned[path] { return content }
        return try files.read(path, maximumBytes: maximumBytes)
    }

    func folder(_ path: String) throws(AgentError) -> FileAttributes? { try files.folder(path) }

    func list(_ path: String) throws(AgentError) -> [String]? {
        guard var names = try files.list(path) else { return nil }
        for (file, content) in planned where file.hasPrefix(path + "/") {
            let name = String(file.dropFirst(path.utf8.count + 1))
            guard !name.utf8.contains(UInt8(ascii: "/")) else { continue }
            names.removeAll { $0 == name }
            if content != nil { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private var readOnly: AgentError { AgentError(.file, "a view of what is planned: nothing is written") }

    func create(_ path: String, _ content: FileContent) throws(AgentError) { throw readOnly }
    func rename(_ from: String, to path: String) throws(AgentError) { throw readOnly }
    func remove(_ path: String) throws(AgentError) { throw readOnly }
    func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) { throw readOnly }
    func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) { throw readOnly }
    func removeFolder(_ path: String) throws(AgentError) { throw readOnly }
}

extension ChangeApplier {
    /// The copies of files whose `Include` names staged files, beside the journal: `trust.check.0` and so on.
    private var copyPrefix: String { "trust.check." }
    /// As deep as sshd reads (servconf.h, SERVCONF_MAX_DEPTH).
    private var maximumDepth: Int { 16 }

    /// Writes what sshd can be asked about before anything is in place: the main file, or a copy of it whose
    /// `Include` names the staged files where it would name the live ones.
    ///
    /// - Returns: the path to give to sshd.
    func stageConfiguration(_ journal: ChangeJournal) throws(AgentError) -> String {
        try removeStagedConfiguration()
        var copies = 0
        return try stagedForm(
            of: journal.daemon.configuration, PlannedFiles(files, journal.steps), &copies, depth: 0)
    }

    func removeStagedConfiguration() throws(AgentError) {
        for name in try files.list(layout.state) ?? [] where name.hasPrefix(copyPrefix) {
            try files.remove(layout.state + "/" + name)
        }
    }

    /// The path under which a file can be read as it will be.
    private func stagedForm(
        of path: String, _ planned: PlannedFiles, _ copies: inout Int, depth: Int
    ) throws(AgentError) -> String {
        let asItIs = planned.isPlanned(path) ? stagedName(path) : path
        guard depth <= maximumDepth else { return asItIs }
        let content: FileContent
        do throws(AgentError) {
            guard let found = try planned.read(path) else { return asItIs }
            content = found
        } catch {
            // sshd follows links, and nothing of ours is behind one.
            guard error.code == .unsafeFile, depth > 0 else { throw error }
            return asItIs
        }
        var lines = content.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var isChanged = false
        for line in try ConfigurationLine.parse(content.bytes, name: path) where line.keyword == "include" {
            var forms: [String] = []
            var isSame = true
            for argument in line.arguments where !argument.hasPrefix("~") {
                let pattern =
                    argument.hasPrefix("/") ? argument : "\(SshdConfiguration.systemFolder)/\(argument)"
                let named = try SshdConfiguration.expand(pattern, planned)
                if try named != SshdConfiguration.expand(pattern, files) { isSame = false }
                for file in named {
                    let form = try stagedForm(of: file, planned, &copies, depth: depth + 1)
                    if form != file { isSame = false }
                    forms.append(form)
                }
            }
            guard !isSame, lines.indices.contains(line.number - 1) else { continue }
            isChanged = true
            lines[line.number - 1] = try Self.include(forms)[...]
        }
        guard isChanged else { return asItIs }
        let copy = "\(layout.state)/\(copyPrefix)\(copies)"
        copies += 1
        let bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
        try files.create(
            copy,
            FileContent(
                bytes,
                FileAttributes(
                    mode: 0o600, owner: content.attributes.owner, group: content.attributes.group)))
        return copy
    }

    /// A line that names exactly these files.
    private static func include(_ paths: [String]) throws(AgentError) -> [UInt8] {
        guard !paths.isEmpty else { return Array("# Include of no file".utf8) }
        for path in paths where path.utf8.contains(where: { $0 < 0x20 || "\"'\\*?[]".utf8.contains($0) }) {
            throw AgentError(
                .conflict,
                "\(path.escapedForTerminal): a name that sshd's Include cannot be given, so the whole cannot be checked",
                hint: "rename it")
        }
        return Array(("Include " + paths.map { "\"\($0)\"" }.joined(separator: " ")).utf8)
    }
}
