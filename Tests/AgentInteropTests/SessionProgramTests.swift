// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import TestSupport
import Testing

/// `daypass-session` as pam_exec starts it.
@Suite("Session program") struct SessionProgramTests {
    static let environment = [
        "PAM_SERVICE": "sshd", "PAM_USER": "deploy", "PAM_RHOST": "192.0.2.7", "PAM_TTY": "ssh",
        "SSH_CONNECTION": "192.0.2.7 50022 192.0.2.1 22", "SSH_AUTH_INFO_0": "publickey ssh-ed25519 AAAA\n",
    ]

    struct Place {
        let folder: TemporaryFolder
        let socket: String
        let spool: String

        init() throws {
            folder = try TemporaryFolder()
            socket = folder.path("s")
            spool = try folder.makeFolder("spool")
        }

        func run(
            _ type: String?, _ more: [String] = [],
            environment: [String: String] = SessionProgramTests.environment
        )
            throws -> ToolResult
        {
            var variables = environment
            variables["PAM_TYPE"] = type
            return try Tool.run(
                BuiltProduct.path("daypass-session"), ["--socket", socket, "--spool", spool] + more,
                environment: Tool.environment(adding: variables))
        }

        var spooled: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []).sorted()
        }
    }

    @Test(arguments: ["open", "close"]) func aReportReachesTheAgent(event: String) throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        let result = try place.run("\(event)_session")
        #expect(result.status == 0)
        #expect(result.stderrText == "")
        let report = try SessionReport(parsing: #require(agent.waitForPackets(1).first))
        #expect(report.event.rawValue == event)
        #expect(report.account == "deploy")
        #expect(report.remoteHost == "192.0.2.7")
        #expect(report.terminal == "ssh")
        #expect(report.service == "sshd")
        #expect(report.connection == Self.environment["SSH_CONNECTION"])
        #expect(report.authentication == Self.environment["SSH_AUTH_INFO_0"])
        // The session's process is the one that started the program.
        #expect(report.pid == getpid())
        let status = try String(contentsOfFile: "/proc/self/stat", encoding: .utf8)
        #expect(status.split(separator: ")").last?.split(separator: " ")[19] == "\(report.processStart)")
        #expect(place.spooled.isEmpty)
    }

    @Test func otherKindsOfCallsAreNoSessions() throws {
        let place = try Place()
        #expect(try place.run("auth").status == 0)
        #expect(place.spooled.isEmpty)
        #expect(try place.run(nil).status == 64)
        #expect(place.spooled.isEmpty)
    }

    @Test func withoutAnAgentTheReportIsAFileOfItsOwn() throws {
        let place = try Place()
        #expect(try place.run("open_session").status == 0)
        let name = try #require(place.spooled.first)
        let report = try SessionReport(parsing: place.folder.read("spool/\(name)"))
        let digits = String(report.wallNanoseconds)
        #expect(name == String(repeating: "0", count: 20 - digits.count) + digits + "-\(report.pid)-open")
        #expect(try place.folder.mode(of: "spool/\(name)") == 0o600)
    }

    @Test func anAgentThatDoesNotConfirmLeavesTheReportInTheSpool() throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket, .silence)
        defer { agent.stop() }
        #expect(try place.run("open_session", ["--timeout", "50"]).status == 0)
        #expect(place.spooled.count == 1)
    }

    @Test func enforceFailsAtTheOpeningOnly() throws {
        let place = try Place()
        try place.folder.setMode(0o777, of: "spool")
        #expect(try place.run("open_session").status == 0)
        #expect(try place.run("open_session", ["--enforce"]).status == 1)
        #expect(try place.run("close_session", ["--enforce"]).status == 0)
        #expect(place.spooled.isEmpty)
        try place.folder.setMode(0o700, of: "spool")
        #expect(try place.run("open_session", ["--enforce"]).status == 0)
    }

    @Test func overlongValuesAreCutAndTheReportArrives() throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        var values = Self.environment
        for name in Self.environment.keys { values[name] = String(repeating: "é", count: 20_000) }
        #expect(try place.run("open_session", environment: values).status == 0)
        #expect(throws: Never.self) { try SessionReport(parsing: #require(agent.waitForPackets(1).first)) }
    }

    @Test(arguments: [
        ["--bogus"], ["--timeout"], ["--timeout", "0"], ["--timeout", "1e3"], ["--socket", "relative"],
        ["--principals", "/"],
        ["extra"],
    ])
    func wrongArgumentsAreRefused(arguments: [String]) throws {
        let place = try Place()
        #expect(try place.run("open_session", arguments).status == 64)
        #expect(place.spooled.isEmpty)
    }

    @Test(
        .enabled(if: Running.asRoot, "needs root"), .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    func pamExecAndTheModuleSayTheSame() throws {
        let place = try Place()
        let program =
            "\(try BuiltProduct.path("daypass-session")) --socket \(place.socket) --spool \(place.spool)"
        let scene = try PAMLoginTests.Scene(more: [
            "session optional pam_exec.so type=open_session \(program)",
            "session optional pam_exec.so type=close_session \(program)",
        ])
        let module = try ReportReceiver(scene.socket)
        let execution = try ReportReceiver(place.socket)
        defer { module.stop(); execution.stop() }
        try scene.login().orThrow("log in")
        let expected = try module.waitForPackets(2).map { try SessionReport(parsing: $0) }
        let came = try execution.waitForPackets(2).map { try SessionReport(parsing: $0) }
        for (one, other) in zip(expected, came) {
            #expect(one.event == other.event)
            #expect(one.service == other.service)
            #expect(one.account == other.account)
            #expect(one.remoteHost == other.remoteHost)
            #expect(one.terminal == other.terminal)
            #expect(one.connection == other.connection)
            #expect(one.authentication == other.authentication)
            #expect(one.pid == other.pid)
            #expect(one.processStart == other.processStart)
            #expect(one.bootID == other.bootID)
        }
    }
}
