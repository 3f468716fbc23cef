// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Something about a host, or about the telling of alerts, that somebody should look at, or that is over.
///
/// What somebody should look at of a login is in the entry of the login itself (``HostEventRecord``).
public struct AlertRecord: Sendable, Hashable {
    /// What it is about.
    public enum Subject: UInt8, Sendable, CaseIterable {
        /// A host's reports don't come.
        case hostSilent = 1
        /// A host's clock is off.
        case clockOff = 2
        /// Alerts were not delivered to a webhook, and won't be.
        case undelivered = 3
        /// An administrator tries whether alerts arrive.
        case test = 4
        /// A host saw a log that this one does not go on from: it was rewritten, or cut.
        case logRefused = 5

        /// In a word or two: "host silent", "clock off", "undelivered", "test" or "log refused".
        public var name: String {
            switch self {
            case .hostSilent: "host silent"
            case .clockOff: "clock off"
            case .undelivered: "undelivered"
            case .test: "test"
            case .logRefused: "log refused"
            }
        }

        /// Whether it lasts until another entry says that it is over.
        public var isLasting: Bool {
            switch self {
            case .hostSilent, .clockOff, .logRefused: true
            case .undelivered, .test: false
            }
        }
    }

    public let subject: Subject
    /// False when it is over.
    public let isPresent: Bool
    /// The host's id; empty where it is about none.
    public let host: ExactText
    /// Since when it has been so, in milliseconds since 1970; 0 where that says nothing.
    public let since: UInt64
    /// How many seconds a host has been silent or its clock is off, or how many alerts were not delivered.
    public let amount: UInt64
    /// For people; may be empty.
    public let detail: ExactText

    /// The longest detail, in bytes.
    public static let maximumDetailBytes = 1_024

    public init(
        subject: Subject, isPresent: Bool, host: ExactText, since: UInt64, amount: UInt64, detail: ExactText
    ) {
        self.subject = subject
        self.isPresent = isPresent
        self.host = host
        self.since = since
        self.amount = amount
        self.detail = detail
    }
}

/// The encoding (docs/formats/log-entry.md).
extension AlertRecord {
    func write(to writer: inout WireWriter) {
        writer.write(subject.rawValue)
        writer.write(UInt8(isPresent ? 1 : 0))
        writer.writeString(host)
        writer.write(since)
        writer.write(amount)
        writer.writeString(detail)
    }

    init(from reader: inout WireReader) throws(SSHWireError) {
        let number = try reader.readUInt8("subject of an alert")
        guard let subject = Subject(rawValue: number) else {
            throw SSHWireError(.unsupportedType, "subject \(number) of an alert is not known")
        }
        self.subject = subject
        let presence = try reader.readUInt8("presence")
        guard presence <= 1 else {
            throw SSHWireError(.invalidValue, "presence \(presence), 0 or 1 expected")
        }
        isPresent = presence == 1
        host = try reader.readText("host", upTo: 256)
        since = try reader.readUInt64("since")
        amount = try reader.readUInt64("amount")
        detail = try reader.readText("detail", upTo: Self.maximumDetailBytes)
    }
}
