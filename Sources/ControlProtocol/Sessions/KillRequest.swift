// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An administrator's wish that one session ends, sent to the agent's socket in one packet like a
/// ``SessionReport``. The agent answers with a packet of JSON when it is done.
public struct KillRequest: Sendable, Hashable {
    /// The first field.
    static let mark = "daypass-kill"
    public static let maximumBytes = 8 << 10
    /// The most bytes of a reason.
    public static let maximumReasonBytes = 1_024

    /// A session's ID, or as much of its beginning as only one open session has.
    public var session: String
    /// Why; it is recorded.
    public var reason: String
    /// Who asked for it, as the command knows; the agent adds the number of the process's owner.
    public var actor: String

    public init(session: String, reason: String, actor: String) {
        self.session = session
        self.reason = reason
        self.actor = actor
    }

    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        var fields = try ReportFields(bytes, Self.mark, maximumBytes: Self.maximumBytes)
        session = try fields.take("session", upTo: 32)
        reason = try fields.take("reason", upTo: Self.maximumReasonBytes)
        actor = try fields.take("actor", upTo: 256)
        try fields.finish()
        guard !session.isEmpty, session.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
            throw ControlProtocolError(.invalidValue, "session: hexadecimal digits expected")
        }
        guard !reason.isEmpty else { throw ControlProtocolError(.invalidValue, "reason: it is empty") }
    }

    /// True for a packet that wants to be one.
    public static func isMeant(by bytes: [UInt8]) -> Bool { bytes.starts(with: Array("\(mark)=".utf8)) }

    /// The request as it is sent.
    public var encoded: [UInt8] {
        var bytes = Array("\(Self.mark)=1\0".utf8)
        for (name, value) in [("session", session), ("reason", reason), ("actor", actor)] {
            bytes += Array(name.utf8) + [UInt8(ascii: "=")] + value.utf8.filter { $0 != 0 } + [0]
        }
        return bytes
    }
}
