// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// How this host's sshd is made to read its configuration again.
public enum Reload: Sendable, Hashable {
    /// A program that the administrator named, with its arguments.
    case command([String])
    /// `systemctl reload` of a service that is active.
    case systemd(unit: String, systemctl: String)
    /// SIGHUP to the process that sshd's own PID file names.
    case signal(pid: Int32)
    /// systemd starts an sshd for each connection: each reads the configuration by itself.
    case perConnection(unit: String)
    /// No sshd runs.
    case notRunning

    /// Looks how sshd can be told. Changes nothing.
    ///
    /// - Parameters:
    ///   - command: what the administrator named; it wins.
    ///   - settings: what `sshd -T` says.
    public static func find(
        command: [String]?, sshd: Sshd, settings: SshdSettings, files: any HostFiles,
        programs: any ProgramRunner
    ) throws(AgentError) -> Reload {
        if let command {
            guard let program = command.first, program.hasPrefix("/") else {
                throw AgentError(
                    .invalidRequest, "--reload-command: it must begin with a program's absolute path")
            }
            return .command(command)
        }
        if let found = try systemdUnit(files, programs) { return found }
        guard let path = settings["pidfile"], path.hasPrefix("/"), let pid = try readPID(path, files),
            isSshd(pid, binary: sshd.binary)
        else { return .notRunning }
        return .signal(pid: pid)
    }

    /// True where systemd is the machine's first process (sd_booted(3)).
    public static func isSystemdRunning(_ files: any HostFiles) throws(AgentError) -> Bool {
        try files.kind("/run/systemd/system") == .folder
    }

    /// A program that may lie in one of two folders, which are one where /bin is a link.
    static func systemProgram(_ name: String, _ files: any HostFiles) -> String? {
        ["/usr/bin/\(name)", "/bin/\(name)"].first { (try? files.kind($0)) == .some(.file) }
    }

    private static func systemdUnit(
        _ files: any HostFiles, _ programs: any ProgramRunner
    ) throws(AgentError) -> Reload? {
        guard try isSystemdRunning(files), let systemctl = systemProgram("systemctl", files) else {
            return nil
        }
        func isActive(_ unit: String) throws(AgentError) -> Bool {
            let said = try programs.run(
                systemctl, ["show", "--property=LoadState", "--property=ActiveState", unit])
            let lines = said.outputText.split(whereSeparator: \.isNewline)
            return said.succeeded && lines.contains("LoadState=loaded")
                && lines.contains { $0 == "ActiveState=active" || $0 == "ActiveState=reloading" }
        }
        // Debian's name and Red Hat's; either may be the other's alias.
        for unit in ["ssh.service", "sshd.service"] where try isActive(unit) {
            return .systemd(unit: unit, systemctl: systemctl)
        }
        for unit in ["ssh.socket", "sshd.socket"] where try isActive(unit) {
            return .perConnection(unit: unit)
        }
        return nil
    }

    private static func readPID(_ path: String, _ files: any HostFiles) throws(AgentError) -> Int32? {
        // /var/run is a link to /run wherever there is a /run, and links are not followed.
        let path = path.hasPrefix("/var/run/") ? String(path.dropFirst(4)) : path
        guard let content = try files.read(path, maximumBytes: 64) else { return nil }
        let text = String(decoding: content.bytes, as: UTF8.self)
        guard let pid = Int32(text.prefix { !$0.isNewline }), pid > 1 else { return nil }
        return pid
    }

    /// A PID file may be old and the number another process's by now.
    private static func isSshd(_ pid: Int32, binary: String) -> Bool {
        if let name = readSystemText("/proc/\(pid)/comm"), name == "sshd\n" { return true }
        var target = [CChar](repeating: 0, count: 4_096)
        let count = unsafe readlink("/proc/\(pid)/exe", &target, target.count)
        guard count > 0 else { return false }
        let program = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // The kernel says so after an upgrade of the package.
        return program == binary || program == binary + " (deleted)"
    }
}

extension Reload {
    /// What people are told.
    public var text: String {
        switch self {
        case .command(let command): command.joined(separator: " ").escapedForTerminal
        case .systemd(let unit, _): "systemctl reload \(unit)"
        case .signal(let pid): "SIGHUP to process \(pid)"
        case .perConnection(let unit): "nothing to reload: \(unit) starts sshd for each connection"
        case .notRunning: "sshd does not run"
        }
    }

    /// Tells sshd to read its configuration, and waits a short time for signs that it has.
    ///
    /// sshd reloads by starting itself anew in the same process, so the signs are listening sockets that weren't
    /// there before. Where none can be seen (another network namespace, a command that does something else) this
    /// returns all the same: a login is the proof.
    ///
    /// - Parameter ports: those that sshd listens on.
    /// - Throws: `.sshd` when it could not be told.
    public func perform(ports: [UInt16], programs: any ProgramRunner, seconds: Int) throws(AgentError) {
        let before = ListeningSockets.inodes(ports: ports)
        switch self {
        case .command(let command):
            guard let program = command.first else { return }
            try Self.succeed(
                try programs.run(program, Array(command.dropFirst()), seconds: seconds),
                "the reload command")
        case .systemd(let unit, let systemctl):
            // An agent that starts comes before sshd, and so systemd would put the reload off until it has started: it would wait
            // for itself. Nothing else is to be put in order.
            try Self.succeed(
                try programs.run(
                    systemctl, ["reload", "--job-mode=ignore-dependencies", unit], seconds: seconds),
                "systemctl reload \(unit)")
        case .signal(let pid):
            guard kill(pid, SIGHUP) == 0 else {
                throw AgentError(
                    .sshd, "cannot signal sshd, process \(pid): \(describeSystemError(errno))")
            }
        case .perConnection, .notRunning: return
        }
        if !before.isEmpty { Self.waitForNewSockets(ports, than: before) }
    }

    private static func succeed(_ result: ProgramResult, _ what: String) throws(AgentError) {
        guard result.succeeded else {
            let complaint = result.complaint
            throw AgentError(
                .sshd,
                "\(what) failed with status \(result.status)\(complaint.isEmpty ? "" : ": \(complaint)")")
        }
    }

    /// How long sshd may take from the signal to listening again; it takes milliseconds.
    private static let patience = Duration.seconds(3)

    private static func waitForNewSockets(_ ports: [UInt16], than before: Set<UInt64>) {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            let now = ListeningSockets.inodes(ports: ports)
            // Another program may listen on the same port of another address. sshd closes all of its sockets, reads
            // its configuration, and opens new ones.
            if !before.isSubset(of: now), !now.isSubset(of: before) { return }
            pause(milliseconds: 5)
        }
    }
}
