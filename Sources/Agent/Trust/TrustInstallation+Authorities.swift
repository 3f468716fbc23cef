// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// CA keys, and the certificate of the host key, as files.
extension TrustInstallation {
    /// The CA keys, ours and those that are taken over.
    mutating func authorityFile() throws(AgentError) -> [UInt8] {
        var keys = settings.authorities
        if let line = conflicts.adoptedAuthorities {
            let path = line.value
            guard let content = try files.read(path) else {
                throw AgentError(
                    .conflict,
                    "TrustedUserCAKeys \(path.escapedForTerminal) at \(line.place): the file does not exist")
            }
            let adopted = try TrustSettings.AuthorityKey.parse(content.bytes, name: path)
            keys += adopted.filter { key in !keys.contains { $0.key == key.key } }
            notes.append(
                "\(adopted.count) CA keys of \(path.escapedForTerminal), which \(line.place) names, are taken over; their "
                    + "certificates enter the accounts that the principals files name, and that file is not read any more"
            )
        }
        return try Self.authorityFile(keys)
    }

    /// A file of these CAs.
    static func authorityFile(_ keys: [TrustSettings.AuthorityKey]) throws(AgentError) -> [UInt8] {
        var text =
            "# Daypass: the CAs whose user certificates sshd takes. Written by daypass-agent trust install.\n"
        for key in keys {
            do throws(SSHWireError) {
                text += try PublicKeyLine(.key(key.key), comment: key.comment).text + "\n"
            } catch {
                throw AgentError(.invalidRequest, error.reason)
            }
        }
        return Array(text.utf8)
    }

    func text(of certificate: Certificate) throws(AgentError) -> [UInt8] {
        do throws(SSHWireError) {
            return Array((try PublicKeyLine(.certificate(certificate)).text + "\n").utf8)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
    }
}
