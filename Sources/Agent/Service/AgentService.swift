// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import ControlProtocol
import Glibc
import SSHWire

/// The agent at work: one loop that takes reports, makes them durable, and then answers.
///
/// There are no threads: a report is taken, turned into records, written and synced, and only then is its sender told.
/// Reports that came while the disk was busy share the next write.
public final class AgentService {
    /// What the service is told.
    public struct Settings: Sendable {
        public var layout: HostLayout
        /// The host's name in its records.
        public var host: String
        public var limits = RecordLimits()
        public var io = RecordIO()
        /// sshd's program, where the processes of another one on the same machine are none of ours.
        public var sshdBinary: String?

        public init(layout: HostLayout, host: String) {
            self.layout = layout
            self.host = host
        }
    }

    /// Connections that are open at once; more wait in the kernel's queue.
    static let maximumConnections = 256
    /// Seconds that a connection may take to send its packet: the hook sends it at once.
    static let connectionSeconds: UInt64 = 2
    /// Seconds between two looks at the list of processes.
    static let processTableSeconds: UInt64 = 5
    /// Events that wait in memory while the disk is full; what comes then stays in the spool.
    static let maximumPending = 4_096
    /// Sessions whose end is watched by the kernel; each takes a descriptor. The others are looked at every few seconds.
    static let maximumWatched = 8_192

    let settings: Settings
    let parts: [any ServicePart]
    let say: (String) -> Void
    let files = SystemFiles()
    var tracker: SessionTracker
    let log: RecordLog
    let socket: ReportSocket
    let spool: SpoolFolder
    let signals: Descriptor
    let notifier = ServiceNotifier()
    var authorities = TrustedAuthorities.none

    /// Events that are not durable yet, in their order.
    var pending: [SessionEvent] = []
    /// Who is told when they are.
    var waiting: [ReportSocket.Connection] = []
    /// Reports in the spool that go when they are.
    var spooled: [String] = []
    /// Files of the spool that are recorded and could not be removed.
    var stuck: Set<String> = []
    var connections: [(connection: ReportSocket.Connection, since: Moment)] = []
    var kills: [(connection: ReportSocket.Connection, kill: SessionKill)] = []
    /// The processes of open sessions: readable when they end.
    var watched: [String: Int32] = [:]
    /// Why records cannot be written at the moment.
    var trouble: AgentError?
    /// What parts and rotation last complained about, so that it is said once.
    var complaints: [String: String] = [:]
    /// Where a packet is received. Its pages are the kernel's until a report touches them, and most touch one: an array
    /// of zeros would take all of them from the start.
    var buffer = unsafe [UInt8](unsafeUninitializedCapacity: SessionReport.maximumBytes) {
        $1 = $0.count
    }
    var isStopping = false

    /// Opens everything that the service needs. Nothing is recorded yet.
    ///
    /// - Parameters:
    ///   - parts: what else it does.
    ///   - say: takes a line about what is going on.
    ///   - beforeStart: what must be done before anything else.
    /// - Throws: `.busy` when another agent runs.
    public init(
        _ settings: Settings, parts: [any ServicePart] = [], say: @escaping (String) -> Void,
        beforeStart: () throws(AgentError) -> Void = { () throws(AgentError) in }
    ) throws(AgentError) {
        self.settings = settings
        self.parts = parts
        self.say = say
        let number = daypass_signal_descriptor()
        guard number >= 0 else { throw .system("cannot wait for", "signals") }
        signals = Descriptor(owning: number)
        try beforeStart()
        let layout = settings.layout
        for folder in [layout.state, layout.runtime] { try RecordLog.makeFolder(folder) }
        let moment = Moment.now
        var tracker = SessionTracker(boot: ProcessTable.bootID())
        let opened = try RecordLog.open(
            folder: layout.sessions, host: settings.host, limits: settings.limits, io: settings.io, at: moment
        ) { tracker.restore($0) }
        log = opened.log
        self.tracker = tracker
        pending = opened.found + [SessionEvent(.agentStart, via: .agent, at: moment)]
        spool = try SpoolFolder(path: layout.spool)
        socket = try ReportSocket(path: layout.sessionSocket)
        raiseDescriptorLimit()
    }

