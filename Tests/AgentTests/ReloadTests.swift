// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite struct ReloadTests {
    private let settings = SshdSettings(parsing: "port 22\nlistenaddress 0.0.0.0:22\npidfile none\n")

    private func find(
        _ host: PretendedHost, command: [String]? = nil, settings: SshdSettings? = nil
    ) throws(AgentError) -> Reload {
        try Reload.find(
            command: command, sshd: Sshd(binary: "/usr/sbin/sshd", configuration: "/c", programs: host),
            settings: settings ?? self.settings, files: host, programs: host)
    }

    @Test func theAdministratorsCommandWins() throws {
        let host = PretendedHost(units: ["ssh.service": "active"])
        #expect(try find(host, command: ["/bin/kick", "it"]) == .command(["/bin/kick", "it"]))
    }

    @Test func aCommandWithoutAnAbsolutePathIsRefused() {
        #expect(throws: AgentError(.invalidRequest, "")) {
            try find(PretendedHost(units: nil), command: ["kick"])
        }
        #expect(throws: AgentError(.invalidRequest, "")) { try find(PretendedHost(units: nil), command: []) }
    }

    @Test(arguments: ["ssh.service", "sshd.service"])
    func theServiceThatIsActiveIsReloaded(unit: String) throws {
        let host = PretendedHost(units: [unit: "active"])
        #expect(try find(host) == .systemd(unit: unit, systemctl: "/usr/bin/systemctl"))
    }

    @Test func aSocketNeedsNoReload() throws {
        let host = PretendedHost(units: ["ssh.socket": "active", "ssh.service": "inactive"])
        let reload = try find(host)
        #expect(reload == .perConnection(unit: "ssh.socket"))
        try reload.perform(ports: [], programs: host, seconds: 1)
        #expect(!host.ran.contains { $0.contains("reload") })
    }

    @Test func aServiceThatIsNotActiveIsNotReloaded() throws {
        #expect(try find(PretendedHost(units: ["ssh.service": "failed"])) == .notRunning)
        #expect(try find(PretendedHost(units: [:])) == .notRunning)
    }

    @Test func aReloadThatFailsSaysSo() throws {
        let host = PretendedHost(units: ["ssh.service": "active"], failing: "reload")
        let reload = try find(host)
        #expect(throws: AgentError(.sshd, "")) { try reload.perform(ports: [], programs: host, seconds: 1) }
        #expect(host.ran.last == "/usr/bin/systemctl reload --job-mode=ignore-dependencies ssh.service")
    }

    @Test func aPIDFileOfAnotherProcessIsNotBelieved() throws {
        // This process is no sshd.
        let folder = try TemporaryFolder()
        let path = try folder.write("\(getpid())\n", to: "pid")
        let settings = SshdSettings(parsing: "pidfile \(path)\n")
        #expect(try find(PretendedHost(units: nil), settings: settings) == .notRunning)
        try folder.write("0\n", to: "pid")
        #expect(try find(PretendedHost(units: nil), settings: settings) == .notRunning)
    }

    @Test func listeningSocketsAreReadFromTheKernelsTable() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
               1: 0100007F:0016 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
               2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
            """
        #expect(ListeningSockets.parse(table, ports: [22]) == [4711])
        #expect(ListeningSockets.parse(table, ports: [22, 8080]) == [4711, 4713])
        #expect(ListeningSockets.parse("", ports: [22]) == [])
        #expect(ListeningSockets.parse("x\n1 2 3 0A", ports: [22]) == [])
    }

    @Test func theDeadManTimerStartsTheRecovery() throws {
        let host = PretendedHost(units: [:])
        let timer = try #require(try DeadManTimer.find(recovery: ["trust", "recover"], files: host))
        try timer.arm(seconds: 90, host)
        let armed = try #require(host.ran.last)
        #expect(
            armed.hasPrefix(
                "/usr/bin/systemd-run --quiet --collect --unit=daypass-trust-recover --on-active=90s "))
        #expect(armed.hasSuffix(" trust recover"))
        timer.disarm(host)
        #expect(host.ran.last == "/usr/bin/systemctl stop daypass-trust-recover.timer")
        #expect(try DeadManTimer.find(recovery: [], files: PretendedHost(units: nil)) == nil)
    }
}

/// A host whose first process is systemd, or isn't, and whose programs only say what they would do.
private final class PretendedHost: ProgramRunner, HostFiles {
    private let units: [String: String]?
    private let failing: String?
    private let log = Mutex<[String]>([])
    private let files = SystemFiles()

    /// - Parameter units: nil where systemd doesn't run.
    init(units: [String: String]?, failing: String? = nil) {
        self.units = units
        self.failing = failing
    }

    var ran: [String] { log.withLock { $0 } }

    func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
    {
        log.withLock { $0.append(([path] + arguments).joined(separator: " ")) }
        if let failing, arguments.first == failing {
            return ProgramResult(status: 1, output: [], errors: Array("no".utf8))
        }
        guard arguments.first == "show", let unit = arguments.last else {
            return ProgramResult(status: 0, output: [], errors: [])
        }
        let state = units?[unit].map { "LoadState=loaded\nActiveState=\($0)\n" }
        return ProgramResult(
            status: 0, output: Array((state ?? "LoadState=not-found\nActiveState=inactive\n").utf8),
            errors: [])
    }

    func kind(_ path: String) throws(AgentError) -> FileKind? {
        switch path {
        case "/run/systemd/system": units == nil ? nil : .folder
        case "/usr/bin/systemctl", "/usr/bin/systemd-run": .file
        default: try files.kind(path)
        }
    }

    func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent? {
        try files.read(path, maximumBytes: maximumBytes)
    }

    func folder(_ path: String) throws(AgentError) -> FileAttributes? { try files.folder(path) }
    func list(_ path: String) throws(AgentError) -> [String]? { try files.list(path) }
    func create(_ path: String, _ content: FileContent) throws(AgentError) {}
    func rename(_ from: String, to path: String) throws(AgentError) {}
    func remove(_ path: String) throws(AgentError) {}
    func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {}
    func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {}
    func removeFolder(_ path: String) throws(AgentError) {}
}
