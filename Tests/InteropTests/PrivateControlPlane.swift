// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// A control plane of one test's own: the built daypassd in a temporary folder, on a port that the kernel chose, with
/// its signer. Both end with the last reference, by their process numbers.
final class PrivateControlPlane {
    let folder: TemporaryFolder
    /// Where it keeps everything; a CA folder too.
    let home: String
    /// The administrator's private key.
    let adminKey: String
    /// The fingerprint that init printed.
    let fingerprint: String
    private(set) var port = 0
    private let station: PrivateNetwork.Station?
    private var process: ChildProcess?

    static let admin = "admin@example.com"
    private static let startTimeout: Duration = .seconds(30)

    /// - Parameters:
    ///   - rules: the policy's rules, as a YAML list.
    ///   - settings: lines at the end of daypassd.yaml.
    ///   - station: the machine that it runs on; nil for this one.
    init(rules: String, settings: String = "", on station: PrivateNetwork.Station? = nil) throws {
        self.station = station
        folder = try TemporaryFolder()
        home = folder.path("plane")
        adminKey = folder.path("admin")
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", adminKey]).orThrow(
            "make a key")
        let made = try Self.daypassd([
            "init", "--home", home, "--name", "localhost", "--name", station?.address ?? "127.0.0.1",
            "--listen", "127.0.0.1:0", "--admin", Self.admin, "--admin-key", "\(adminKey).pub",
            "--no-passphrase",
        ]).orThrow("daypassd init")
        guard
            let line = made.stdoutText.split(separator: "\n").first(where: { $0.hasPrefix("  certificate") }),
            let word = line.split(separator: " ").last
        else { throw TestSupportError("init names no fingerprint: \(made)") }
        fingerprint = String(word)
        try write(rules: rules)
        let file = "\(home)/daypassd.yaml"
        var yaml = try String(contentsOfFile: file, encoding: .utf8)
        yaml.replace("host_patterns: []", with: #"host_patterns: ["*.example.com"]"#)
        try (yaml + settings).write(toFile: file, atomically: true, encoding: .utf8)
        try start()
    }

    var url: String { "https://\(station?.address ?? "localhost"):\(port)" }

    /// All that it has said.
    var log: String { (try? folder.readText("log")) ?? "" }

    static func daypassd(_ arguments: [String]) throws -> ToolResult {
        try Tool.run(try BuiltProduct.path("daypassd"), arguments)
    }

    /// Starts it, where it was before if it was.
    func start() throws {
        let seen = log.utf8.count
        let command = [try BuiltProduct.path("daypassd"), "serve", "--home", home]
        let all = station?.inside(command) ?? command
        process = try ChildProcess(
            all[0], Array(all.dropFirst()),
            environment: Tool.environment(adding: [
                "DAYPASSD_LISTEN": "\(station?.address ?? "127.0.0.1"):\(port)"
            ]),
            log: folder.path("log"))
        let said = try wait(for: "ready at https://localhost:", after: seen, Self.startTimeout)
        guard let mark = said.range(of: "ready at https://localhost:"),
            let port = Int(said[mark.upperBound...].prefix(while: \.isNumber))
        else { throw TestSupportError("daypassd names no port: \(said)") }
        self.port = port
        _ = try wait(for: "signer: ready", after: seen, Self.startTimeout)
    }

    /// Ends it and its signer.
    func stop() { process?.stop() }

    /// Ends the server alone, as a machine that has no memory left does.
    func kill() {
        process?.signal(SIGKILL)
        _ = process?.wait(for: Self.startTimeout)
    }

    /// Asks it to end, as systemd does.
    func terminate() -> ProcessEnd? {
        process?.signal(SIGTERM)
        return process?.wait(for: Self.startTimeout)
    }

    /// Changes the policy, and waits until it is used or refused.
    func reload(rules: String, expecting message: String = "policy reloaded") throws {
        let seen = log.utf8.count
        try write(rules: rules)
        process?.signal(SIGHUP)
        _ = try wait(for: message, after: seen, Self.startTimeout)
    }

    private func write(rules: String) throws {
        let policy = """
            version: 1
            administrators:
              or:
                - user: "\(Self.admin)"
            rules:
            \(rules)

            """
        try policy.write(toFile: "\(home)/policy.yaml", atomically: true, encoding: .utf8)
    }

    private func wait(for text: String, after seen: Int, _ timeout: Duration) throws -> String {
        let deadline = ContinuousClock.now + timeout
        while true {
            let said = String(decoding: log.utf8.dropFirst(seen), as: UTF8.self)
            if said.contains(text) { return said }
            guard process?.wait(for: .milliseconds(10)) == nil, ContinuousClock.now < deadline else {
                throw TestSupportError("daypassd does not say \"\(text)\": \(log)")
            }
        }
    }
}
