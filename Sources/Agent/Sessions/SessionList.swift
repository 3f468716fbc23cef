// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol

/// One session as its records tell it.
public struct SessionSummary: Sendable, Hashable {
    /// What is known about whether it goes on.
    public enum State: String, Sendable {
        case live
        case closed
        /// It ended, and nobody said when.
        case missed
        /// The records say that it is open, but its process is gone; no agent has recorded that yet.
        case gone
    }

    public let id: String
    /// Its `open` or `carried` record's event, or what else there is of it.
    public var event: SessionEvent
    public var state: State
    /// Its end: `close` or `missed-close`.
    public var end: SessionEvent?
}

/// Sessions out of records.
public struct SessionList: Sendable {
    /// The most sessions that are shown at once; as many are kept as twice the default limits hold.
    public static let maximumCount = 500_000

    public private(set) var sessions: [SessionSummary] = []
    /// Lines that are no records of this version.
    public private(set) var unreadable = 0
    private var places: [String: Int] = [:]

    /// Reads the sessions that were open at `since` or later, in the order in which they began.
    ///
    /// - Parameter isRunning: whether a session's process runs; asked for those that have no end.
    public init(_ files: RecordFiles, since: RecordTime, isRunning: (SessionEvent) -> Bool) throws(AgentError)
    {
        let names = try files.names()
        // Each file names all sessions that were open when it began, so those before the first that matters don't.
        var chosen: [String] = []
        for name in (names.full + (names.current.map { [$0] } ?? [])).reversed() {
            chosen.append(name)
            if let first = try files.firstEvent(name), first.time <= since { break }
        }
        for name in chosen.reversed() {
            try files.forEachRecord(name) { record in
                if let record { take(record.event) } else { unreadable += 1 }
            }
        }
        sessions = sessions.filter { ($0.end?.time ?? since) >= since || $0.event.time >= since }
        for index in sessions.indices
        where sessions[index].state == .live && !isRunning(sessions[index].event) {
            sessions[index].state = .gone
        }
    }

    private mutating func take(_ event: SessionEvent) {
        guard let id = event.session else { return }
        switch event.kind {
        case .open, .carried:
            if let index = places[id] {
                // A fuller word about the same session, or a late one; a carried one says nothing new.
                if event.kind == .open { sessions[index].event = event }
            } else {
                add(SessionSummary(id: id, event: event, state: .live, end: nil))
            }
        case .close, .missedClose:
            let state = event.kind == .close ? SessionSummary.State.closed : .missed
            if let index = places[id] {
                (sessions[index].state, sessions[index].end) = (state, event)
            } else {
                add(SessionSummary(id: id, event: event, state: state, end: event))
            }
        default: break
        }
    }

    private mutating func add(_ session: SessionSummary) {
        guard sessions.count < Self.maximumCount else { return }
        places[session.id] = sessions.count
        sessions.append(session)
    }
}

extension RecordFiles {
    /// The first record of a file that can be read.
    func firstEvent(_ name: String) throws(AgentError) -> SessionEvent? {
        guard var lines = try open(name) else { return nil }
        while let line = try lines.next() {
            if let record = try? SessionRecord(parsing: line.bytes) { return record.event }
        }
        return nil
    }

    /// True when the process of a session runs on this machine.
    public static func isRunning(_ open: SessionEvent) -> Bool {
        guard let pid = open.pid, open.boot == ProcessTable.bootID() else { return false }
        return ProcessTable.process(pid)?.start == open.processStart
    }
}

/// Reads records as they are written, from one file into the next.
public struct RecordFollower: ~Copyable {
    private let files: RecordFiles
    private var lines: RecordLines?
    private var device: (UInt64, UInt64)?

    /// - Parameter fromStart: also what stands in the current file already.
    public init(_ files: RecordFiles, fromStart: Bool) throws(AgentError) {
        self.files = files
        lines = try files.open(RecordFiles.current)
        device = try Self.identity(lines)
        if !fromStart { while try next() != nil {} }
    }

    /// The next line; nil when there is none yet.
    public mutating func next() throws(AgentError) -> RecordLines.Line? {
        if let line = try lines?.next() { return line }
        // What is written to a file before it is full was seen above, or is now.
        var newer = try files.open(RecordFiles.current)
        let identity = try Self.identity(newer)
        guard let identity, device.map({ $0 != identity }) ?? true else { return nil }
        if let line = try lines?.next() { return line }
        lines = newer.take()
        device = identity
        return try lines?.next()
    }

    private static func identity(_ lines: borrowing RecordLines?) throws(AgentError) -> (UInt64, UInt64)? {
        switch lines {
        case .some(let lines): return try lines.file.identity("records")
        case .none: return nil
        }
    }
}
