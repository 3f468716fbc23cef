// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// A process of sshd that holds somebody's session, found in the list of processes.
public struct SshdProcess: Sendable, Hashable {
    public var pid: Int32
    public var start: UInt64
    /// As sshd's process title says.
    public var account: String
    /// `SSH_CONNECTION` of a process in it; nil where none has it.
    public var connection: String?

    public init(pid: Int32, start: UInt64, account: String, connection: String?) {
        self.pid = pid
        self.start = start
        self.account = account
        self.connection = connection
    }

    /// Finds all of them.
    ///
    /// Anybody can call a process what they like, so only root's processes of sshd's own program count. "sshd: NAME
    /// [priv]" is a monitor's title before somebody is let in too (monitor.c, `mm_answer_pwnamallow`): it holds a
    /// session when a child of it has the account's rights. Root's session has no monitor: its own process says
    /// "sshd: root@pts/1" (sshd.c, `privsep_postauth`).
    ///
    /// - Parameter binary: sshd's path, where only one of several counts; else every program of its names does.
    public static func all(binary: String?) -> [SshdProcess] {
        let processes = ProcessTable.all()
        let ours = processes.filter { isSshd($0.pid, binary) }
        let children = Dictionary(grouping: ours, by: \.parent)
        var found: [SshdProcess] = []
        for process in ours where ProcessTable.owner(process.pid) == 0 {
            guard let title = Title(of: process.pid) else { continue }
            switch title.mark {
            case "[priv]":
                guard (children[process.pid] ?? []).contains(where: { holdsSession($0.pid, title.name) }) else {
                    continue
                }
            case nil:
                guard title.terminal != nil, Title(of: process.parent)?.mark != "[priv]"
                else { continue }
            default: continue
            }
            let inside = ProcessTable.descendants(of: process.pid, in: processes)
            let connection = inside.lazy.compactMap { ProcessTable.variable("SSH_CONNECTION", of: $0.pid) }
                .first { SessionEvent.endpoints($0) != nil }
            found.append(
                SshdProcess(
                    pid: process.pid, start: process.start, account: title.name, connection: connection))
        }
        return found
    }

    private static func holdsSession(_ pid: Int32, _ account: String) -> Bool {
        guard let title = Title(of: pid), title.name == account, title.mark == nil else {
            return false
        }
        return account == "root" || ProcessTable.owner(pid) != 0
    }

    /// True for sshd's program and, since 9.8, that of its sessions.
    static func isSshd(_ pid: Int32, _ binary: String?) -> Bool {
        guard let path = ProcessTable.executable(pid) else { return false }
        if let binary { return path == binary }
        let name = path.split(separator: "/").last
        return name == "sshd" || name == "sshd-session"
    }

    /// A process title: "sshd: alice [priv]", "sshd: alice@pts/1", "sshd-session: alice@notty". It begins with the name
    /// by which the program was started.
    struct Title {
        let name: String
        let terminal: String?
        /// What stands in brackets at its end.
        let mark: String?

        init?(of pid: Int32) {
            guard let program = ProcessTable.executable(pid)?.split(separator: "/").last else { return nil }
            self.init(ProcessTable.title(pid), program: program)
        }

        init?(_ text: String, program: Substring) {
            guard text.hasPrefix("\(program): ") else { return nil }
            var rest = text.dropFirst(program.count + 2)
            if rest.last == "]", let open = rest.lastIndex(of: "["), open > rest.startIndex,
                rest[rest.index(before: open)] == " "
            {
                mark = String(rest[open...])
                rest = rest[..<rest.index(before: open)]
            } else {
                mark = nil
            }
            let parts = rest.split(separator: "@", maxSplits: 1)
            guard let first = parts.first, !first.contains(" "), !first.contains("/") else { return nil }
            name = String(first)
            terminal = parts.count > 1 ? String(parts[1]) : nil
        }
    }
}
