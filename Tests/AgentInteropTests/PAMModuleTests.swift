// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import TestSupport
import Testing

/// The PAM module's functions, called with any value, under sanitizers; without PAM and without sshd.
@Suite("PAM module", .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
struct PAMModuleTests {
    static let connection = "192.0.2.7 50022 192.0.2.1 22"
    static let values: [(name: String, value: [UInt8])] = [
        ("PAM_SERVICE", Array("sshd".utf8)), ("PAM_USER", Array("deploy".utf8)),
        ("PAM_RHOST", Array("192.0.2.7".utf8)), ("PAM_TTY", Array("ssh".utf8)),
        ("SSH_CONNECTION", Array(connection.utf8)),
        ("SSH_AUTH_INFO_0", Array("publickey ssh-ed25519 AAAA\n".utf8)),
    ]
    /// PAM's numbers.
    static let success: Int32 = 0
    static let sessionError: Int32 = 14
    static let ignore: Int32 = 25

    /// A socket's place and a spool, both empty.
    struct Place {
        let folder: TemporaryFolder
        let socket: String
        let spool: String

        init() throws {
            folder = try TemporaryFolder()
            socket = folder.path("s")
            spool = try folder.makeFolder("spool")
        }

        var options: [String] { ["socket=\(socket)", "spool=\(spool)"] }

        /// Everything in the spool, hidden names too, in the order of the names.
        var spooled: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []).sorted()
        }

        func call(
            _ function: String = "open", _ more: [String] = [],
            values: [(name: String, value: [UInt8])] = PAMModuleTests.values,
            flavour: PAMModule.DriverFlavour = .sanitized, environment: [String: String] = [:]
        ) throws -> ToolResult {
            try PAMModule.call(
                function, options + more, values: values, flavour: flavour, environment: environment)
        }

        func spooledReport() throws -> SessionReport {
            try SessionReport(parsing: folder.read("spool/\(#require(spooled.first))"))
        }
    }

    static func changed(_ name: String, _ value: [UInt8]) -> [(name: String, value: [UInt8])] {
        values.filter { $0.name != name } + [(name, value)]
    }

    @Test(arguments: ["open", "close"])
    func aReportReachesTheAgentAndNothingIsSpooled(event: String) throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        let result = try place.call(event)
        #expect(result.status == Self.success)
        #expect(result.stderrText == "")
        let report = try SessionReport(parsing: #require(agent.waitForPackets(1).first))
        #expect(report.event.rawValue == event)
        #expect(report.service == "sshd")
        #expect(report.account == "deploy")
        #expect(report.remoteHost == "192.0.2.7")
        #expect(report.terminal == "ssh")
        #expect(report.connection == Self.connection)
        #expect(report.authentication == "publickey ssh-ed25519 AAAA\n")
        #expect(report.bootID.utf8.count == 36)
        #expect(report.pid > 0)
        #expect(report.processStart > 0)
        let age = Date().timeIntervalSince1970 - Double(report.wallNanoseconds) / 1e9
        #expect((0..<60).contains(age))
        #expect(report.bootNanoseconds > report.processStart / 100 * 1_000_000_000)
        #expect(place.spooled.isEmpty)
    }

    @Test func nothingIsAllocatedOnTheWayToTheAgent() throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        let result = try place.call(flavour: .counting)
        #expect(result.status == Self.success)
        #expect(result.stderrText == "")
    }

    @Test func aLoginWithoutAnythingThatSSHDSaysIsReported() throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        #expect(try place.call(values: []).status == Self.success)
        let report = try SessionReport(parsing: #require(agent.waitForPackets(1).first))
        #expect(report.account == "")
        #expect(report.authentication == "")
    }

    @Test(arguments: ["PAM_SERVICE", "PAM_USER", "PAM_RHOST", "PAM_TTY", "SSH_CONNECTION", "SSH_AUTH_INFO_0"])
    func anOverlongOrUnreadableValueIsCutAndTheReportArrives(name: String) throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        let everyByte = (0..<4_000).map { UInt8($0 % 255 + 1) }
        let samples = [
            [UInt8](repeating: 0x41, count: 400_000), [UInt8](repeating: 0xff, count: 400_000), everyByte,
            Array("%s%n\n\u{1b}[2J=daypass-session=1\r".utf8),
        ]
        for sample in samples {
            let result = try place.call(values: Self.changed(name, sample))
            #expect(result.status == Self.success)
            #expect(result.stderrText == "")
        }
        let packets = try agent.waitForPackets(samples.count)
        for packet in packets { #expect(throws: Never.self) { try SessionReport(parsing: packet) } }
        #expect(place.spooled.isEmpty)
    }

    @Test func aCertificateOf350KilobytesArrivesWhole() throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        let proof =
            "publickey ssh-rsa-cert-v01@openssh.com " + String(repeating: "A", count: 350 << 10) + "\n"
        #expect(
            try place.call(values: Self.changed("SSH_AUTH_INFO_0", Array(proof.utf8))).status == Self.success)
        let report = try SessionReport(parsing: #require(agent.waitForPackets(1).first))
        #expect(report.authentication == proof)
    }

    @Test func signalsDoNotLoseAReport() throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket, .silence)
        defer { agent.stop() }
        let result = try place.call("open", ["timeout=100"], environment: ["DRIVER_ALARM": "1"])
        #expect(result.status == Self.success)
        #expect(try place.spooledReport() == SessionReport(parsing: #require(agent.waitForPackets(1).first)))
    }

    @Test(arguments: [
        ReportReceiver.Manner.silence, .hangUp, .sleep, .answer("0"), .answer("2"), .answer("11"),
    ])
    func anAgentThatDoesNotConfirmLeavesTheReportInTheSpool(manner: ReportReceiver.Manner) throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket, manner)
        defer { agent.stop() }
        // One connection waits in a queue that has room for one.
        let first = try place.call("open", ["timeout=50"])
        let start = ContinuousClock.now
        let result = try place.call("close", ["timeout=50"])
        #expect(start.duration(to: .now) < .seconds(5))
        #expect(first.status == Self.success)
        #expect(result.status == Self.success)
        // "11" starts with what the agent says, which is all that is read.
        if case .answer("11") = manner { return }
        #expect(result.stderrText.hasPrefix("<5>close: no agent ("))
        #expect(place.spooled.count == 2)
        #expect(try place.spooledReport().event == .open)
    }

    @Test(arguments: ["open", "close"])
    func withoutAnAgentTheReportIsAFileOfItsOwn(event: String) throws {
        let place = try Place()
        let result = try place.call(event)
        #expect(result.status == Self.success)
        #expect(
            result.stderrText
                == "<5>\(event): no agent (No such file or directory); the report is in the spool\n")
        let report = try place.spooledReport()
        let digits = String(report.wallNanoseconds)
        let name = String(repeating: "0", count: 20 - digits.count) + digits + "-\(report.pid)-\(event)"
        #expect(place.spooled == [name])
        #expect(try place.folder.mode(of: "spool/\(name)") == 0o600)
    }

    @Test func aFolderThatOthersMayWriteToIsNoSpool() throws {
        let place = try Place()
        try place.folder.setMode(0o770, of: "spool")
        let result = try place.call()
        #expect(result.status == Self.success)
        #expect(
            result.stderrText
                == "<3>open: NOT RECORDED: no agent (No such file or directory), no spool (Operation not permitted)\n"
        )
        #expect(place.spooled.isEmpty)
        try place.folder.setMode(0o755, of: "spool")
        #expect(try place.call().status == Self.success)
        #expect(place.spooled.count == 1)
    }

    @Test(.enabled(if: Running.asRoot, "needs root")) func aStrangersFolderIsNoSpool() throws {
        let place = try Place()
        #expect(unsafe chown(place.spool, 65_534, 65_534) == 0)
        #expect(try place.call("open", ["enforce"]).status == Self.sessionError)
        #expect(place.spooled.isEmpty)
    }

    @Test func aLinkToAFolderIsNoSpool() throws {
        let place = try Place()
        try FileManager.default.createSymbolicLink(
            atPath: place.folder.path("link"), withDestinationPath: place.spool)
        let result = try place.call("open", ["spool=\(place.folder.path("link"))", "enforce"])
        #expect(result.status == Self.sessionError)
        #expect(place.spooled.isEmpty)
    }

    @Test func enforceRefusesALoginThatNobodyRecordsAndNothingElse() throws {
        let place = try Place()
        let nowhere = ["spool=\(place.folder.path("nowhere"))", "enforce"]
        #expect(try place.call("open", nowhere).status == Self.sessionError)
        // The session is over either way.
        #expect(try place.call("close", nowhere).status == Self.success)
        // The spool is a record too.
        #expect(try place.call("open", ["enforce"]).status == Self.success)
        #expect(place.spooled.count == 1)
        #expect(try place.call("open", nowhere.dropLast()).status == Self.success)
    }

    @Test func aFullSpoolTakesNothingMore() throws {
        let place = try Place()
        for number in 0..<65_540 {
            _ = FileManager.default.createFile(atPath: "\(place.spool)/\(number)", contents: nil)
        }
        let result = try place.call("open", ["enforce"])
        #expect(result.status == Self.sessionError)
        #expect(result.stderrText.contains("no spool (No space left on device)"))
        for number in 0..<10 { try FileManager.default.removeItem(atPath: "\(place.spool)/\(number)") }
        #expect(try place.call("open", ["enforce"]).status == Self.success)
    }

    /// pam_limits sets the limit for sshd itself; a write beyond it is a signal that would end sshd.
    @Test func aFileSizeLimitDoesNotEndSSHD() throws {
        let place = try Place()
        let driver = try PAMModule.builtDriver(.counting)
        let arguments = ["-c", "ulimit -f 0; exec \"$0\" \"$@\"", driver, "open"] + place.options
        let result = try Tool.run("/bin/sh", arguments, stdin: Array("PAM_USER=deploy\0".utf8))
        #expect(result.status == Self.success)
        #expect(result.stderrText.contains("no spool (File too large)"))
        #expect(place.spooled.isEmpty)
    }

    @Test(arguments: [
        "bogus", "timeout=", "timeout=0", "timeout=-5", "timeout=5x", "timeout=99999999999999999999",
        "socket=relative",
        "enforce=1", "%n%s",
    ])
    func anOptionThatMakesNoSenseIsNamedAndLeftOut(option: String) throws {
        let place = try Place()
        let agent = try ReportReceiver(place.socket)
        defer { agent.stop() }
        let result = try place.call("open", [option])
        #expect(result.status == Self.success)
        #expect(
            result.stderrText == "<3>\(option.prefix(64)): not an option, or not a value of it; left out\n")
    }

    @Test func aSocketsPathThatIsTooLongIsNoAgent() throws {
        let place = try Place()
        let result = try place.call("open", ["socket=/\(String(repeating: "a", count: 300))"])
        #expect(result.status == Self.success)
        #expect(place.spooled.count == 1)
    }

    @Test func itHasNoSayInWhoIsLetIn() throws {
        #expect(try Place().call("setcred").status == Self.ignore)
    }
}
