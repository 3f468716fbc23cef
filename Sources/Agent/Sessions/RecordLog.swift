// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// The host's session records: files of lines, each chained to the one before, each durable before anybody is told.
///
/// There is one writer, who holds a lock for as long as this lives.
public final class RecordLog {
    public let files: RecordFiles
    public let host: String
    public let limits: RecordLimits
    private let io: RecordIO
    private let lock: Descriptor
    private let folder: Descriptor

    // What the last durable record left behind.
    private(set) var nextSequence: UInt64
    private(set) var previous: String
    private var file: Descriptor
    private var size: Int64
    private var firstSequence: UInt64
    private var began: RecordTime
    /// What is written behind `size` and does not count could not be taken away.
    private var isTorn = false
    /// The current file is new, and does not say yet who is logged in: an agent was killed while it began one.
    private var lacksBeginning: Bool
    /// Why a full file could not be closed; it grows on meanwhile.
    public private(set) var rotationProblem: AgentError?

    /// Opens the records of a host, or begins them, and puts a torn end aside.
    ///
    /// - Parameters:
    ///   - folder: root's own, mode 0700; made where it is missing.
    ///   - read: gets each record of the two newest files, in order; the newest names every session that was open when
    ///     it began.
    /// - Returns: also what was found wrong, as events to append first.
    /// - Throws: `.busy` when another process has the records open, `.unsafeFile`, `.file`, `.full`.
    public static func open(
        folder path: String, host: String, limits: RecordLimits = RecordLimits(), io: RecordIO = RecordIO(),
        at moment: Moment, read: (SessionRecord) -> Void
    ) throws(AgentError) -> (log: RecordLog, found: [SessionEvent]) {
        try makeFolder(path)
        let files = RecordFiles(folder: path)
        let folder = try openFolder(path)
        let lock = try takeLock(folder.number, files)
        var start = RecordStart(files: files, moment: moment)
        try start.load(folder: folder.number, io: io, read: read)
        let state = start.state ?? RecordStart.State(sequence: 0, hash: SessionRecord.genesis(host: host))
        let file = try openCurrent(folder.number, files)
        let log = RecordLog(
            files, host, limits, io, lock, folder, file, state, size: start.currentBytes,
            firstSequence: start.firstSequence ?? state.sequence + 1, began: start.began ?? moment.time)
        return (log, start.found)
    }

    private init(
        _ files: RecordFiles, _ host: String, _ limits: RecordLimits, _ io: RecordIO,
        _ lock: consuming Descriptor, _ folder: consuming Descriptor, _ file: consuming Descriptor,
        _ state: RecordStart.State, size: Int64, firstSequence: UInt64, began: RecordTime
    ) {
        self.files = files
        self.host = host
        self.limits = limits
        self.io = io
        self.lock = lock
        self.folder = folder
        self.file = file
        self.size = size
        self.firstSequence = firstSequence
        self.began = began
        nextSequence = state.sequence + 1
        previous = state.hash
        lacksBeginning = size == 0 && state.sequence > 0
    }

    /// Appends events as records, all or none, and returns when they are durable.
    ///
    /// - Parameter carried: the sessions that are open, which a new file begins with.
    /// - Throws: `.full` or `.file`; nothing of it counts then, and it may be tried again.
    @discardableResult
    public func append(_ events: [SessionEvent], at moment: Moment, carried: () -> [SessionEvent])
        throws(AgentError) -> [SessionRecord]
    {
        guard !events.isEmpty else { return [] }
        if isTorn { try takeBack() }
        if isFull(at: moment) {
            do throws(AgentError) {
                try rotate(at: moment, carried: carried())
                rotationProblem = nil
            } catch {
                rotationProblem = error
            }
        }
        let beginning = lacksBeginning ? self.beginning(nil, carried: carried(), at: moment) : []
        let batch = makeBatch(beginning + events)
        try write(batch.bytes)
        lacksBeginning = false
        (nextSequence, previous) = (batch.nextSequence, batch.previous)
        return batch.records
    }

    /// What a file says first when it is not a host's first one.
    private func beginning(_ name: String?, carried: [SessionEvent], at moment: Moment) -> [SessionEvent] {
        var first = SessionEvent(.rotated, via: .agent, at: moment)
        first.file = name
        first.count = UInt64(carried.count)
        return [first] + carried
    }

    /// Lines for events, chained to the last record.
    private struct Batch {
        var records: [SessionRecord] = []
        var bytes: [UInt8] = []
        var nextSequence: UInt64
        var previous: String
    }

    private func makeBatch(_ events: [SessionEvent]) -> Batch {
        var batch = Batch(nextSequence: nextSequence, previous: previous)
        for event in events {
            let record = SessionRecord(
                sequence: batch.nextSequence, previous: batch.previous, host: host, event: event)
            let line = record.line
            batch.previous = SessionRecord.hash(line)
            // One record a nanosecond would take 292 years.
            batch.nextSequence += 1
            batch.bytes += line
            batch.bytes.append(UInt8(ascii: "\n"))
            batch.records.append(record)
        }
        return batch
    }

