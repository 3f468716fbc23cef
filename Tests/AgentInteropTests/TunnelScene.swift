// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import SSHWire
import TestSupport

/// An agent with a tunnel, and a server of PyPI's websockets at its other end.
final class TunnelScene: Sendable {
    let folder: TemporaryFolder
    let server: TunnelServer
    private let agent: ChildProcess
    let key: JSONWebKey

    /// - Parameters:
    ///   - mode: how the server misbehaves; see server.py.
    ///   - sent: what the server sends once it knows the agent, a message a line.
    ///   - url: the tunnel's URL, from the server's port.
    init(
        _ mode: String = "normal", sent: [String] = [], serverArguments: [String] = [],
        arguments: [String] = [],
        environment: [String: String] = [:], url: (UInt16) -> String = { "ws://127.0.0.1:\($0)/socket" },
        configuration: String = ""
    ) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        for name in ["etc", "var", "var/spool", "run"] { try folder.makeFolder(name) }
        try folder.write(sent.map { $0 + "\n" }.joined(), to: "sent")
        server = try TunnelServer(
            mode, folder: folder, arguments: ["--send", folder.path("sent")] + serverArguments)
        let program = try BuiltProduct.path("daypass-agent")
        try Tool.run(program, ["keygen", "--key-path", folder.path("keys")]).orThrow("keygen")
        key = try JSONWebKey(parsing: try folder.read("keys/jwk.public.json"))
        try folder.write(
            "orgId: acme\nhostId: h-1\ntunnelHost: \"\(url(server.port))\"\nkeyPath: \"\(folder.path("keys"))\"\n"
                + configuration, to: "agent.yaml")
        agent = try ChildProcess(
            program,
            [
                "start", "--verbose", "--config", folder.path("agent.yaml"), "--sshd-log", "none",
                "--config-folder",
                folder.path("etc"), "--state-folder", folder.path("var"), "--runtime-folder",
                folder.path("run"),
            ] + arguments, environment: Tool.environment(adding: environment), log: folder.path("agent.log"))
    }

    /// What the agent said.
    var said: String { (try? folder.readText("agent.log")) ?? "" }
    var isRunning: Bool { agent.isRunning }
    var pid: Int32 { agent.pid }

    func signal(_ number: Int32) { agent.signal(number) }
    func waitForEnd() -> ProcessEnd? { agent.wait(for: .seconds(20)) }

    /// Waits until something is so, half a minute at most.
    func wait<Value>(_ what: String, _ ask: () throws -> Value?) throws -> Value {
        for _ in 0..<3_000 {
            if let value = try ask() { return value }
            usleep(10_000)
        }
        throw TestSupportError("waited in vain for \(what)\nagent: \(said)\nserver: \(try server.events())")
    }

    /// Waits for the agent's messages that satisfy a condition.
    func waitForMessage(_ what: String, _ condition: (JSONValue) -> Bool) throws -> JSONValue {
        try wait(what) { try server.messages().first(where: condition) }
    }

    /// Waits for a line of the agent's.
    func waitUntilSaid(_ text: String) throws {
        _ = try wait("\"\(text)\"") { said.contains(text) ? true : nil }
    }
}

/// Tests/TunnelServer/server.py, running.
final class TunnelServer: Sendable {
    let port: UInt16
    private let process: ChildProcess
    private let log: String
    private let folder: TemporaryFolder

    init(_ mode: String, folder: TemporaryFolder, arguments: [String] = []) throws {
        // This file is in Tests/AgentInteropTests of the package.
        let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
            separator: "/")
        let log = "server-\(mode).log"
        (self.log, self.folder) = (log, folder)
        try folder.write("", to: log)
        process = try ChildProcess(
            "\(package)/.build/tunnel-server/bin/python",
            ["\(package)/Tests/TunnelServer/server.py", folder.path(log), mode] + arguments,
            log: folder.path("server.err"))
        for _ in 0..<1_500 {
            guard let listening = try Self.events(folder, log).first, let port = listening["port"]?.number
            else {
                usleep(20_000)
                continue
            }
            self.port = UInt16(clamping: port)
            return
        }
        throw TestSupportError("the server does not come up: \(try folder.readText("server.err"))")
    }

    func events(_ kind: String? = nil) throws -> [JSONValue] {
        try Self.events(folder, log).filter { kind == nil || $0["event"]?.string == kind }
    }

    /// What the agent sent.
    func messages() throws -> [JSONValue] {
        try events("message").compactMap { event in
            try JSONValue(parsing: Array((event["text"]?.string ?? "").utf8), maximumBytes: 2 << 20)
        }
    }

    private static func events(_ folder: TemporaryFolder, _ log: String) throws -> [JSONValue] {
        try folder.readText(log).split(separator: "\n").compactMap {
            // Its last line may not be whole yet.
            try? JSONValue(parsing: Array($0.utf8), maximumBytes: 4 << 20)
        }
    }
}
