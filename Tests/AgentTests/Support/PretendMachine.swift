// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Synchronization
import TestSupport

@testable import Agent

/// A host in a folder: its own accounts, sudo, sshd and sessions, none of which is the machine's.
final class PretendMachine: ProgramRunner, AccountBook, HostSessions {
    struct State {
        var accounts: [String: AccountEntry] = [:]
        var groups: [String: GroupEntry] = [:]
        var live: [SessionSummary] = []
        var ended: [String] = []
        /// Programs that were run, with their arguments.
        var commands: [[String]] = []
        /// Programs that fail, by their last part.
        var broken: Set<String> = []
        /// True while the name service does not answer.
        var isMute = false
        /// Accounts whose passwords let nobody log in any more.
        var expired: Set<String> = []
        /// What somebody else does once sessions have ended, once.
        var meanwhile: (@Sendable () -> Void)?
    }

    let folder: TemporaryFolder
    let state = Mutex(State())
    let layout: HostLayout
    let places: ProvisioningHost.Places
    private let release: String

    /// - Parameter release: what sshd says that it is.
    init(release: String = "OpenSSH_9.2p1 Debian-2") throws {
        folder = try TemporaryFolder()
        self.release = release
        for name in ["etc", "state", "run", "sudoers.d", "home"] { try folder.makeFolder(name) }
        layout = HostLayout(
            configuration: folder.path("etc"), state: folder.path("state"), runtime: folder.path("run"))
        var places = ProvisioningHost.Places()
        places.sudoers = folder.path("sudoers")
        places.sudoersFolder = folder.path("sudoers.d")
        places.visudo = folder.path("visudo")
        places.loginDefinitions = folder.path("login.defs")
        self.places = places
        try folder.write("root ALL=(ALL:ALL) ALL\n@includedir \(places.sudoersFolder)\n", to: "sudoers")
        try folder.write("UID_MIN\t\t1000\n", to: "login.defs")
        try folder.write("", to: "visudo")
        try folder.write("Port 22\n", to: "sshd_config")
        for (name, number, shell) in [
            ("root", UInt32(0), "/bin/bash"), ("daemon", 1, "/usr/sbin/nologin"),
            ("postgres", 113, "/bin/bash"),
            ("alice", 1_001, "/bin/bash"), ("bob", 1_002, "/bin/sh"),
            ("mail-only", 1_003, "/usr/sbin/nologin"),
        ] {
            state.withLock {
                $0.accounts[name] = AccountEntry(
                    name: name, userID: number, groupID: number, comment: "", home: "/home/alice",
                    shell: shell)
                $0.groups[name] = GroupEntry(groupID: number, members: [])
            }
        }
        state.withLock { $0.groups["docker"] = GroupEntry(groupID: 998, members: []) }
    }

    func host(files: any HostFiles = SystemFiles(), boot: String = "boot") -> ProvisioningHost {
        var host = ProvisioningHost(
            layout: layout,
            sshd: Sshd(binary: "/sshd", configuration: folder.path("sshd_config"), programs: self),
            host: "web1",
            files: files, programs: self, accounts: self, sessions: self, places: places,
            owner: FileOwner(user: geteuid(), group: getegid()), boot: boot)
        host.trustChange = ChangeOptions(
            action: .install, proof: .settings, seconds: 5, lockSeconds: 2, reloadCommand: ["/reload"])
        return host
    }

    // MARK: Operations

    /// 2026-11-26T20:00:00Z.
    static let noon: UInt64 = 1_795_723_200

    static func moment(_ seconds: Int64) -> Moment {
        Moment(
            wall: (noon &+ UInt64(bitPattern: seconds)) * 1_000_000_000,
            boot: (1_000_000 &+ UInt64(bitPattern: seconds)) * 1_000_000_000)
    }

    /// Does an operation at some seconds after ``noon``.
    @discardableResult
    func perform(_ text: String, at seconds: Int64 = 0, dryRun: Bool = false) throws -> HostOutcome {
        let data = try JSONValue(parsing: Array(text.utf8), maximumBytes: 1 << 20)
        return Provisioner(host(), lockSeconds: 2).perform(data, dryRun: dryRun, at: Self.moment(seconds))
    }

    @discardableResult
    func sweep(at seconds: Int64) throws -> OperationPlan? {
        try Provisioner(host(), lockSeconds: 2).sweep(at: Self.moment(seconds))
    }

    // MARK: What is there

