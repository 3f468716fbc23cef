// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import SSHWire

/// What is found of earlier records when the agent starts.
struct RecordStart {
    /// The last record's place in the chain.
    struct State {
        var sequence: UInt64
        /// SHA-256 of its line.
        var hash: String
    }

    let files: RecordFiles
    let moment: Moment
    private(set) var state: State?
    /// The current file up to its last record.
    private(set) var currentBytes: Int64 = 0
    private(set) var firstSequence: UInt64?
    private(set) var began: RecordTime?
    /// What was found wrong.
    private(set) var found: [SessionEvent] = []

    init(files: RecordFiles, moment: Moment) {
        self.files = files
        self.moment = moment
    }

    /// Reads the newest full file and the current one, and puts a torn end of the latter aside.
    mutating func load(folder: Int32, io: RecordIO, read: (SessionRecord) -> Void) throws(AgentError) {
        // An agent that was killed while it began a new file; nothing refers to it.
        unsafe unlinkat(folder, RecordFiles.staged, 0)
        let names = try files.names()
        if let newest = names.full.last { _ = try readFile(newest, isCurrent: false, read) }
        guard names.current != nil else { return }
        let end = try readFile(RecordFiles.current, isCurrent: true, read)
        if end > currentBytes { try putAside(folder: folder, upTo: end, io: io) }
    }

    /// - Returns: the file's size, which is more than `currentBytes` where its end is no record.
    private mutating func readFile(_ name: String, isCurrent: Bool, _ read: (SessionRecord) -> Void)
        throws(AgentError) -> Int64
    {
        guard var lines = try files.open(name) else { return 0 }
        var damage: UInt64?
        var number: UInt64 = 0
        var unreadable = 0
        while let line = try lines.next() {
            number += 1
            guard !line.isTooLong, let link = RecordLink(line.bytes) else {
                unreadable += 1
                continue
            }
            if unreadable > 0 { damage = damage ?? number }
            unreadable = 0
            if let state {
                let isNext =
                    link.sequence == state.sequence + 1
                    && link.previous.utf8.elementsEqual(state.hash.utf8)
                if !isNext { damage = damage ?? number }
            }
            // Whatever somebody did to the records, numbers do not repeat.
            state = State(
                sequence: max(link.sequence, state?.sequence ?? 0), hash: SessionRecord.hash(line.bytes))
            if isCurrent {
                currentBytes = lines.offset
                firstSequence = firstSequence ?? link.sequence
            }
            if let record = try? SessionRecord(link.json) {
                if isCurrent { began = began ?? record.event.time }
                read(record)
            }
        }
        if let damage {
            var event = SessionEvent(.warning, via: .agent, at: moment)
            event.reason = "records were changed or are missing: see daypass-agent sessions verify"
            event.file = name
            event.count = damage
            found.append(event)
        }
        return try lines.file.size(files.path(name))
    }

    /// Copies what stands behind the last record to a file of its own, and takes it away.
    private mutating func putAside(folder: Int32, upTo end: Int64, io: RecordIO) throws(AgentError) {
        let path = files.path(RecordFiles.current)
        let number = unsafe openat(folder, RecordFiles.current, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw .system("cannot open", path) }
        let file = Descriptor(owning: number)
        guard lseek(number, off_t(currentBytes), SEEK_SET) >= 0 else { throw .system("cannot read", path) }
        // A torn end is at most what was written in one go; more than this is not worth keeping.
        let maximum = 16 << 20
        let torn = try file.readAll(path, maximumBytes: Int(clamping: max(end - currentBytes, 0)) + maximum)
            .prefix(maximum)
        let name = "torn-\((state?.sequence ?? 0) + 1)-\(moment.wall)"
        let aside = unsafe openat(
            folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard aside >= 0 else { throw .system("cannot create", files.path(name)) }
        let copy = Descriptor(owning: aside)
        try RecordLog.writeDurably(Array(torn), to: copy.number, files.path(name), io)
        guard io.truncate(number, currentBytes) == 0, io.sync(number) == 0, fsync(folder) == 0 else {
            throw .system("cannot take a torn line away from", path)
        }
        var event = SessionEvent(.torn, via: .agent, at: moment)
        event.file = name
        event.count = UInt64(torn.count)
        event.sha256 = hexadecimal(Digest.sha256(Array(torn)))
        found.append(event)
    }
}
