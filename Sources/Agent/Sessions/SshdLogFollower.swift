// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// Follows a text log: what is written to it, and to the file that takes its place when it is rotated.
///
/// Files are read at an offset that moves over whole lines only. A line that is half written is read again when its end
/// is there.
public struct SshdLogFollower: ~Copyable {
    /// The log's path.
    public let path: String
    private var files: [File] = []
    private let notice: Descriptor?
    /// How often lines may be missing: a file went away before its end was read.
    public private(set) var gaps = 0

    /// An open file. A class because arrays hold copyable things only; nobody else has a reference.
    private final class File {
        let descriptor: Descriptor
        var place: SshdLogPosition.Place
        /// When another file took its place, in seconds since 1970.
        var replaced: UInt64?

        init(_ descriptor: consuming Descriptor, _ place: SshdLogPosition.Place) {
            self.descriptor = descriptor
            self.place = place
        }
    }

    /// What one reading takes of a file, in bytes; what is left comes with the next one.
    static let chunkBytes = 256 << 10
    /// How long a file is read on after another one took its place, in seconds: the daemon writes to the old one until
    /// it is told to open the new one, which logrotate does right after.
    static let overlapSeconds: UInt64 = 60
    /// Names of rotated files that are looked at: ours.
    private static let maximumNames = 4_096

    /// Goes on where `position` says, or at the log's end without one.
    ///
    /// A log that does not exist is waited for.
    public init(path: String, position: SshdLogPosition?) throws(AgentError) {
        self.path = path
        notice = Self.watch(path)
        guard case .files(let places) = position, !places.isEmpty else {
            if let file = try Self.open(path) {
                // What is there already happened before anybody listened.
                file.place.offset = try Self.size(file.descriptor, path)
                files.append(file)
            }
            return
        }
        try resume(places)
    }

