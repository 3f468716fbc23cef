// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Who may enter which account.
extension TrustInstallation {
    mutating func wantPrincipals() throws(AgentError) {
        for entry in settings.principals {
            let path = layout.principals + "/" + entry.account.text
            if !entry.replacesExisting, try files.kind(path) != nil {
                wanted.insert(path)
                continue
            }
            try wantWhole(
                path, PrincipalsFolder.content(entry.principals),
                "the principals that may enter \(entry.account)")
        }
        let existing = try files.list(layout.principals) ?? []
        if settings.principals.isEmpty, existing.isEmpty {
            notes.append("no account has principals: no certificate will enter any account")
        }
        for name in existing where !name.hasPrefix(".") { try keepPrincipals(name) }
        // Files of accounts that are not named stay.
        for file in record.files where file.path.hasPrefix(layout.principals + "/") {
            wanted.insert(file.path)
        }
    }

    /// Keeps a file that somebody else put there, and says whom it lets in from now on.
    private mutating func keepPrincipals(_ name: String) throws(AgentError) {
        let path = "\(layout.principals)/\(name)"
        guard record[path] == nil, let content = try files.read(path) else { return }
        record[path] = TrustRecord.File(
            path: path, kind: .whole, original: content, sha256: Digest.sha256(content.bytes),
            attributes: content.attributes)
        notes.append(
            "\(path.escapedForTerminal) was there before and stays; it says who may enter the account: "
                + String(decoding: content.bytes.prefix(256), as: UTF8.self).split(
                    whereSeparator: \.isNewline
                )
                .joined(separator: ", ").escapedForTerminal)
    }
}
