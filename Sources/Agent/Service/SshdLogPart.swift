// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// Records what only sshd's own messages tell: every login where PAM is off, and refused attempts everywhere.
public final class SshdLogPart: ServicePart {
    /// Where sshd's messages are.
    public enum Source: Sendable, Hashable {
        case journal(journalctl: String)
        case file(String)
    }

    private enum Follower {
        case journal(Shared<SshdLogJournal>)
        case file(Shared<SshdLogFollower>)
    }

    /// A reference to something that cannot be copied, so that it can be changed where it is.
    private final class Shared<Value: ~Copyable> {
        var value: Value
        init(_ value: consuming Value) { self.value = value }
    }

    public let name = "sshd's log"
    private let source: Source
    private let layout: HostLayout
    private let sshd: Sshd
    private let files: any HostFiles
    private let boot = ProcessTable.bootID()
    private var follower: Follower
    private var reader = SshdLogReader(userID: SshdLogPart.userID)
    private var trusted: [String: String?] = [:]
    /// True where the session hook tells of logins: the log then adds what was refused.
    private var hasHook = true
    /// When the processes of open connections began.
    private var starts: [Int32: UInt64] = [:]
    /// What is read but not known to be durable.
    private var kept: SshdLogPosition?

    /// Goes on where the last agent stopped reading.
    public init(
        _ source: Source, layout: HostLayout, sshd: Sshd, files: any HostFiles = SystemFiles()
    ) throws(AgentError) {
        self.source = source
        self.layout = layout
        self.sshd = sshd
        self.files = files
        let stored = try files.read(layout.logPosition)?.bytes
        // What is no position is none: the log's end is where to begin then.
        kept = stored.flatMap { try? SshdLogPosition(parsing: $0) }
        follower = try Self.open(source, kept)
        readSettings()
    }

    private static func open(_ source: Source, _ position: SshdLogPosition?) throws(AgentError) -> Follower {
        switch source {
        case .journal(let path): .journal(Shared(try SshdLogJournal(journalctl: path, position: position)))
        case .file(let path): .file(Shared(try SshdLogFollower(path: path, position: position)))
        }
    }

    public var descriptors: [Int32] {
        let number =
            switch follower {
            case .journal(let journal): journal.value.readiness
            case .file(let file): file.value.readiness
            }
        return number >= 0 ? [number] : []
    }

    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] {
        try read(at: moment)
    }

    /// Not every file system tells when a file grows.
    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] { try read(at: moment) }

    public func reload() throws(AgentError) { readSettings() }

    /// Keeps how far the log was read, so that a restart neither repeats nor loses.
    public func recorded() {
        guard let position, position != kept else { return }
        let content = FileContent(
            position.encoded, FileAttributes(mode: 0o600, owner: geteuid(), group: getegid()))
        // What cannot be kept is read again after a restart, and recognised.
        if (try? files.replace(layout.logPosition, content)) != nil { kept = position }
    }

    private var position: SshdLogPosition? {
        switch follower {
        case .journal(let journal): journal.value.position
        case .file(let file): file.value.position
        }
    }

    private func readSettings() {
        // An sshd that refuses its configuration is news for somebody else; what it ran with before, PAM as a rule,
        // goes on.
        if let settings = try? sshd.settings(for: nil) { hasHook = settings.says("usepam", "yes") }
        if let authorities = try? TrustedAuthorities(path: layout.userCAKeys, files: files) {
            trusted = authorities.namesByFingerprint
        }
    }

    private func read(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        var entries: [SshdLogEntry] = []
        switch follower {
        case .file(let file): entries = try file.value.read(now: moment.wall / 1_000_000_000)
        case .journal(let journal):
            if let read = try journal.value.read() {
                entries = read
            } else {
                // journalctl has ended: a new one goes on behind its last entry.
                follower = try Self.open(source, journal.value.position)
            }
        }
        return entries.flatMap { reader.read($0) }.compactMap { event($0, at: moment) }
    }

    private func event(_ event: SshdLogEvent, at moment: Moment) -> SessionEvent? {
        let pid = event.connection.pid
        switch event.kind {
        case .opened: starts[pid] = ProcessTable.process(pid)?.start
        case .ended, .refused: break
        case .sessionStarted: return nil
        }
        let place = SshdLogEvent.Place(
            time: moment.time, uptimeMicroseconds: moment.boot / 1_000, boot: boot, processStart: starts[pid])
        if case .ended = event.kind { starts[pid] = nil }
        guard let record = event.sessionEvent(at: place, trusted: trusted) else { return nil }
        return hasHook && record.kind != .denied ? nil : record
    }

    private static let userID: @Sendable (String) -> UInt32? = { name in
        guard let entry = unsafe getpwnam(name) else { return nil }
        return unsafe entry.pointee.pw_uid
    }
}
