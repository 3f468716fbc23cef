// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// One line of a host's session records: an event with its place in the chain (docs/formats/session-record.md).
public struct SessionRecord: Sendable, Hashable {
    /// The most that a line may have, in bytes: a report of ``SessionReport/maximumBytes`` whose every character is
    /// escaped with six.
    public static let maximumLineBytes = 3 << 20

    /// 1 for a host's first record, and one more for each further one.
    public var sequence: UInt64
    /// SHA-256 of the line before, without its line feed; ``genesis(host:)`` for the first record. Hexadecimal.
    public var previous: String
    /// The host's name.
    public var host: String
    public var event: SessionEvent

    public init(sequence: UInt64, previous: String, host: String, event: SessionEvent) {
        self.sequence = sequence
        self.previous = previous
        self.host = host
        self.event = event
    }

    /// What a host's first record has in the place of the line before.
    public static func genesis(host: String) -> String {
        hash(Array("daypass session records 1\n\(host)\n".utf8))
    }

    /// What the record after a line has as ``previous``.
    ///
    /// - Parameter line: the line without its line feed.
    public static func hash(_ line: [UInt8]) -> String { hexadecimal(Digest.sha256(line)) }

    /// The line, without a line feed.
    public var line: [UInt8] {
        var members = JSONMembers()
        members.add("version", .number(1))
        members.add("sequence", Int64(clamping: sequence))
        members.add("previous", previous)
        members.add("event", event.kind.rawValue)
        members.add("time", event.time.description)
        members.add("uptimeMicroseconds", Int64(clamping: event.uptimeMicroseconds))
        members.add("host", host)
        event.write(to: &members)
        return Array(members.value.text.utf8)
    }

    /// Parses a line without its line feed.
    ///
    /// - Throws: for everything that this version does not write.
    public init(parsing line: [UInt8]) throws(ControlProtocolError) {
        self = try SessionRecord(
            try JSONValue(parsing: line, maximumBytes: Self.maximumLineBytes, maximumDepth: 8))
    }

    /// Takes a record out of its JSON.
    public init(_ json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "record")
        guard try fields.takeNumber("version") == 1 else { throw fields.wrong("version", "1") }
        sequence = try fields.need("sequence", try fields.takeNumber("sequence", 1...Int64.max))
            .magnitude
        previous = try fields.need("previous", try fields.takeText("previous"))
        host = try fields.need("host", try fields.takeText("host"))
        event = try SessionEvent(&fields)
        try fields.finish()
    }
}
