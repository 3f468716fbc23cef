// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension PrivateSSHD {
    /// The text of sshd_config(5), in which the first value of a keyword wins.
    static func configuration(
        _ options: Options, hostKey: String, port: UInt16, mark: String, sshd: String
    ) throws -> String {
        var lines = options.extraLines
        func add(_ keyword: String, path: String?) throws {
            guard let path else { return }
            guard !path.contains(where: { $0 == "\"" || $0.isNewline }) else {
                throw TestSupportError("\(keyword): a path with a quote or a newline")
            }
            lines.append("\(keyword) \"\(path)\"")
        }
        try add("TrustedUserCAKeys", path: options.trustedUserCAKeys)
        try add("RevokedKeys", path: options.revokedKeys)
        try add("HostKey", path: hostKey)
        try add("HostCertificate", path: options.hostCertificate)
        try add("AuthorizedPrincipalsFile", path: options.authorizedPrincipalsFile)
        try add("AuthorizedKeysFile", path: options.authorizedKeysFile ?? "none")
        lines += [
            "ListenAddress \(address):\(port)",
            "VersionAddendum \(mark)",
            "PidFile none",
            "LogLevel VERBOSE",
            // Temporary folders are below /tmp, which everybody may write to.
            "StrictModes no",
            "UsePAM \(isLocked(Running.userName) ? "yes" : "no")",
            "UseDNS no",
            "PermitRootLogin prohibit-password",
            "AuthenticationMethods publickey",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitUserRC no",
            "PrintMotd no",
            "LoginGraceTime 30",
            // Tests log in many at a time, and are refused often: both from the one loopback address.
            "MaxStartups 200",
            "MaxAuthTries 20",
            "Subsystem sftp internal-sftp",
        ]
        if let version = version(of: sshd), version >= (9, 8) { lines.append("PerSourcePenalties no") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The release that a server names, from 9.2 on; older ones don't know the option, but name it all the same
    /// where they complain about it.
    static func version(of sshd: String) -> (major: Int, minor: Int)? {
        guard let said = try? Tool.run(sshd, ["-V"]) else { return nil }
        let text = said.stderrText + said.stdoutText
        guard let name = text.firstRange(of: "OpenSSH_") else { return nil }
        let numbers = text[name.upperBound...].prefix { $0.isNumber || $0 == "." }.split(separator: ".")
        guard numbers.count >= 2, let major = Int(numbers[0]), let minor = Int(numbers[1]) else { return nil }
        return (major, minor)
    }

    /// True when an account's password starts with `!`: without PAM, sshd on Linux lets nobody into such an
    /// account, whatever key they have (auth.c, allowed_user). Only root can see it, and root's sshd alone does.
    /// A test that logs in as a further account with a locked password adds `UsePAM yes`.
    private static func isLocked(_ user: String) -> Bool {
        guard let shadow = try? String(decoding: readWholeFile("/etc/shadow"), as: UTF8.self) else {
            return false
        }
        return shadow.split(separator: "\n").contains { $0.hasPrefix("\(user):!") }
    }
}