    /// Opens what was being read, and what came after it.
    private mutating func resume(_ places: [SshdLogPosition.Place]) throws(AgentError) {
        var oldest: timespec?
        var found: [(path: String, status: stat)] = []
        for candidate in Self.rotations(of: path) {
            var status = stat()
            guard unsafe lstat(candidate, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            found.append((candidate, status))
            let isKnown = places.contains { $0.device == status.st_dev && $0.inode == status.st_ino }
            if isKnown, oldest.map({ Self.precedes(status.st_mtim, $0) }) ?? true { oldest = status.st_mtim }
        }
        if oldest == nil { gaps += 1 }
        found.sort { Self.precedes($0.status.st_mtim, $1.status.st_mtim) }
        for (candidate, status) in found {
            let known = places.first { $0.device == status.st_dev && $0.inode == status.st_ino }
            // Files that were changed last before the oldest one that was being read have been read.
            let isNewer = oldest.map { Self.precedes($0, status.st_mtim) } ?? false
            guard known != nil || isNewer || candidate == path, files.count < SshdLogPosition.maximumPlaces,
                let file = try Self.open(candidate)
            else { continue }
            if let known, file.place.inode == known.inode { file.place.offset = known.offset }
            if candidate != path { file.replaced = 0 }
            files.append(file)
        }
    }

    private static func precedes(_ one: timespec, _ other: timespec) -> Bool {
        (one.tv_sec, one.tv_nsec) < (other.tv_sec, other.tv_nsec)
    }

    /// The log and its rotated files that are not compressed: "auth.log.1", "secure-20261126".
    private static func rotations(of path: String) -> [String] {
        guard let slash = path.lastIndex(of: "/") else { return [path] }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        let name = path[path.index(after: slash)...]
        let names = (try? SystemFiles().list(folder)) ?? nil
        return (names ?? []).prefix(maximumNames).filter { other in
            guard other.hasPrefix(name) else { return false }
            let rest = other.dropFirst(name.count)
            return rest.isEmpty
                || (".-".contains(rest.prefix(1))
                    && !["gz", "xz", "bz2", "zst"].contains { rest.hasSuffix($0) })
        }.map { folder == "/" ? "/\($0)" : "\(folder)/\($0)" }
    }

    /// How far everything was read. Keep it once what was read is durable: what is read after that comes again.
    public var position: SshdLogPosition {
        .files(files.map(\.place))
    }

    /// Becomes readable when something happens to the log: for poll(2), beside a look every few seconds, since not every
    /// file system tells. -1 when there is none.
    public var readiness: Int32 {
        switch notice {
        case .some(let notice): notice.number
        case .none: -1
        }
    }

    /// Reads what has come, at most 256 KiB of each file.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: `.file` when the log can't be read. Nothing is lost by that.
    public mutating func read(now: UInt64) throws(AgentError) -> [SshdLogEntry] {
        drainNotices()
        var entries: [SshdLogEntry] = []
        for file in files { entries += try Self.readLines(file, path) }
        try lookForReplacement(now)
        return entries
    }

    private mutating func lookForReplacement(_ now: UInt64) throws(AgentError) {
        var status = stat()
        let isThere = unsafe lstat(path, &status) == 0
        let isKnown = files.contains { $0.place.device == status.st_dev && $0.place.inode == status.st_ino }
        if isThere, !isKnown, files.count < SshdLogPosition.maximumPlaces, let file = try Self.open(path) {
            for old in files where old.replaced == nil { old.replaced = now }
            files.append(file)
        }
        // An old file goes when it has been read to its end and its time is over.
        files.removeAll { file in
            let end = file.replaced?.addingReportingOverflow(Self.overlapSeconds).partialValue
            guard let end, now >= end else { return false }
            return ((try? Self.size(file.descriptor, path)) ?? 0) <= file.place.offset
        }
    }

    private static func open(_ path: String) throws(AgentError) -> File? {
        let number = unsafe Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard number >= 0 else {
            if errno == ENOENT { return nil }
            throw .system("cannot open", path)
        }
        let descriptor = Descriptor(owning: number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw .system("cannot look at", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw AgentError(.unsafeFile, "\(path.escapedForTerminal): no regular file")
        }
        return File(
            descriptor,
            SshdLogPosition.Place(device: UInt64(status.st_dev), inode: UInt64(status.st_ino), offset: 0))
    }

    private static func size(_ descriptor: borrowing Descriptor, _ path: String) throws(AgentError) -> UInt64
    {
        var status = stat()
        guard unsafe fstat(descriptor.number, &status) == 0 else { throw .system("cannot look at", path) }
        return UInt64(clamping: status.st_size)
    }

    private static func readLines(_ file: File, _ path: String) throws(AgentError) -> [SshdLogEntry] {
        // Emptied in place (copytruncate): it begins anew.
        if try size(file.descriptor, path) < file.place.offset { file.place.offset = 0 }
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        let count = unsafe pread(
            file.descriptor.number, &chunk, chunkBytes, off_t(clamping: file.place.offset))
        guard count >= 0 else {
            if errno == EINTR { return [] }
            throw .system("cannot read", path)
        }
        let read = chunk[..<count]
        guard let end = read.lastIndex(of: UInt8(ascii: "\n")) else {
            // No line of sshd is that long: skipped whole, up to where one ends.
            if count == chunkBytes { file.place.offset += UInt64(count) }
            return []
        }
        var entries: [SshdLogEntry] = []
        var start = 0
        while start <= end, let stop = read[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let place = file.place
            let origin = "file:\(place.device):\(place.inode):\(place.offset + UInt64(start))"
            if let entry = SshdLogEntry(line: Array(read[start..<stop]), origin: origin) {
                entries.append(entry)
            }
            start = stop + 1
        }
        file.place.offset += UInt64(end + 1)
        return entries
    }

    /// inotify(7) on the log and its folder; nil where that isn't to be had.
    private static func watch(_ path: String) -> Descriptor? {
        let number = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard number >= 0 else { return nil }
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        _ = unsafe inotify_add_watch(number, folder, UInt32(IN_CREATE | IN_MOVED_TO))
        _ = unsafe inotify_add_watch(number, path, UInt32(IN_MODIFY))
        return Descriptor(owning: number)
    }

    private func drainNotices() {
        let number = readiness
        guard number >= 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        // A folder in which much happens must not hold this up.
        for _ in 0..<64 where unsafe Glibc.read(number, &buffer, buffer.count) <= 0 { break }
        // The file of the log's name may be another one by now.
        _ = unsafe inotify_add_watch(number, path, UInt32(IN_MODIFY))
    }
}
