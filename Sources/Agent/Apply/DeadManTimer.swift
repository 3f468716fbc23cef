// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// A one-shot timer of systemd that starts `daypass-agent trust recover` when the process that changes trust dies.
///
/// It is armed before the first change and disarmed after the last. When it fires while that process still works,
/// `recover` waits for the lock, and finds nothing to do.
public struct DeadManTimer: Sendable, Hashable {
    static let unit = "daypass-trust-recover"

    let systemctl: String
    let systemdRun: String
    let command: [String]

    /// - Parameter command: what is started, with its arguments; its first an absolute path.
    public init(systemctl: String, systemdRun: String, command: [String]) {
        self.systemctl = systemctl
        self.systemdRun = systemdRun
        self.command = command
    }

    /// The timer of this machine; nil where systemd doesn't run.
    ///
    /// - Parameter arguments: those of `daypass-agent trust recover`, without the program.
    public static func find(
        recovery arguments: [String], files: any HostFiles
    ) throws(AgentError) -> DeadManTimer? {
        guard try Reload.isSystemdRunning(files),
            let systemctl = Reload.systemProgram("systemctl", files),
            let systemdRun = Reload.systemProgram("systemd-run", files)
        else { return nil }
        var target = [CChar](repeating: 0, count: 4_096)
        let count = unsafe readlink("/proc/self/exe", &target, target.count)
        guard count > 0 else { throw .system("cannot tell this program's path from", "/proc/self/exe") }
        let program = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return DeadManTimer(
            systemctl: systemctl, systemdRun: systemdRun, command: [program] + arguments)
    }

    func arm(seconds: Int, _ programs: any ProgramRunner) throws(AgentError) {
        disarm(programs)
        let result = try programs.run(
            systemdRun,
            [
                "--quiet", "--collect", "--unit=\(Self.unit)", "--on-active=\(seconds)s",
                "--timer-property=AccuracySec=1s", "--",
            ] + command)
        guard result.succeeded else {
            throw AgentError(.program, "systemd-run cannot arm the dead-man timer: \(result.complaint)")
        }
    }

    /// Nothing is lost when this fails: what the timer starts finds nothing to do.
    func disarm(_ programs: any ProgramRunner) {
        _ = try? programs.run(systemctl, ["stop", "\(Self.unit).timer"])
    }
}
