// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol

/// Who is logged in, and what of it has been recorded: turns what is reported and seen into events to record, each
/// once.
///
/// The hook may report the same thing twice (its socket's answer came too late, so it wrote a file as well), in any
/// order (the file of an open is found after the close came by socket), or never (sshd was killed).
public struct SessionTracker: Sendable {
    /// A session that is open.
    public struct Live: Sendable, Hashable {
        /// Its `open`.
        public let open: SessionEvent
        /// When its process was seen to have ended; its hook has some seconds from then.
        public internal(set) var ended: Moment?
        /// Its process was last known to run at this time.
        var seen: RecordTime
        /// Why somebody here ended it.
        var killed: String?
    }

    /// What has been recorded of a session that is over.
    private struct Over {
        var hasOpen: Bool
        var hasClose: Bool
    }

    /// Seconds between the end of a process and the record that its close was missed. The hook's own deadline is a
    /// fraction of a second, and its file is read within another.
    public static let closeGraceSeconds: UInt64 = 10
    /// Seconds that a process may hold a session before it is recorded without the hook's word.
    public static let openGraceSeconds: UInt64 = 15
    /// The sessions that are remembered when they are over: a report's second copy comes seconds after the first, and
    /// a spool holds as many at most (pam_daypass.c, `MAX_SPOOLED`).
    static let maximumOver = 131_072

    private let boot: String
    public private(set) var live: [String: Live] = [:]
    private var over: [String: Over] = [:]
    private var overOrder: [String] = []
    /// Processes of sshd that hold a session of which nobody has told, and since when.
    private var strangers: [String: Moment] = [:]
    private var lastRecord: RecordTime?

    /// - Parameter boot: the machine's boot ID.
    public init(boot: String) { self.boot = boot }

    /// What a new file of records begins with.
    public var carried: [SessionEvent] {
        live.values.map { session in
            var event = session.open
            event.kind = .carried
            return event
        }.sorted { ($0.time, $0.session ?? "") < ($1.time, $1.session ?? "") }
    }

    // MARK: At the agent's start

    /// Takes a record of an earlier run into account; they come in their order.
    public mutating func restore(_ record: SessionRecord) {
        let event = record.event
        lastRecord = event.time
        guard let id = event.session else {
            // All that was open then was seen to run then.
            if event.kind == .agentStop { for id in live.keys { live[id]?.seen = event.time } }
            return
        }
        switch event.kind {
        case .open, .carried:
            if let session = over[id] {
                over[id] = Over(hasOpen: true, hasClose: session.hasClose)
            } else {
                live[id] = Live(open: event, ended: nil, seen: event.time)
            }
        case .close: remember(id, Over(hasOpen: live.removeValue(forKey: id) != nil, hasClose: true))
        case .missedClose: remember(id, Over(hasOpen: live.removeValue(forKey: id) != nil, hasClose: false))
        case .kill: live[id]?.killed = event.reason
        default: break
        }
    }

    // MARK: While it runs

    /// Takes something that was reported.
    ///
    /// - Returns: what is to be recorded; nothing when that has been done.
    public mutating func take(_ event: SessionEvent) -> [SessionEvent] {
        guard let id = event.session else { return [event] }
        switch event.kind {
        case .open: return takeOpen(event, id)
        case .close: return takeClose(event, id)
        default: return [event]
        }
    }

    private mutating func takeOpen(_ event: SessionEvent, _ id: String) -> [SessionEvent] {
        strangers[id] = nil
        if var session = over[id] {
            guard !session.hasOpen else { return [] }
            session.hasOpen = true
            over[id] = session
            return [event]
        }
        if let session = live[id] {
            // The hook knows more than the list of processes or the log does; its word is recorded as well.
            guard session.open.via.isPartial, !event.via.isPartial else { return [] }
        }
        live[id] = Live(open: event, ended: nil, seen: event.time)
        return [event]
    }

    private mutating func takeClose(_ event: SessionEvent, _ id: String) -> [SessionEvent] {
        strangers[id] = nil
        if var session = over[id] {
            guard !session.hasClose else { return [] }
            session.hasClose = true
            over[id] = session
            return [event]
        }
        let session = live.removeValue(forKey: id)
        remember(id, Over(hasOpen: session != nil, hasClose: true))
        guard let session else { return [event] }
        return [Self.completed(event, by: session)]
    }

