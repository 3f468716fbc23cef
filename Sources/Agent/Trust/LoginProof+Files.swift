// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import SSHWire

extension LoginProof {
    /// How the certificates come to the account.
    struct Entrance {
        let principal: String
        /// A principals file for the proof, where the account has none with a principal that may always enter.
        let temporary: ChangeJournal.Temporary?

        init(_ subject: Subject, _ files: any HostFiles) throws(AgentError) {
            // sshd's command is ours where there is one: the plan refuses any other.
            let isPrinted =
                subject.settings["authorizedprincipalscommand"].map { $0.lowercased() != "none" } ?? false
            let file =
                isPrinted ? subject.principals + "/%u" : subject.settings["authorizedprincipalsfile"]
            guard let pattern = file, pattern != "none" else {
                // sshd compares with the account's name then (auth2-pubkey.c, `user_cert_trusted_ca`).
                principal = subject.account
                temporary = nil
                return
            }
            let path = try Self.expand(pattern, subject.account)
            try checkFolders(above: path, files)
            let found = try files.read(path)
            if let found, let file = try? TextFile<AuthorizedPrincipal>(found.bytes),
                let entry = file.lines.lazy.compactMap(\.entry).first(where: {
                    $0.options == .none && (!isPrinted || OnlineCheck.prints($0.principal.string.utf8))
                })
            {
                principal = entry.principal.string
                temporary = nil
                return
            }
            let principal = "daypass-proof-" + randomIdentifier()
            self.principal = principal
            let attributes = FileAttributes(mode: 0o644, owner: geteuid(), group: getegid())
            var proof = found ?? FileContent([], attributes)
            proof.bytes = lines(proof.bytes, and: principal)
            temporary = ChangeJournal.Temporary(path: path, proof: proof, final: found)
        }

        /// sshd's tokens in the file's name, as far as they need no account's home.
        private static func expand(_ pattern: String, _ account: String) throws(AgentError) -> String {
            var path = ""
            var rest = pattern[...]
            while let character = rest.popFirst() {
                guard character == "%" else {
                    path.append(character)
                    continue
                }
                switch rest.popFirst() {
                case "u": path += account
                case "%": path += "%"
                default:
                    throw AgentError(
                        .conflict,
                        "AuthorizedPrincipalsFile \(pattern.escapedForTerminal): no login can be tried with it",
                        hint: "--no-login-proof is content with what sshd -T says")
                }
            }
            return path
        }
    }

    /// The file of CA keys with the throw-away one.
    static func authority(
        _ credentials: Credentials, _ settings: SshdSettings, _ files: any HostFiles
    ) throws(AgentError) -> ChangeJournal.Temporary {
        guard let path = settings["trustedusercakeys"], path.hasPrefix("/"), let final = try files.read(path)
        else {
            throw AgentError(
                .conflict, "sshd trusts no file of CA keys for the account of the proof",
                hint: "--prove-as names another account")
        }
        try checkFolders(above: path, files)
        var proof = final
        proof.bytes = lines(
            final.bytes, and: credentials.authority.publicKey.text + " \(TrustProof.authorityName)")
        return ChangeJournal.Temporary(path: path, proof: proof, final: final)
    }

    /// The list of revocations with the throw-away serial; nil where sshd has no such list.
    static func revocation(
        _ credentials: Credentials, _ settings: SshdSettings, _ files: any HostFiles
    ) throws(AgentError) -> ChangeJournal.Temporary? {
        guard let path = settings["revokedkeys"], path.hasPrefix("/") else { return nil }
        guard let final = try files.read(path, maximumBytes: Limits.krlBytes) else {
            throw AgentError(
                .conflict,
                "RevokedKeys \(path.escapedForTerminal) does not exist: sshd refuses everybody's keys")
        }
        try checkFolders(above: path, files)
        var proof = final
        do throws(SSHWireError) {
            let list = try KeyRevocationList(encoded: final.bytes)
            var builder = try KeyRevocationList.Builder(
                extending: list, version: list.version,
                generatedUnixSeconds: list.generatedUnixSeconds)
            try builder.revoke(
                serial: Credentials.Kind.revoked.rawValue, of: .authority(credentials.authority.publicKey))
            proof.bytes = try builder.build().checkedEncoding()
        } catch {
            throw AgentError(
                .conflict, "RevokedKeys \(path.escapedForTerminal): \(error.reason)",
                hint: "--no-login-proof is content with what sshd -T says")
        }
        return ChangeJournal.Temporary(path: path, proof: proof, final: final)
    }

    /// The keys of exactly this sshd, from the public halves beside its host keys.
    static func knownHosts(_ settings: SshdSettings, _ files: any HostFiles) throws(AgentError) -> [UInt8] {
        var text = ""
        for path in settings.all("hostkey") where path.hasPrefix("/") {
            guard let content = try? files.read(path + ".pub"),
                let line = try? PublicKeyLine(file: content.bytes),
                let key = try? line.content.plainKey("host key")
            else { continue }
            text += "\(hostAlias) \(key.text)\n"
        }
        guard !text.isEmpty else {
            throw AgentError(
                .sshd, "no public half of a host key is there, so it could not be told which sshd answers",
                hint: "ssh-keygen -y -f KEY > KEY.pub writes it")
        }
        return Array(text.utf8)
    }
}

/// Refuses a path with a folder in it that others than root may change: no file is ever written there.
func checkFolders(above path: String, _ files: any HostFiles) throws(AgentError) {
    var folder = path[...]
    while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
        folder = folder[..<slash]
        guard let found = try files.folder(String(folder)) else { continue }
        // In a folder like /tmp only a name's owner may move it.
        guard found.owner == 0 || found.owner == geteuid(),
            found.mode & 0o022 == 0 || found.mode & 0o1000 != 0
        else {
            throw AgentError(
                .unsafeFile,
                "\(String(folder).escapedForTerminal): others than root may change it, so nothing is written below it",
                hint: "--no-login-proof is content with what sshd -T says")
        }
    }
}

/// A file of lines with one more.
private func lines(_ content: [UInt8], and line: String) -> [UInt8] {
    content + (content.isEmpty || content.last == UInt8(ascii: "\n") ? [] : [UInt8(ascii: "\n")])
        + Array("\(line)\n".utf8)
}
