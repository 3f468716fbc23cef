// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// The files of a host's session records: which there are, in which order, and their lines.
public struct RecordFiles: Sendable {
    /// The file that grows.
    public static let current = "sessions.jsonl"
    /// A file that is being made; what a killed agent left of it is worth nothing.
    static let staged = ".sessions.jsonl.new"
    static let lock = "lock"
    /// More files than this are not looked at: a hundred times what is kept.
    static let maximumFiles = 100_000

    /// The folder.
    public let folder: String

    public init(folder: String) { self.folder = folder }

    /// A full file's name: its first record's number has 20 digits, so that names sort as numbers do.
    static func name(firstSequence: UInt64) -> String {
        let digits = String(firstSequence)
        return "sessions-\(String(repeating: "0", count: 20 - digits.count))\(digits).jsonl"
    }

    /// The names of full files, the oldest first, and the current one's if there is one.
    public func names() throws(AgentError) -> (full: [String], current: String?) {
        let all = try SystemFiles().list(folder) ?? []
        let full = all.filter(Self.isFull)
        guard full.count <= Self.maximumFiles else {
            throw AgentError(
                .damaged, "\(folder.escapedForTerminal): over \(Self.maximumFiles) files of records")
        }
        return (full, all.contains(Self.current) ? Self.current : nil)
    }

    private static func isFull(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return bytes.count == 35 && name.hasPrefix("sessions-") && name.hasSuffix(".jsonl")
            && bytes[9..<29].allSatisfy { (0x30...0x39).contains($0) }
    }

    /// The path of a file.
    public func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// Opens a file for reading; nil when there is none.
    public func open(_ name: String) throws(AgentError) -> RecordLines? {
        let number = unsafe Glibc.open(path(name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        if number < 0, errno == ENOENT { return nil }
        guard number >= 0 else { throw .system("cannot open", path(name)) }
        return RecordLines(Descriptor(owning: number), path(name))
    }

    /// Gives every record of a file to `body`, and whatever is no record as nil.
    public func forEachRecord(_ name: String, _ body: (SessionRecord?) -> Void) throws(AgentError) {
        guard var lines = try open(name) else { return }
        while let line = try lines.next() {
            body(line.isTooLong ? nil : try? SessionRecord(parsing: line.bytes))
        }
    }
}

/// Reads a file line by line, in bounded memory.
public struct RecordLines: ~Copyable {
    /// A line that ends in a line feed, which is not part of it.
    public struct Line: Sendable {
        public let bytes: [UInt8]
        /// Longer than any record, and left out.
        public let isTooLong: Bool
    }

    let file: Descriptor
    private let path: String
    private var buffer: [UInt8] = []
    /// Where in the buffer the next line begins.
    private var start = 0
    /// What has been looked at for a line feed already.
    private var searched = 0
    private var isSkipping = false
    /// The bytes of all lines that were given out, with their line feeds.
    public private(set) var offset: Int64 = 0
    private var pendingOffset: Int64 = 0

    init(_ file: consuming Descriptor, _ path: String) {
        self.file = file
        self.path = path
    }

    /// The next line that is complete; nil at the end, where more may come later.
    public mutating func next() throws(AgentError) -> Line? {
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Line(bytes: isSkipping ? [] : Array(buffer[start..<end]), isTooLong: isSkipping)
                offset = pendingOffset + Int64(end + 1)
                (start, searched, isSkipping) = (end + 1, end + 1, false)
                return line
            }
            searched = buffer.count
            if searched - start > SessionRecord.maximumLineBytes { isSkipping = true }
            guard try fill() else { return nil }
        }
    }

    private mutating func fill() throws(AgentError) -> Bool {
        let dropped = isSkipping ? searched : start
        if dropped > 0 {
            buffer.removeFirst(dropped)
            pendingOffset += Int64(dropped)
            start = 0
            searched -= dropped
        }
        // Not filled with zeros: whoever follows the records asks each second, mostly for nothing.
        var chunk = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { $1 = $0.count }
        while true {
            let count = unsafe read(file.number, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("cannot read", path) }
            buffer += chunk[..<count]
            return count > 0
        }
    }
}

/// What chains a line to others, readable in records of later versions too.
struct RecordLink {
    let sequence: UInt64
    let previous: String
    let json: JSONValue

    init?(_ line: [UInt8]) {
        guard
            let json = try? JSONValue(
                parsing: line, maximumBytes: SessionRecord.maximumLineBytes, maximumDepth: 8),
            let number = json["sequence"]?.number, number > 0, let previous = json["previous"]?.string
        else { return nil }
        (self.sequence, self.previous, self.json) = (number.magnitude, previous, json)
    }
}
