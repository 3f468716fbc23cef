// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import ControlProtocol
import Glibc
import SSHWire

/// The processes of one session, and no others of its account.
///
/// They are sshd's monitor with everything below it, and what has left that tree: processes that carry the session's
/// audit number, that are in its systemd scope, or that its account started with its `SSH_CONNECTION` in their
/// environment. What marks them is looked up once, while the monitor is there.
struct SessionProcesses: Sendable {
    /// sshd's monitor.
    let monitor: Int32
    /// When it began: with its number it names the process.
    private let monitorStart: UInt64
    /// `SSH_CONNECTION` of the session; nil where it is not known.
    private let connection: String?
    /// The account's user IDs.
    private let owners: Set<UInt32>
    private let audit: UInt32?
    private let scope: String?
    /// Processes that are never ended: init, this agent.
    private let spared: Set<Int32> = [0, 1, getpid()]

    /// Nil for a session whose process is not known, or does not run any more.
    init?(_ open: SessionEvent) {
        guard let pid = open.pid, let start = open.processStart else { return nil }
        let all = ProcessTable.all()
        guard let monitor = all.first(where: { $0.pid == pid && $0.start == start }) else { return nil }
        self.monitor = pid
        monitorStart = start
        if let source = open.source, let destination = open.destination, let from = source.port,
            let to = destination.port
        {
            connection = "\(source.address) \(from) \(destination.address) \(to)"
        } else {
            connection = nil
        }
        let inside = ProcessTable.descendants(of: pid, in: all)
        owners =
            open.account == "root"
            ? [0] : Set(inside.compactMap { ProcessTable.owner($0.pid) }).subtracting([0])
        audit = Self.ownMark(monitor, all, ProcessTable.auditSession)
        scope = Self.ownMark(monitor, all, ProcessTable.sessionScope)
    }

    /// All that run now.
    func find() -> [ProcessFacts] {
        let all = ProcessTable.all().filter { !spared.contains($0.pid) }
        var found: [Int32: ProcessFacts] = [:]
        if let monitor = all.first(where: { $0.pid == monitor && $0.start == monitorStart }) {
            found[monitor.pid] = monitor
            for process in ProcessTable.descendants(of: monitor.pid, in: all) { found[process.pid] = process }
        }
        // Nothing of a session is older than its monitor.
        for process in all
        where process.start >= monitorStart && found[process.pid] == nil && isMarked(process) {
            found[process.pid] = process
        }
        return found.values.sorted { $0.pid < $1.pid }
    }

    private func isMarked(_ process: ProcessFacts) -> Bool {
        let pid = process.pid
        guard let owner = ProcessTable.owner(pid) else { return false }
        // Somebody else's connection, or an sshd that this session restarted: without it nobody gets in.
        if owner == 0, SshdProcess.isSshd(pid, nil) { return false }
        if let audit, ProcessTable.auditSession(pid) == audit { return true }
        if let scope, ProcessTable.sessionScope(pid) == scope { return true }
        guard let connection, owners.contains(owner) else { return false }
        return ProcessTable.variable("SSH_CONNECTION", of: pid)?.utf8.elementsEqual(connection.utf8) == true
    }

    /// What marks the session's processes, if it is the session's own: where PAM sets none, sshd's processes have the
    /// mark of whoever started sshd, and so has half of the machine.
    private static func ownMark<Mark: Equatable>(
        _ monitor: ProcessFacts, _ all: [ProcessFacts], _ read: (Int32) -> Mark?
    ) -> Mark? {
        guard let mark = read(monitor.pid), read(monitor.parent) != mark else { return nil }
        return all.contains { $0.start < monitor.start && read($0.pid) == mark } ? nil : mark
    }
}

/// A process that cannot be confused with another one that gets its number later.
struct ProcessHandle: ~Copyable {
    let facts: ProcessFacts
    private let descriptor: Descriptor

    /// Takes hold of a process; nil when it has ended meanwhile.
    init?(_ facts: ProcessFacts) {
        let number = daypass_pidfd_open(facts.pid)
        guard number >= 0 else { return nil }
        let descriptor = Descriptor(owning: number)
        // The number may have passed to another process before the descriptor was opened; not after.
        guard ProcessTable.process(facts.pid)?.start == facts.start else { return nil }
        self.facts = facts
        self.descriptor = descriptor
    }

    /// - Returns: false when it has ended already, or may not be signalled.
    @discardableResult
    func signal(_ number: Int32) -> Bool { daypass_pidfd_send_signal(descriptor.number, number) == 0 }
}
