// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The steps of a plan, and the record of what was there before.
extension TrustInstallation {
    mutating func makeFolders() throws(AgentError) {
        let attributes = FileAttributes(mode: 0o755, owner: settings.owner, group: settings.group)
        for (path, purpose) in [
            (layout.configuration, "what sshd reads of ours"),
            (layout.principals, "who may enter which account"),
        ] {
            let before = try files.folder(path)
            if let before {
                guard !hasSameRights(before, attributes) else { continue }
                var after = attributes
                after.securityLabel = before.securityLabel
                folders.append(Plan.Step(.folder(path: path, before: before, after: after), purpose))
            } else {
                folders.append(Plan.Step(.folder(path: path, before: nil, after: attributes), purpose))
                if !record.folders.contains(path) { record.folders.append(path) }
            }
        }
    }

    /// Wants a file that is all ours.
    mutating func wantWhole(_ path: String, _ bytes: [UInt8], _ purpose: String) throws(AgentError) {
        let before = try files.read(path, maximumBytes: Limits.krlBytes)
        let after = FileContent(
            bytes,
            FileAttributes(
                mode: 0o644, owner: settings.owner, group: settings.group,
                securityLabel: before?.attributes.securityLabel))
        let known = record[path]
        // Without a record, what is there as we would write it is what an earlier install left.
        let original = known != nil ? known?.original : before == after ? nil : before
        try want(path, .whole, before, after, original: original, block: nil, purpose)
    }

    /// Wants a block of ours in a file that may have lines of others.
    mutating func wantBlock(
        _ path: String, _ kind: TrustRecord.File.Kind, _ texts: [String], moves: Bool, _ purpose: String
    ) throws(AgentError) {
        let before = try files.read(path)
        let known = record[path]
        let after = FileContent(
            try TrustBlock.put(texts, into: before?.bytes ?? [], moves: moves, name: path),
            before?.attributes ?? FileAttributes(mode: 0o644, owner: settings.owner, group: settings.group))
        var original: FileContent?
        if let before {
            let rest = try TrustBlock.remove(from: before.bytes, name: path)
            let isOurs = known.map { $0.original == nil } ?? (rest != before.bytes)
            // Only our block in it: we made the file, or removing the block leaves nothing anyhow.
            original =
                isOurs && rest.isEmpty
                ? nil : FileContent(rest, known?.original?.attributes ?? before.attributes)
        }
        try want(
            path, kind, before, after, original: original, block: TrustBlock.text(texts), purpose)
    }

    private mutating func want(
        _ path: String, _ kind: TrustRecord.File.Kind, _ before: FileContent?, _ after: FileContent,
        original: FileContent?, block: [UInt8]?, _ purpose: String
    ) throws(AgentError) {
        guard (original?.bytes.count ?? 0) <= TrustRecord.maximumOriginalBytes else {
            throw AgentError(
                .unsafeFile,
                "\(path.escapedForTerminal): it has over \(TrustRecord.maximumOriginalBytes) bytes, which are "
                    + "more than are kept to restore it")
        }
        wanted.insert(path)
        record[path] = TrustRecord.File(
            path: path, kind: kind, original: original, sha256: Digest.sha256(after.bytes),
            block: block.map { String(decoding: $0, as: UTF8.self) }, attributes: after.attributes)
        if before != after {
            steps.append(Plan.Step(.file(path: path, before: before, after: after), purpose))
        }
    }

    /// Takes back what an earlier install wrote and this one does not want.
    mutating func undoOthers() throws(AgentError) {
        for file in record.files where !wanted.contains(file.path) {
            if let step = try TrustRemoval.undo(file, files) { steps.append(step) }
            record[file.path] = nil
        }
    }

    func recordStep() throws(AgentError) -> [Plan.Step] {
        let before = try files.read(layout.originals, maximumBytes: TrustRecord.maximumBytes)
        guard record != recorded else { return [] }
        let attributes = FileAttributes(
            mode: 0o600, owner: settings.owner, group: settings.group,
            securityLabel: before?.attributes.securityLabel)
        let after = FileContent(try record.encode(), attributes)
        return [
            Plan.Step(
                .file(path: layout.originals, before: before, after: after),
                "what was there before, for trust remove, and what is written, for trust status")
        ]
    }
}