    func names(_ name: String) throws -> [String] {
        try SystemFiles().list(folder.path(name))?.filter { !$0.hasPrefix(".") } ?? []
    }
    func keys(_ account: String) throws -> String? {
        folder.contains("etc/granted_keys/\(account)")
            ? try folder.readText("etc/granted_keys/\(account)") : nil
    }
    var commands: [[String]] { state.withLock { $0.commands } }
    var changing: [[String]] { commands.filter { !["sshd", "visudo"].contains(Self.name($0[0])) } }
    var ended: [String] { state.withLock { $0.ended } }

    /// Opens a session by a key of this fingerprint.
    func open(_ id: String, _ account: String, key fingerprint: String) {
        var event = SessionEvent(
            .open, via: .pam, time: RecordTime(nanoseconds: Self.noon * 1_000_000_000), uptimeMicroseconds: 1)
        event.session = id
        event.account = account
        event.methods = [LoginMethod("publickey", .key(type: "ssh-ed25519", fingerprint: fingerprint))]
        state.withLock { $0.live.append(SessionSummary(id: id, event: event, state: .live, end: nil)) }
    }

    // MARK: The ports

    private static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? ""
    }

    func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
    {
        let name = Self.name(path)
        let complaint: String? = state.withLock { state in
            state.commands.append([path] + arguments)
            if state.broken.contains(name) { return "\(name) is broken" }
            return change(&state, name, arguments)
        }
        if let complaint { return ProgramResult(status: 1, output: [], errors: Array(complaint.utf8)) }
        guard name == "sshd" else { return ProgramResult(status: 0, output: [], errors: []) }
        let said =
            "pubkeyauthentication yes\nauthorizedkeysfile .ssh/authorized_keys \(layout.grantKeys)/%u\n"
        return arguments.first == "-V"
            ? ProgramResult(status: 0, output: [], errors: Array("\(release)\n".utf8))
            : ProgramResult(status: 0, output: Array(said.utf8), errors: [])
    }

    /// - Returns: what the program complains about.
    private func change(_ state: inout State, _ name: String, _ arguments: [String]) -> String? {
        guard let last = arguments.last else { return nil }
        switch name {
        case "useradd":
            guard state.accounts[last] == nil else { return "user exists" }
            guard state.groups[last] == nil || arguments.contains("--no-user-group") else {
                return "group exists"
            }
            let comment = arguments.firstIndex(of: "--comment").map { arguments[$0 + 1] } ?? ""
            let number = UInt32(2_000 + state.accounts.count)
            state.accounts[last] = AccountEntry(
                name: last, userID: number, groupID: number, comment: comment, home: "/home/alice",
                shell: "/bin/bash")
        case "userdel": state.accounts[last] = nil
        case "usermod":
            if arguments.contains("1") { state.expired.insert(last) } else { state.expired.remove(last) }
        case "gpasswd":
            guard let group = state.groups[last] else { return "no such group" }
            let member = arguments[1]
            var members = group.members.filter { $0 != member }
            if arguments[0] == "--add" { members.append(member) }
            state.groups[last]?.members = members
        default: break
        }
        return nil
    }

    func account(_ name: LocalName) throws(AgentError) -> AccountEntry? {
        let (isMute, entry) = state.withLock { ($0.isMute, $0.accounts[name.text]) }
        if isMute { throw AgentError(.file, "account \(name): the name service does not answer") }
        return entry
    }

    func group(_ name: LocalName) throws(AgentError) -> GroupEntry? {
        state.withLock { $0.groups[name.text] }
    }

    func live() throws(AgentError) -> [SessionSummary] { state.withLock { $0.live } }

    func end(_ sessions: [(session: SessionSummary, reason: String)]) throws(AgentError) {
        guard !state.withLock({ $0.broken.contains("sessions") }) else {
            throw AgentError(.program, "2 processes of a session do not end")
        }
        let meanwhile = state.withLock { state in
            for (session, _) in sessions {
                state.live.removeAll { $0.id == session.id }
                state.ended.append(session.id)
            }
            defer { state.meanwhile = nil }
            return state.meanwhile
        }
        meanwhile?()
    }
}

/// Public keys whose private halves nobody has.
enum TestKey {
    static let one = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOHF4NPRMwrlzMleyw8Y66ppUBbUhqrri4+lnW2IgZbB"
    static let oneFingerprint = "SHA256:JF136XHFyIUTW6sj606/1rWjtRGi6/KIZzMpa2dREcQ"
    static let two = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMDVUro4ffk/ByLUJ15w/Mzkomg1TwXzrEkDbFq+/HRW"
    static let twoFingerprint = "SHA256:qe6D3MJ1h8+gWf3Kdi7Od87MC6ZIkWWtotWG+CQzYYs"
}
