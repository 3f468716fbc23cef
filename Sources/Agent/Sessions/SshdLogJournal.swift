// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// Follows the journal by a `journalctl -f -o json` of its own: no library of systemd's is needed, and its format is
/// a stable one.
public struct SshdLogJournal: ~Copyable {
    private let program: RunningProgram
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
        program = try RunningProgram(journalctl, vector)
    }

    /// Becomes readable when an entry came or journalctl has ended: for poll(2).
    public var readiness: Int32 { program.output.number }

    /// The journal's cursor. Keep it once what was read is durable: what is read after that comes again.
    public var position: SshdLogPosition? { cursor.map { .cursor($0) } }

    /// What one reading takes, in bytes.
    private static let chunkBytes = 256 << 10

    /// Reads what has come.
    ///
    /// - Returns: nil when journalctl has ended: a new follower goes on at `position`.
    public mutating func read() throws(AgentError) -> [SshdLogEntry]? {
        var chunk = [UInt8](repeating: 0, count: Self.chunkBytes)
        let count = unsafe Glibc.read(program.output.number, &chunk, chunk.count)
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
}