    /// Works until it is told to stop (SIGTERM, SIGINT).
    public func run() throws(AgentError) {
        try start()
        var tick = Moment.now
        var lastLook = tick
        while !isStopping {
            let ready = wait(since: tick)
            let now = Moment.now
            takeSignals(at: now)
            acceptConnections(ready, at: now)
            takePackets(ready, at: now)
            takeParts(ready, at: now)
            takeDueParts(at: now)
            takeEndedProcesses(ready, at: now)
            if spool.watchNumber >= 0, ready.contains(spool.watchNumber) {
                spool.emptyWatch()
                drainSpool()
            }
            stepKills(at: now)
            if now.seconds(since: tick) >= 1 {
                tick = now
                onSecond(at: now, look: now.seconds(since: lastLook) >= Self.processTableSeconds)
                if now.seconds(since: lastLook) >= Self.processTableSeconds { lastLook = now }
            }
            flush(at: now)
        }
        stop()
    }

    private func start() throws(AgentError) {
        reloadAuthorities()
        let now = Moment.now
        spool.removeStale(at: now)
        flush(at: now)
        drainSpool()
        tracker.look(at: now) { ProcessTable.process($0)?.start }
        for part in parts { ask(part) { () throws(AgentError) in try part.tick(at: now) } }
        flush(at: now)
        notifier.send("READY=1")
        say(
            "records of \(settings.host.escapedForTerminal) in \(settings.layout.sessions.escapedForTerminal)"
        )
        ResidentMemory.release()
    }

    private func stop() {
        notifier.send("STOPPING=1")
        // No new ones: hooks find no socket from here on, and use the spool.
        socket.close()
        let now = Moment.now
        for (connection, _) in connections { takePacket(connection, at: now) }
        connections = []
        while let connection = socket.accept() { takePacket(connection, at: now) }
        for (connection, _) in kills { connection.end(Self.answer(error: "the agent is told to stop")) }
        pending.append(SessionEvent(.agentStop, via: .agent, at: now))
        flush(at: now)
        for part in parts { part.stop(at: now) }
        for number in watched.values { close(number) }
    }

    /// Waits for something to do, at most until the next second.
    private func wait(since tick: Moment) -> Set<Int32> {
        var numbers: [Int32] = [signals.number]
        if connections.count < Self.maximumConnections, trouble == nil || pending.count < Self.maximumPending
        {
            numbers.append(socket.descriptor.number)
        }
        if spool.watchNumber >= 0 { numbers.append(spool.watchNumber) }
        numbers += connections.map(\.connection.number)
        numbers += parts.flatMap(\.descriptors)
        numbers += watched.values
        let writing = parts.flatMap(\.writing)
        var polled = numbers.map { number in
            pollfd(
                fd: number, events: Int16(writing.contains(number) ? POLLIN | POLLOUT : POLLIN), revents: 0)
        }
        let now = Moment.now.boot
        let elapsed = now.subtractingReportingOverflow(tick.boot).partialValue / 1_000_000
        var rest = kills.isEmpty ? 1_000 - Int32(clamping: min(elapsed, 1_000)) : 100
        // Rounded up: whoever wakes before the time would wake again and again.
        if let due = parts.compactMap(\.dueAt).min() {
            rest = min(rest, due > now ? Int32(clamping: (due - now - 1) / 1_000_000 + 1) : 0)
        }
        guard unsafe poll(&polled, nfds_t(polled.count), max(rest, 0)) > 0 else { return [] }
        return Set(polled.filter { $0.revents != 0 }.map(\.fd))
    }

    private func takeSignals(at now: Moment) {
        while true {
            switch daypass_next_signal(signals.number) {
            case 0: return
            case SIGHUP:
                reloadAuthorities()
                for part in parts {
                    ask(part) { () throws(AgentError) in
                        try part.reload()
                        return []
                    }
                }
            default: isStopping = true
            }
        }
    }

    /// What is to be done about every second.
    private func onSecond(at now: Moment, look: Bool) {
        reloadAuthorities()
        drainSpool()
        for part in parts { ask(part) { () throws(AgentError) in try part.tick(at: now) } }
        if look {
            tracker.look(at: now) { ProcessTable.process($0)?.start }
            pending += tracker.compare(SshdProcess.all(binary: settings.sshdBinary), at: now)
        }
        pending += tracker.missedCloses(at: now)
        watchProcesses()
        notifier.send("WATCHDOG=1")
    }

    /// The list of CAs may change at any time; it is small, and read anew rather than watched.
    func reloadAuthorities() {
        do throws(AgentError) {
            authorities = try TrustedAuthorities(path: settings.layout.userCAKeys, files: files)
            complaints["authorities"] = nil
        } catch {
            complain("authorities", error.reason)
        }
    }

    func complain(_ subject: String, _ reason: String) {
        guard complaints.updateValue(reason, forKey: subject) != reason else { return }
        say("warning: \(reason)")
    }

    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(Self.maximumWatched + 4 * Self.maximumConnections))
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