    private func write(_ bytes: [UInt8]) throws(AgentError) {
        do throws(AgentError) {
            try Self.writeDurably(bytes, to: file.number, files.path(RecordFiles.current), io)
            size += Int64(bytes.count)
        } catch {
            isTorn = true
            try? takeBack()
            throw error
        }
    }

    /// Takes away what a write that failed left behind the last good record.
    private func takeBack() throws(AgentError) {
        guard io.truncate(file.number, size) == 0, io.sync(file.number) == 0 else {
            throw .system("cannot take a torn line away from", files.path(RecordFiles.current))
        }
        isTorn = false
    }

    static func writeDurably(_ bytes: [UInt8], to number: Int32, _ path: String, _ io: RecordIO)
        throws(AgentError)
    {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = io.write(number, rest)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw .system("cannot write", path)
            }
        }
        guard io.sync(number) == 0 else { throw .system("cannot sync", path) }
    }

    // MARK: Files that are full

    private func isFull(at moment: Moment) -> Bool {
        guard size > 0 else { return false }
        let age = moment.wall > began.nanoseconds ? (moment.wall - began.nanoseconds) / 1_000_000_000 : 0
        return size >= limits.fileBytes || age >= limits.fileSeconds
    }

    /// Begins a new file. It is complete, with all that it must say first, before it gets its name.
    private func rotate(at moment: Moment, carried: [SessionEvent]) throws(AgentError) {
        let name = RecordFiles.name(firstSequence: firstSequence)
        let doomed = try filesToRemove(beside: name)
        let batch = makeBatch(
            beginning(name, carried: carried, at: moment) + doomed.map { removal($0, at: moment) })

        unsafe unlinkat(folder.number, RecordFiles.staged, 0)
        let number = unsafe openat(
            folder.number, RecordFiles.staged,
            O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .system("cannot create", files.path(RecordFiles.staged)) }
        let next = Descriptor(owning: number)
        do throws(AgentError) {
            try Self.writeDurably(batch.bytes, to: number, files.path(RecordFiles.staged), io)
            try move(RecordFiles.current, to: name)
            do throws(AgentError) {
                try move(RecordFiles.staged, to: RecordFiles.current)
            } catch {
                try? move(name, to: RecordFiles.current)
                throw error
            }
        } catch {
            unsafe unlinkat(folder.number, RecordFiles.staged, 0)
            throw error
        }
        file = next
        size = Int64(batch.bytes.count)
        (firstSequence, began) = (nextSequence, moment.time)
        (nextSequence, previous) = (batch.nextSequence, batch.previous)
        // The records that they go stand in the new file; a file that stays goes with the next one.
        guard fsync(folder.number) == 0 else { return }
        for file in doomed {
            // The oldest first, and none behind one that stays: no hole in the chain.
            guard unsafe unlinkat(folder.number, file.name, 0) == 0 || errno == ENOENT else { return }
        }
    }

    private func move(_ from: String, to name: String) throws(AgentError) {
        guard unsafe renameat(folder.number, from, folder.number, name) == 0 else {
            throw .system("cannot rename", files.path(from))
        }
    }

    /// A file that goes, and what the one after it says about its end.
    private struct Doomed {
        let name: String
        let lastSequence: UInt64?
        let lastHash: String?
    }

    /// The oldest files that the limits have no room for.
    private func filesToRemove(beside newest: String) throws(AgentError) -> [Doomed] {
        let full = try files.names().full
        var kept: (files: Int, bytes: Int64) = (1, size)
        var doomed: [Doomed] = []
        for (index, name) in full.enumerated().reversed() {
            var status = stat()
            guard unsafe fstatat(folder.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            kept.files += 1
            kept.bytes += Int64(status.st_size)
            guard kept.files > limits.keptFiles || kept.bytes > limits.keptBytes else { continue }
            // The file after it says how it ended, which is what a reader must be able to compare.
            let link = try firstLink(of: index + 1 < full.count ? full[index + 1] : RecordFiles.current)
            doomed.insert(
                Doomed(
                    name: name, lastSequence: link.map { $0.sequence > 0 ? $0.sequence - 1 : 0 },
                    lastHash: link?.previous), at: 0)
        }
        return doomed
    }

    private func firstLink(of name: String) throws(AgentError) -> RecordLink? {
        guard var lines = try files.open(name), let line = try lines.next() else { return nil }
        return RecordLink(line.bytes)
    }

    private func removal(_ file: Doomed, at moment: Moment) -> SessionEvent {
        var event = SessionEvent(.removed, via: .agent, at: moment)
        event.file = file.name
        event.lastSequence = file.lastSequence
        event.sha256 = file.lastHash
        return event
    }
}
