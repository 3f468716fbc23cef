// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The making of a plan of `trust remove`.
struct TrustRemoval {
    let files: any HostFiles
    let sshd: Sshd
    let layout: HostLayout

    func plan() throws(AgentError) -> Plan {
        let record = try TrustRecord.read(files, layout)
        let configuration = try SshdConfiguration(reading: sshd.configuration, from: files)
        var ours = record?.files ?? []
        // A block without a record is what an interrupted removal left, or a restored state folder.
        let own = try OwnLines(configuration)
        try checkReferences(configuration, own)
        for path in own.files where !ours.contains(where: { $0.path == path }) {
            guard let content = try files.read(path) else { continue }
            ours.append(
                TrustRecord.File(
                    path: path, kind: .settingsBlock, original: nil, sha256: [],
                    attributes: content.attributes))
        }
        // sshd's files first: what they name must be there until they don't.
        let inner = ours.filter { $0.path.hasPrefix(layout.configuration + "/") }
        var steps: [Plan.Step] = []
        for file in ours where !inner.contains(where: { $0.path == file.path }) {
            if let step = try Self.undo(file, files) { steps.append(step) }
        }
        for file in inner {
            if let step = try Self.undo(file, files) { steps.append(step) }
        }
        if let before = try files.read(layout.originals, maximumBytes: TrustRecord.maximumBytes) {
            steps.append(
                Plan.Step(
                    .file(path: layout.originals, before: before, after: nil),
                    "the record of what is undone now"))
        }
        var notes: [String] = []
        for path in [layout.principals, layout.configuration] where record?.folders.contains(path) ?? false {
            guard let before = try files.folder(path) else { continue }
            steps.append(Plan.Step(.folder(path: path, before: before, after: nil), "made by trust install"))
            let left = try (files.list(path) ?? []).filter { name in
                let inside = "\(path)/\(name)"
                return inside != layout.principals && !inner.contains { $0.path == inside }
            }
            if !left.isEmpty {
                notes.append(
                    "\(path.escapedForTerminal) stays, because \(left.count) files in it were not written by daypass-agent: "
                        + left.prefix(3).joined(separator: ", ").escapedForTerminal)
            }
        }
        return Plan(steps, notes: notes)
    }

    /// The step that takes a file of ours back; nil when nothing is left of it.
    static func undo(_ file: TrustRecord.File, _ files: any HostFiles) throws(AgentError) -> Plan.Step? {
        guard let before = try files.read(file.path, maximumBytes: Limits.krlBytes) else { return nil }
        // Who changed mode or owner since then meant it.
        let attributes =
            hasSameRights(before.attributes, file.attributes)
            ? file.original?.attributes ?? before.attributes : before.attributes
        let isUntouched = Digest.sha256(before.bytes) == file.sha256
        var after: FileContent?
        var purpose = "as it was before trust was installed"
        switch file.kind {
        case .whole:
            after = file.original
            if after != nil { after?.attributes = attributes }
            if !isUntouched { purpose += "; it was changed since" }
        case .settingsBlock, .hookBlock:
            let rest = try TrustBlock.remove(from: before.bytes, name: file.path)
            if isUntouched, let original = file.original {
                after = FileContent(original.bytes, attributes)
            } else if file.original != nil || !isBlank(rest) {
                after = FileContent(rest, attributes)
                purpose = "without our block; it was changed since"
            }
        }
        guard after != before else { return nil }
        return Plan.Step(.file(path: file.path, before: before, after: after), purpose)
    }

    private static func isBlank(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
    }

    /// Refuses to remove files that somebody else's lines name: without its `RevokedKeys` sshd lets no key in.
    private func checkReferences(_ configuration: SshdConfiguration, _ own: OwnLines) throws(AgentError) {
        for directive in configuration.directives where !own.contain(directive) {
            guard directive.arguments.contains(where: { $0.hasPrefix(layout.configuration + "/") }) else {
                continue
            }
            throw AgentError(
                .conflict,
                "\(directive.keyword.escapedForTerminal) \(directive.value.escapedForTerminal) at \(directive.place) is not "
                    + "ours and names a file that would be removed; sshd could let nobody in then",
                hint: "take that line away first")
        }
    }
}
