// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SSHWire

/// Follows the journal by a `journalctl -f -o json` of its own: no library of systemd's is needed, and its format is
/// a stable one.
public struct SshdLogJournal: ~Copyable {
    private let pid: pid_t
    private let output: Descriptor
    private var pending: [UInt8] = []
    /// The cursor of the last entry, whatever it said.
    private var cursor: String?
    /// Entries that were no JSON, or too long.
    public private(set) var unreadable = 0

    /// Goes on behind `position`'s cursor, or at the journal's end without one.
    ///
    /// - Parameters:
    ///   - journalctl: the program, an absolute path.
    ///   - arguments: more arguments, such as `--file=…`.
    /// - Throws: `.program` when it cannot be started.
    public init(
        journalctl: String = "/usr/bin/journalctl", position: SshdLogPosition?, arguments: [String] = []
    )
        throws(AgentError)
    {
        // --all: a long field would be null otherwise. The fields that journald itself sets decide what is sshd's.
        var vector = ["--follow", "--output=json", "--all", "--quiet", "--no-pager"] + arguments
        if case .cursor(let cursor) = position {
            self.cursor = cursor
            vector.append("--after-cursor=\(cursor)")
        } else {
            vector.append("--lines=0")
        }
        let programs = SshdLogEntry.programs.sorted()
        vector += programs.map { "_COMM=\($0)" } + ["+"] + programs.map { "SYSLOG_IDENTIFIER=\($0)" }
        var ends: [Int32] = [-1, -1]
        guard unsafe daypass_pipe(&ends, O_CLOEXEC) == 0 else { throw .system("cannot make", "a pipe") }
        let reader = Descriptor(owning: ends[0])
        let writer = Descriptor(owning: ends[1])
        pid = try Self.spawn(journalctl, vector, output: writer.number)
        _ = fcntl(reader.number, F_SETFL, O_NONBLOCK)
        output = reader
    }

    deinit {
        kill(pid, SIGTERM)
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    /// Becomes readable when an entry came or journalctl has ended: for poll(2).
    public var readiness: Int32 { output.number }

    /// The journal's cursor. Keep it once what was read is durable: what is read after that comes again.
    public var position: SshdLogPosition? { cursor.map { .cursor($0) } }

    /// What one reading takes, in bytes.
    private static let chunkBytes = 256 << 10

    /// Reads what has come.
    ///
    /// - Returns: nil when journalctl has ended: a new follower goes on at `position`.
    public mutating func read() throws(AgentError) -> [SshdLogEntry]? {
        var chunk = [UInt8](repeating: 0, count: Self.chunkBytes)
        let count = unsafe Glibc.read(output.number, &chunk, chunk.count)
        if count == 0 { return nil }
        guard count > 0 else {
            if errno == EAGAIN || errno == EINTR { return [] }
            throw .system("cannot read from", "journalctl")
        }
        pending += chunk[..<count]
        var entries: [SshdLogEntry] = []
        var rest = pending[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            take(Array(rest[rest.startIndex..<end]), &entries)
            rest = rest[(end + 1)...]
        }
        pending = Array(rest)
        // A line without an end is kept up to the size of one that would be read.
        if pending.count > SshdLogEntry.maximumJournalBytes {
            pending = []
            unreadable += 1
        }
        return entries
    }

    private mutating func take(_ line: [UInt8], _ entries: inout [SshdLogEntry]) {
        do {
            guard let entry = try SshdLogEntry(journalLine: line) else { return }
            cursor = entry.origin
            entries.append(entry)
        } catch {
            unreadable += 1
        }
    }

    private static func spawn(_ path: String, _ arguments: [String], output: Int32) throws(AgentError)
        -> pid_t
    {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // A journalctl whose agent has died must die of its next line.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGPIPE, SIGHUP, SIGTERM, SIGINT] { unsafe sigaddset(&signals, number) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var environment: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("LC_ALL=C"), nil]
        var vector: [UnsafeMutablePointer<CChar>?] =
            unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        defer {
            for index in unsafe environment.indices { unsafe free(environment[index]) }
            for index in unsafe vector.indices { unsafe free(vector[index]) }
        }
        var pid: pid_t = 0
        let status = unsafe posix_spawn(&pid, path, &actions, &attributes, &vector, &environment)
        guard status == 0 else {
            throw AgentError(
                .program, "cannot start \(path.escapedForTerminal): \(describeSystemError(status))")
        }
        return pid
    }
}
