// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension PrivateSSHD {
    /// Logs in with the stock ssh and runs one command.
    ///
    /// The client reads no configuration and asks nobody. It offers `identity` alone and takes the host only by
    /// `knownHosts`.
    ///
    /// - Parameters:
    ///   - user: the account; `nil` is the one that runs the tests.
    ///   - identity: a private key's path. ssh also offers the certificate `<identity>-cert.pub` if it exists.
    ///   - certificate: a certificate's path, for one that has another name.
    ///   - knownHosts: the file that decides about the host; `nil` is the server's own plain host key.
    ///   - extraOptions: further arguments, such as `-o HostKeyAlias=web1.example`, which win over the others.
    ///   - command: what the account's shell is given on the host.
    /// - Returns: the command's own status, or 255 when ssh did not get in; its reasons are in `stderr`.
    public func login(
        user: String? = nil, identity: String, certificate: String? = nil, knownHosts: String? = nil,
        extraOptions: [String] = [], command: String = "true", environment: [String: String]? = nil,
        timeout: Duration = .seconds(60)
    ) throws -> ToolResult {
        var arguments = ["-F", "/dev/null"] + extraOptions
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=\(knownHosts ?? self.knownHosts)",
            "GlobalKnownHostsFile=/dev/null",
            "UpdateHostKeys=no",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "PreferredAuthentications=publickey",
            "ControlPath=none",
            "ConnectTimeout=20",
        ] { arguments += ["-o", option] }
        if let certificate { arguments += ["-o", "CertificateFile=\(certificate)"] }
        arguments += ["-i", identity, "-p", "\(port)", "-l", user ?? Running.userName, Self.address, command]
        return try Tool.run("ssh", arguments, environment: environment, timeout: timeout)
    }
}
