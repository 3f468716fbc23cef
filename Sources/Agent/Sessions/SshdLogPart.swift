// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// The part of the agent that reads sshd's own messages: they tell of every login where PAM is off, and of refused
/// attempts everywhere.
public final class SshdLogPart: ServicePart {
    /// Where sshd's messages are.
    public enum Source: Sendable, Hashable {
        case journal(journalctl: String, arguments: [String])
        case file(String)
    }

    public let name = "sshd's log"
    private let source: Source
    private let layout: HostLayout
    private let files: any HostFiles
    private let boot: String
    private var journal: SshdLogJournal?
    private var follower: SshdLogFollower?
    private var reader: SshdLogReader
    /// Sessions that are open, by the process of sshd that holds them.
    private var sessions: [Int32: SshdLogState.Session] = [:]
    /// The sshd whose setting says whether a hook reports sessions; nil where none does.
    private let sshd: Sshd?
    /// True where the session hook reports sessions: the log adds what was refused then.
    private var hasHook = false
    /// What was read and returned.
    private var returned: SshdLogState?
    private var kept: SshdLogState?
    private var gaps = 0

    /// - Parameters:
    ///   - boot: the machine's boot ID.
    ///   - sshd: asked for `UsePAM`; without it, sessions are recorded from the log.
    ///   - userID: an account's number, from the name service.
    public init(
        source: Source, layout: HostLayout, boot: String, sshd: Sshd? = nil,
        files: any HostFiles = SystemFiles(),
        userID: @escaping @Sendable (String) -> UInt32? = SshdLogPart.userID
    ) throws(AgentError) {
        self.source = source
        self.layout = layout
        self.boot = boot
        self.sshd = sshd
        self.files = files
        reader = SshdLogReader(userID: userID)
        let content = try files.read(layout.logPosition, maximumBytes: SshdLogState.maximumBytes)
        // A state that cannot be read is none: the log is read from its end on.
        let state = content.flatMap { try? SshdLogState(parsing: $0.bytes) }
        kept = state
        // What was open before the machine started is over.
        for session in state?.sessions ?? [] where session.boot == boot {
            sessions[session.connection.pid] = session
        }
        reader.resume(sessions.values.map(\.connection).sorted { $0.pid < $1.pid })
        try open(state?.position)
        try? reload()
    }

    /// Asks sshd whether PAM is on. One that refuses its configuration runs with an older one, so nothing changes.
    public func reload() throws(AgentError) {
        guard let sshd else { return }
        hasHook = try sshd.settings(for: nil).says("usepam", "yes")
    }

    /// The number of an account of this host.
    @Sendable public static func userID(_ account: String) -> UInt32? {
        guard let entry = unsafe getpwnam(account) else { return nil }
        return unsafe entry.pointee.pw_uid
    }

    private func open(_ position: SshdLogPosition?) throws(AgentError) {
        switch source {
        case .journal(let journalctl, let arguments):
            journal = try SshdLogJournal(journalctl: journalctl, position: position, arguments: arguments)
        case .file(let path): follower = try SshdLogFollower(path: path, position: position)
        }
    }

    public var descriptors: [Int32] {
        let number = journal?.readiness ?? follower?.readiness ?? -1
        return number >= 0 ? [number] : []
    }

    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] {
        try read(at: moment)
    }

    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] { try read(at: moment) }

    private func read(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        let position: SshdLogPosition?
        var entries: [SshdLogEntry] = []
        if journal != nil {
            let before = journal?.position ?? nil
            if let read = try journal?.read() {
                entries = read
            } else {
                // journalctl ended: another one goes on at the next tick.
                journal = nil
                try open(before)
            }
            position = journal?.position ?? nil
        } else {
            entries = try follower?.read(now: moment.wall / 1_000_000_000) ?? []
            position = follower?.position
        }
        var events: [SessionEvent] = []
        for entry in entries { events += reader.read(entry).compactMap { record($0, at: moment) } }
        if let lost = follower?.gaps, lost > gaps {
            gaps = lost
            var warning = SessionEvent(.warning, via: .log, at: moment)
            warning.reason = "sshd's log was rotated away before its end was read: logins may be missing"
            events.append(warning)
        }
        if let position {
            returned = SshdLogState(
                position: position, sessions: sessions.values.sorted { $0.connection.pid < $1.connection.pid }
            )
        }
        return events
    }

    /// Writes down how far was read, so that a restart neither repeats nor loses.
    public func recorded() {
        guard let state = returned, state != kept else { return }
        let content = FileContent(
            state.encoded, FileAttributes(mode: 0o600, owner: geteuid(), group: getegid()))
        // What cannot be kept is read again after a restart, and recognised.
        guard (try? files.replace(layout.logPosition, content)) != nil else { return }
        kept = state
    }

    private func record(_ event: SshdLogEvent, at moment: Moment) -> SessionEvent? {
        let place = self.place(of: event, at: moment)
        guard var record = event.sessionEvent(at: place, trusted: trusted()) else { return nil }
        let pid = event.connection.pid
        switch event.kind {
        case .opened:
            let start = place.processStart
            // A process that has ended already has no start to tell; the entry's time names the session as well.
            let id = SessionID.make(boot: boot, pid: pid, processStart: start ?? record.time.nanoseconds)
            record.session = id
            record.processStart = start ?? 0
            sessions[pid] = SshdLogState.Session(
                connection: event.connection, session: id, processStart: start ?? 0, boot: boot)
        case .ended:
            let session = sessions.removeValue(forKey: pid)
            record.session = session?.session
            record.processStart = session?.processStart
        default: break
        }
        return hasHook && record.kind != .denied ? nil : record
    }

    /// When and where an entry was, by the clocks of now.
    private func place(of event: SshdLogEvent, at moment: Moment) -> SshdLogEvent.Place {
        let wall =
            event.time.nanoseconds(now: moment.wall / 1_000_000_000, zoneOffset: Self.zoneOffset())
            ?? moment.wall
        let ago = moment.wall > wall ? moment.wall - wall : 0
        let uptime = moment.boot > ago ? moment.boot - ago : 0
        var start = ProcessTable.process(event.connection.pid)?.start
        // A process that began after the entry only has its number. Ticks are a hundredth of a second.
        if let ticks = start,
            ticks.multipliedReportingOverflow(by: 10_000_000).partialValue > uptime + 2_000_000_000
        {
            start = nil
        }
        return SshdLogEvent.Place(
            time: RecordTime(nanoseconds: wall), uptimeMicroseconds: uptime / 1_000, boot: boot,
            processStart: start)
    }

    private func trusted() -> [String: String?] {
        guard let content = try? files.read(layout.userCAKeys),
            let keys = try? AuthorizedKeysFile(content.bytes)
        else {
            return [:]
        }
        var names: [String: String?] = [:]
        for (_, entry) in keys.entries {
            let comment = entry.comment.string
            names[entry.key.fingerprint] = .some(comment.isEmpty ? nil : comment)
        }
        return names
    }

    /// Seconds by which local time is ahead of UTC, now.
    private static func zoneOffset() -> Int {
        var now = time(nil)
        var local = unsafe tm()
        guard unsafe localtime_r(&now, &local) != nil else { return 0 }
        return unsafe local.tm_gmtoff
    }
}
