// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// Somebody's machine: a home of its own with a key, ssh's configuration, and an ssh-agent unless told otherwise.
final class Laptop {
    let folder: TemporaryFolder
    let agent: PrivateAgent?
    private let station: PrivateNetwork.Station?

    /// - Parameter station: the place in a network where it is; nil for this machine's own.
    init(withAgent: Bool = true, on station: PrivateNetwork.Station? = nil) throws {
        self.station = station
        folder = try TemporaryFolder()
        agent = withAgent ? try PrivateAgent() : nil
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", key]).orThrow(
            "make a key")
        if agent != nil { try Tool.run("ssh-add", ["-q", key], environment: environment).orThrow("ssh-add") }
    }

    var key: String { folder.path("id") }
    var state: String { folder.path("state") }
    var config: String { folder.path("config") }

    var environment: [String: String] {
        var added = ["HOME": folder.path, "DAYPASS_STATE": state, "TZ": "UTC"]
        if let agent { added["SSH_AUTH_SOCK"] = agent.socket }
        return Tool.environment(adding: added)
    }

    func daypass(_ arguments: [String], environment added: [String: String] = [:]) throws -> ToolResult {
        let command = [try BuiltProduct.path("daypass")] + arguments
        let all = station?.inside(command) ?? command
        return try Tool.run(
            all[0], Array(all.dropFirst()), environment: environment.merging(added) { $1 }, in: folder.path)
    }

    /// Runs daypass beside the test.
    ///
    /// - Parameter log: the file in the folder that gets all that it says.
    func beside(_ arguments: [String], log: String) throws -> ChildProcess {
        let command = [try BuiltProduct.path("daypass")] + arguments
        let all = station?.inside(command) ?? command
        return try ChildProcess(
            all[0], Array(all.dropFirst()), environment: environment, in: folder.path, log: folder.path(log))
    }

    @discardableResult
    func logIn(to plane: PrivateControlPlane, key: String? = nil) throws -> ToolResult {
        try daypass(
            ["login", "--server", plane.url, "--fingerprint", plane.fingerprint]
                + (key.map { ["--key", $0] } ?? [])
        ).orThrow("daypass login")
    }

    /// Writes ssh's configuration for a server that is called web1, and has daypass add its line.
    func configure(for server: PrivateSSHD, more: String = "") throws {
        try folder.write(
            """
            Host web1 web1.example.com
                HostName \(PrivateSSHD.address)
                HostKeyAlias web1.example.com
                Port \(server.port)
                User \(Running.userName)

            Host *
                UserKnownHostsFile /dev/null
                StrictHostKeyChecking yes
                BatchMode yes
                ControlPath none
                ConnectTimeout 20
            \(more)
            """, to: "config")
        try daypass(["ssh-config", "install", "--file", config]).orThrow("ssh-config install")
    }

    /// Runs the stock ssh, or a program above it, with that configuration.
    func ssh(
        _ arguments: [String], program: String = "ssh", environment added: [String: String] = [:]
    ) throws -> ToolResult {
        try Tool.run(
            program, ["-F", config] + arguments, environment: environment.merging(added) { $1 },
            in: folder.path)
    }

    /// The certificates that lie here, by the names of their files.
    func certificates() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(state)/identities")) ?? []
        return names.filter { $0.hasSuffix("-cert.pub") }.sorted().map { "\(state)/identities/\($0)" }
    }
}

/// A control plane, a host that trusts it, and somebody who may enter the host.
final class ControlScene {
    let plane: PrivateControlPlane
    let server: PrivateSSHD
    let admin: Laptop
    let alice: Laptop

    /// Lets alice in as whoever runs the tests, with certificates of this life.
    static func rules(lifetime: String = "10m", more: String = "") -> String {
        """
          - name: sre-enter
            hosts: [{id: "web*"}]
            logins: ["\(Running.userName)"]
            allow:
              or:
                - groups: {has: sre}
            certificate: {max_lifetime: \(lifetime), default_lifetime: \(lifetime)}
        \(more)
        """
    }

    init(
        rules: String = ControlScene.rules(), settings: String = "", withAgent: Bool = true,
        groups: [String] = ["sre"]
    ) throws {
        plane = try PrivateControlPlane(rules: rules, settings: settings)
        admin = try Laptop(withAgent: false)
        alice = try Laptop(withAgent: withAgent)
        try admin.logIn(to: plane, key: plane.adminKey)
        try admin.daypass(
            [
                "keys", "add", "--identity", "alice@example.com", "\(alice.key).pub",
            ] + groups.flatMap { ["--group", $0] }
        ).orThrow("keys add")
        try admin.daypass(["hosts", "add", "web1", "--name", "web1.example.com", "--label", "team=infra"])
            .orThrow("hosts add")
        let folder = plane.folder
        let hostKey = folder.path("host")
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", hostKey]).orThrow(
            "host key")
        // While the control plane runs, on the same folder.
        try Tool.run(
            try BuiltProduct.path("daypass"),
            [
                "issue", "host", "--home", plane.home, "--key", "\(hostKey).pub", "--hostname",
                "web1.example.com",
            ]
        ).orThrow("issue host")
        server = try PrivateSSHD(
            .init(
                trustedUserCAKeys: "\(plane.home)/user_ca.pub", hostKey: hostKey,
                hostCertificate: "\(hostKey)-cert.pub",
                authorizedPrincipalsFile: folder.write("\(Running.userName)@web1\n", to: "principals"),
                authorizedKeysFile: folder.path("authorized_keys")))
        // Where there is an identity provider, a key must be asked for.
        try alice.logIn(to: plane, key: withAgent && settings.isEmpty ? nil : alice.key)
        try alice.configure(for: server)
    }

    /// How many times sshd has let a certificate of alice's in.
    var certificateLogins: Int {
        server.log.split(whereSeparator: \.isNewline).count {
            $0.contains("Accepted publickey") && $0.contains("ID alice@example.com#")
        }
    }
}
