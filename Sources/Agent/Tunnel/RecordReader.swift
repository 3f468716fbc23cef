// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import SSHWire

/// Reads a host's session records in their order while they are written, across the files that they rotate through.
final class RecordReader {
    /// A record as its file has it.
    struct Line {
        let sequence: UInt64
        let bytes: [UInt8]
    }

    private let files: RecordFiles
    private var lines: Source?
    /// The number of the last record that was given out.
    private var last: UInt64 = 0
    /// A line that was read and not taken.
    private var pending: Line?

    private final class Source {
        var lines: RecordLines
        let node: (device: dev_t, number: ino_t)

        init?(_ files: RecordFiles, _ name: String) throws(AgentError) {
            guard let opened = try files.open(name) else { return nil }
            var status = stat()
            guard unsafe fstat(opened.file.number, &status) == 0 else {
                throw .system("cannot look at", files.path(name))
            }
            node = (status.st_dev, status.st_ino)
            lines = opened
        }
    }

    init(_ files: RecordFiles) { self.files = files }

    /// Goes behind a record.
    ///
    /// - Parameter hash: SHA-256 of that record's line.
    /// - Returns: false when the host does not have that very record any more, nor any later one.
    func seek(behind sequence: UInt64, hash: [UInt8]) throws(AgentError) -> Bool {
        try open(fromFileOf: sequence)
        last = sequence > 0 ? sequence - 1 : 0
        guard sequence > 0 else { return true }
        guard let found = try peek() else { return false }
        // Older records were removed, as the host's limits say: what is left comes behind them.
        guard found.sequence == sequence else { return found.sequence > sequence }
        pending = nil
        last = sequence
        return Digest.sha256(found.bytes) == hash
    }

    /// Goes to the first record that there is.
    func rewind() throws(AgentError) {
        try open(fromFileOf: 0)
        last = 0
    }

    /// The next record; nil where there is none yet.
    func next() throws(AgentError) -> Line? {
        guard let line = try peek() else { return nil }
        pending = nil
        last = line.sequence
        return line
    }

    /// The next record, which stays the next.
    func peek() throws(AgentError) -> Line? {
        while pending == nil {
            guard let lines else { return nil }
            if let line = try lines.lines.next() {
                // A line without a number is damage; what its place was, the gap in the numbers tells.
                guard !line.isTooLong, let sequence = Self.sequence(line.bytes), sequence > last else {
                    continue
                }
                pending = Line(sequence: sequence, bytes: line.bytes)
            } else {
                guard try goOnToNextFile() else { return nil }
            }
        }
        return pending
    }

    /// At the end of a file that was closed, the one after it.
    private func goOnToNextFile() throws(AgentError) -> Bool {
        var status = stat()
        let current = files.path(RecordFiles.current)
        guard let lines, unsafe lstat(current, &status) == 0 else { return false }
        guard (status.st_dev, status.st_ino) != lines.node else { return false }
        // It was given its name as a full file after its last line was written; what came meanwhile is read first.
        if let line = try lines.lines.next() {
            guard !line.isTooLong, let sequence = Self.sequence(line.bytes), sequence > last else {
                return true
            }
            pending = Line(sequence: sequence, bytes: line.bytes)
            return true
        }
        try open(fromFileOf: last + 1)
        return true
    }

    /// Opens the file that a record is in or, where it is not there, the one in which the next ones are.
    private func open(fromFileOf sequence: UInt64) throws(AgentError) {
        pending = nil
        let (full, current) = try files.names()
        // The names of full files sort as their first records do.
        let wanted = RecordFiles.name(firstSequence: sequence)
        let holder = full.last { $0 <= wanted } ?? full.first
        let newestFull = full.last
        lines = nil
        if let holder {
            lines = try Source(files, holder)
            // The newest full file may end before it: then the current one has it.
            if holder == newestFull, let lines, current != nil {
                let first = try firstSequence(RecordFiles.current)
                if let first, first <= sequence {
                    self.lines = try Source(files, RecordFiles.current)
                } else {
                    _ = lines
                }
            }
        } else if current != nil {
            lines = try Source(files, RecordFiles.current)
        }
    }

    private func firstSequence(_ name: String) throws(AgentError) -> UInt64? {
        guard let source = try Source(files, name), let line = try source.lines.next() else { return nil }
        return Self.sequence(line.bytes)
    }

    /// A record's number, without reading the rest: `{"version":1,"sequence":N,`.
    private static func sequence(_ line: [UInt8]) -> UInt64? {
        let head = Array(#"{"version":1,"sequence":"#.utf8)
        guard line.starts(with: head) else { return nil }
        let digits = line[head.count...].prefix { (0x30...0x39).contains($0) }
        guard digits.count <= 20 else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }
}
