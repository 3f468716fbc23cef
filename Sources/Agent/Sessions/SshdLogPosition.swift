// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol

/// How far a log was read: kept in the state folder, so that a restart neither repeats nor loses.
public enum SshdLogPosition: Sendable, Hashable {
    /// Text files, the oldest first: rotation leaves the end of one to read before the next.
    case files([Place])
    /// The journal's cursor.
    case cursor(String)

    /// A place in a file, which keeps its device and inode when it is renamed.
    public struct Place: Sendable, Hashable {
        public var device: UInt64
        public var inode: UInt64
        public var offset: UInt64

        public init(device: UInt64, inode: UInt64, offset: UInt64) {
            self.device = device
            self.inode = inode
            self.offset = offset
        }
    }

    /// Files at a time: ours. logrotate keeps four weeks as a rule.
    static let maximumPlaces = 16

    /// One line of JSON.
    public var encoded: [UInt8] {
        let value: JSONValue =
            switch self {
            case .cursor(let cursor): .object([.init("format", 1), .init("cursor", .string(cursor))])
            case .files(let places):
                .object([
                    .init("format", 1),
                    .init(
                        "files",
                        .array(
                            places.map {
                                .object([
                                    // Numbers of 64 bits do not all fit JSON's.
                                    .init("device", .string(String($0.device))),
                                    .init("inode", .string(String($0.inode))),
                                    .init("offset", .string(String($0.offset))),
                                ])
                            })),
                ])
            }
        return Array((value.text + "\n").utf8)
    }

    /// - Throws: what is no position; starting at the log's end is the answer to that.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        let value = try JSONValue(parsing: bytes, maximumBytes: 8 << 10, maximumDepth: 4)
        if let cursor = value["cursor"]?.string, cursor.utf8.count <= 512,
            cursor.utf8.allSatisfy({ $0 > 0x20 })
        {
            self = .cursor(cursor)
            return
        }
        guard value["format"]?.number == 1, let files = value["files"]?.array,
            files.count <= Self.maximumPlaces
        else { throw ControlProtocolError(.invalidValue, "log position: files or a cursor expected") }
        var places: [Place] = []
        for file in files {
            func number(_ name: String) -> UInt64? { file[name]?.string.flatMap { UInt64($0) } }
            guard let device = number("device"), let inode = number("inode"), let offset = number("offset")
            else {
                throw ControlProtocolError(.invalidValue, "log position: device, inode and offset expected")
            }
            places.append(Place(device: device, inode: inode, offset: offset))
        }
        self = .files(places)
    }
}

extension HostLayout {
    /// How far sshd's log was read.
    public var logPosition: String { state + "/sshd-log.position" }
}
