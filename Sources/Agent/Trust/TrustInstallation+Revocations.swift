// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The list of what is revoked.
extension TrustInstallation {
    /// The revocation list: the given or the installed one, and what is taken over.
    mutating func revocationFile() throws(AgentError) -> RevocationFile {
        let installed = try installedRevocations()
        var wanted: RevocationFile
        switch settings.revocations {
        case .given(let given): wanted = given
        case .installed:
            if let installed {
                wanted = installed
            } else {
                wanted = try .empty(unixSeconds: settings.unixSeconds)
            }
        }
        if let line = conflicts.adoptedRevocations {
            let path = line.value
            guard let content = try files.read(path, maximumBytes: Limits.krlBytes) else {
                throw AgentError(
                    .conflict,
                    "RevokedKeys \(path.escapedForTerminal) at \(line.place): the file does not exist")
            }
            let adopted = try RevocationFile.parse(content.bytes, name: path)
            if !wanted.list.revokesAll(of: adopted) {
                wanted = try wanted.adding(adopted, settings.unixSeconds)
            }
            notes.append(
                "what \(path.escapedForTerminal) revokes, which \(line.place) names, is taken over; later changes of that "
                    + "file count only when trust install is run again")
        }
        if let installed {
            try wanted.checkSuccession(of: installed.list)
            // The same list, made at another time.
            if installed.list.version == wanted.list.version, installed.list.revokesAll(of: wanted.list) {
                wanted = installed
            }
        }
        // The format has no length: a list that was cut off between two of its sections is a good list.
        if let installed, wanted.list.isEmpty, !installed.list.isEmpty {
            notes.append("the key revocation list revokes nothing any more; the installed one does")
        }
        if wanted.list.version < record.revocationVersion {
            throw AgentError(
                .conflict,
                "key revocation list: version \(wanted.list.version) is older than \(record.revocationVersion), which "
                    + "was installed", hint: "get the authority's newest list")
        }
        return wanted
    }

    /// The list that lies there; nil where there is none, or a broken one is replaced by a given one.
    private func installedRevocations() throws(AgentError) -> RevocationFile? {
        guard let content = try files.read(layout.revokedKeys, maximumBytes: Limits.krlBytes) else {
            guard case .installed = settings.revocations, recorded?[layout.revokedKeys] != nil else {
                return nil
            }
            throw AgentError(
                .damaged, "\(layout.revokedKeys) is gone, and what it revoked is not known here",
                hint: "give the authority's list by --krl")
        }
        do throws(AgentError) {
            return try RevocationFile(content.bytes, name: layout.revokedKeys)
        } catch {
            guard case .installed = settings.revocations else { return nil }
            throw AgentError(.damaged, error.reason, hint: "give the authority's list by --krl")
        }
    }
}