    /// A close with what only the open knows.
    private static func completed(_ close: SessionEvent, by session: Live) -> SessionEvent {
        var close = close
        let open = session.open
        if close.boot == open.boot, close.uptimeMicroseconds >= open.uptimeMicroseconds {
            close.durationMicroseconds = close.uptimeMicroseconds - open.uptimeMicroseconds
        }
        // sshd has forgotten some of it by then where it never knew it itself (its messages, without PAM).
        if close.account?.isEmpty ?? true { close.account = open.account }
        if close.methods.isEmpty { close.methods = open.methods }
        if close.source == nil { (close.source, close.destination) = (open.source, open.destination) }
        if let killed = session.killed { close.reason = "ended by an administrator: \(killed)" }
        return close
    }

    /// Somebody here is about to end a session.
    public mutating func willKill(_ id: String, reason: String) { live[id]?.killed = reason }

    /// A session's process has ended.
    public mutating func processEnded(_ id: String, at moment: Moment) {
        guard live[id]?.ended == nil else { return }
        live[id]?.ended = moment
    }

    /// Looks at the processes of the open sessions.
    ///
    /// - Parameter start: when a process began; nil when it doesn't run.
    public mutating func look(at moment: Moment, start: (Int32) -> UInt64?) {
        for (id, session) in live where session.ended == nil {
            let open = session.open
            if open.boot == boot, let pid = open.pid, start(pid) == open.processStart {
                live[id]?.seen = moment.time
            } else {
                live[id]?.ended = moment
            }
        }
    }

    /// Records as missed what ended longer ago than a hook needs to tell.
    public mutating func missedCloses(at moment: Moment) -> [SessionEvent] {
        var events: [SessionEvent] = []
        for (id, session) in live {
            guard let ended = session.ended else { continue }
            // What was open before the machine started has no hook left to wait for.
            guard session.open.boot != boot || moment.seconds(since: ended) >= Self.closeGraceSeconds else {
                continue
            }
            live[id] = nil
            remember(id, Over(hasOpen: true, hasClose: false))
            events.append(missedClose(session, ended, at: moment))
        }
        return events.sorted {
            ($0.notAfter ?? $0.time, $0.session ?? "") < ($1.notAfter ?? $1.time, $1.session ?? "")
        }
    }

    private func missedClose(_ session: Live, _ ended: Moment, at moment: Moment) -> SessionEvent {
        var event = session.open
        let open = session.open
        event.kind = .missedClose
        event.via = .agent
        event.time = moment.time
        event.uptimeMicroseconds = moment.boot / 1_000
        event.notBefore = max(session.seen, open.time)
        event.notAfter = ended.time
        if open.boot == boot {
            event.reason =
                session.killed.map { "ended by an administrator: \($0)" }
                ?? "its process of sshd has ended, and the session hook did not say so"
            let upper = ended.boot / 1_000
            if upper >= open.uptimeMicroseconds {
                event.durationMicroseconds = upper - open.uptimeMicroseconds
            }
        } else {
            event.reason = "the machine was restarted"
            // It ended before this boot began.
            if ended.wall > ended.boot { event.notAfter = RecordTime(nanoseconds: ended.wall - ended.boot) }
        }
        // A wall clock that was set back would turn the range around.
        if let notBefore = event.notBefore, let notAfter = event.notAfter, notBefore > notAfter {
            event.notBefore = nil
        }
        return event
    }

    /// Compares the open sessions with the processes of sshd that hold one, and records what nobody told.
    public mutating func compare(_ processes: [SshdProcess], at moment: Moment) -> [SessionEvent] {
        var events: [SessionEvent] = []
        var unknown: [String: Moment] = [:]
        for process in processes {
            let id = SessionID.make(boot: boot, pid: process.pid, processStart: process.start)
            guard live[id] == nil, over[id] == nil else { continue }
            let since = strangers[id] ?? moment
            guard moment.seconds(since: since) >= Self.openGraceSeconds else {
                unknown[id] = since
                continue
            }
            var event = SessionEvent(.open, via: .processTable, at: moment)
            event.session = id
            event.account = process.account
            event.pid = process.pid
            event.processStart = process.start
            event.boot = boot
            (event.source, event.destination) =
                process.connection.flatMap(SessionEvent.endpoints) ?? (nil, nil)
            event.reason = "a session that the hook did not report; it began earlier than this record says"
            live[id] = Live(open: event, ended: nil, seen: event.time)
            events.append(event)
        }
        strangers = unknown
        return events
    }

    private mutating func remember(_ id: String, _ session: Over) {
        if over.updateValue(session, forKey: id) == nil { overOrder.append(id) }
        guard overOrder.count > Self.maximumOver else { return }
        // The older half at once: taking them one by one would move the rest each time.
        for id in overOrder.prefix(Self.maximumOver / 2) { over[id] = nil }
        overOrder.removeFirst(Self.maximumOver / 2)
    }
}

extension SessionEvent.Via {
    /// Sources that do not know everything that the session hook does.
    var isPartial: Bool { self == .processTable || self == .log }
}
