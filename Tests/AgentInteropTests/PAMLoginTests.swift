// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import SSHWire
import TestSupport
import Testing

/// Real logins through a real sshd whose PAM service has the module.
@Suite(
    "Logins through the PAM module", .enabled(if: Running.asRoot, "needs root"),
    .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
    .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
struct PAMLoginTests {
    /// A CA, a user's certificate and an sshd that asks a PAM service of its own.
    struct Scene {
        let folder: TemporaryFolder
        let key: String
        let service: PAMService
        let server: PrivateSSHD
        let socket: String
        let spool: String

        init(_ options: [String] = [], control: String = "optional") throws {
            folder = try TemporaryFolder()
            for name in ["ca", "user"] {
                try Tool.run(
                    "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder.path(name)]
                ).orThrow("make a key")
            }
            key = folder.path("user")
            try Tool.run(
                "ssh-keygen",
                [
                    "-q", "-s", folder.path("ca"), "-I", "alice@example.org", "-n", Running.userName, "-z",
                    "7", "-V", "+1h", "\(key).pub",
                ]
            ).orThrow("sign")
            socket = folder.path("s")
            spool = try folder.makeFolder("spool")
            service = try PAMService(session: [
                "session \(control) \(PAMModule.path()) socket=\(socket) spool=\(spool) "
                    + options.joined(separator: " ")
            ])
            server = try PrivateSSHD(
                .init(
                    trustedUserCAKeys: folder.path("ca.pub"),
                    extraLines: service.configuration + ["ExposeAuthInfo yes"], program: service.sshd))
        }

        func login(_ command: String = "true", options: [String] = []) throws -> ToolResult {
            try server.login(identity: key, extraOptions: options, command: command)
        }

        var spooled: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []).sorted()
        }
    }

    @Test func openAndCloseSpeakOfTheSameProcessAndShowTheCertificate() throws {
        let scene = try Scene()
        let agent = try ReportReceiver(scene.socket)
        defer { agent.stop() }
        try scene.login().orThrow("log in")
        let reports = try agent.waitForPackets(2).map { try SessionReport(parsing: $0) }
        let (open, close) = (reports[0], reports[1])
        #expect(open.event == .open)
        #expect(close.event == .close)
        #expect(open.pid == close.pid)
        #expect(open.processStart == close.processStart)
        #expect(open.bootID == close.bootID)
        #expect(open.wallNanoseconds < close.wallNanoseconds)
        #expect(open.bootNanoseconds < close.bootNanoseconds)
        let certificate = try scene.folder.readText("user-cert.pub").split(separator: " ")[..<2].joined(
            separator: " ")
        for report in reports {
            #expect(report.service == scene.service.name)
            #expect(report.account == Running.userName)
            #expect(report.remoteHost == "127.0.0.1")
            #expect(report.connection.hasPrefix("127.0.0.1 "))
            #expect(report.connection.hasSuffix(" 127.0.0.1 \(scene.server.port)"))
            #expect(report.authentication == "publickey \(certificate)\n")
        }
        #expect(scene.spooled.isEmpty)
    }

    @Test func theReportedProcessIsTheMonitorAboveTheShell() throws {
        let scene = try Scene()
        let agent = try ReportReceiver(scene.socket)
        defer { agent.stop() }
        // Root's session has no unprivileged child in between: the shell's parent is the monitor itself.
        let parent = try scene.login("echo $PPID").orThrow("log in").stdoutText
        let report = try SessionReport(parsing: #require(agent.waitForPackets(1).first))
        #expect(parent == "\(report.pid)\n")
    }

    /// sshd tells PAM "ssh" before it knows whether there will be a terminal, and does not correct it.
    @Test func aTerminalHasNoNameForPAM() throws {
        let scene = try Scene()
        let agent = try ReportReceiver(scene.socket)
        defer { agent.stop() }
        try scene.login(options: ["-tt"]).orThrow("log in")
        let reports = try agent.waitForPackets(2).map { try SessionReport(parsing: $0) }
        #expect(reports.map(\.terminal) == ["ssh", "ssh"])
    }

    @Test func aDeadAgentDelaysNobodyAndBothReportsWait() throws {
        let scene = try Scene()
        try scene.login().orThrow("log in")
        // sshd closes the session after the client has gone.
        let deadline = ContinuousClock.now + .seconds(10)
        while scene.spooled.filter({ $0.hasSuffix("-close") }).isEmpty, ContinuousClock.now < deadline {
            usleep(2_000)
        }
        #expect(scene.spooled.map { $0.split(separator: "-").last } == ["open", "close"])
        for name in scene.spooled {
            #expect(throws: Never.self) { try SessionReport(parsing: scene.folder.read("spool/\(name)")) }
        }
    }

    @Test func aSilentAgentDelaysALoginByTheDeadlineOnly() throws {
        let scene = try Scene(["timeout=100"])
        let agent = try ReportReceiver(scene.socket, .silence)
        defer { agent.stop() }
        let start = ContinuousClock.now
        try scene.login().orThrow("log in")
        #expect(start.duration(to: .now) < .seconds(20))
        #expect(scene.spooled.contains { $0.hasSuffix("-open") })
    }

    @Test func withEnforceNobodyGetsInWithoutARecord() throws {
        let scene = try Scene(["enforce"], control: "required")
        try scene.folder.setMode(0o777, of: "spool")
        // sshd goes on with a connection that may do nothing: its child ends with 254 instead of the command.
        let refused = try scene.login("echo in")
        #expect(refused.status == 254)
        #expect(refused.stdoutText == "")
        let forward = ["-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:127.0.0.1:1"]
        #expect(try scene.login(options: forward).status == 255)
        try scene.folder.setMode(0o700, of: "spool")
        #expect(try scene.login("echo in").stdoutText == "in\n")
        #expect(try scene.login(options: forward).succeeded)
        #expect(!scene.spooled.isEmpty)
    }

    @Test func withoutEnforceALoginThatNobodyRecordsGoesOn() throws {
        let scene = try Scene()
        try scene.folder.setMode(0o777, of: "spool")
        #expect(try scene.login().succeeded)
        #expect(scene.spooled.isEmpty)
    }
}
