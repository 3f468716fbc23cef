// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

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
        var staging = Staging(files, journal.steps)
        return try stagedForm(of: journal.daemon.configuration, &staging, depth: 0)
    }

    func removeStagedConfiguration() throws(AgentError) {
        for name in try files.list(layout.state) ?? [] where name.hasPrefix(copyPrefix) {
            try files.remove(layout.state + "/" + name)
        }
    }

    /// The path under which a file can be read as it will be.
    private func stagedForm(
        of path: String, _ staging: inout Staging, depth: Int
    ) throws(AgentError) -> String {
        let planned = staging.planned
        let asItIs = staging.paths.contains(path) ? stagedName(path) : path
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
                    let form = try stagedForm(of: file, &staging, depth: depth + 1)
                    if form != file { isSame = false }
                    forms.append(form)
                }
            }
            guard !isSame, lines.indices.contains(line.number - 1) else { continue }
            isChanged = true
            lines[line.number - 1] = try Self.include(forms)[...]
        }
        guard isChanged else { return asItIs }
        let copy = "\(layout.state)/\(copyPrefix)\(staging.copies)"
        staging.copies += 1
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

/// The host as it will be, and how many copies were made of it.
private struct Staging {
    let planned: PlannedFiles
    /// What waits under its staged name.
    let paths: Set<String>
    var copies = 0

    init(_ files: any HostFiles, _ steps: [ChangeJournal.Step]) {
        planned = PlannedFiles(files, after: steps.map { Plan.Step($0.change, $0.purpose) })
        var paths: Set<String> = []
        for step in steps {
            // What only configuration refers to is in place by now.
            if case .file(let path, _, _?) = step.change, !step.isNewReferred { paths.insert(path) }
        }
        self.paths = paths
    }
}
