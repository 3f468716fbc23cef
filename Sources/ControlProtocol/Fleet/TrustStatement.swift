// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Which CAs' user certificates the hosts of a fleet take, as the fleet's root key signs it
/// (docs/formats/host-operations.md).
///
/// The text is kept as it was written: its bytes are what is signed.
public struct TrustStatement: Sendable, Hashable {
    /// A CA's key and what its line said behind it.
    public struct Authority: Sendable, Hashable {
        public let key: PublicKey
        public let comment: ExactText

        public init(_ key: PublicKey, comment: ExactText = "") {
            self.key = key
            self.comment = comment
        }
    }

    /// The namespace of the signature (PROTOCOL.sshsig).
    public static let namespace: ExactText = "daypass-fleet"
    /// The longest statement, in bytes: an entry of the log, which has at most 65,535, holds it and its signature.
    public static let maximumBytes = 32 << 10
    /// The most CAs of one host: sshd reads the whole list at each login.
    public static let maximumAuthorities = 256

    /// JSON: `format` 1, `version`, `authorities`.
    public let text: String
    /// Grows with each statement; at least 1.
    public let version: UInt64
    public let authorities: [Authority]

    /// Reads a statement.
    ///
    /// - Throws: naming the field, the limit and what came.
    public init(parsing text: String) throws(ControlProtocolError) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw ControlProtocolError(
                .tooLong, "statement: \(text.utf8.count) bytes, at most \(Self.maximumBytes) are allowed")
        }
        var fields = try JSONFields(
            try JSONValue(parsing: Array(text.utf8), maximumBytes: Self.maximumBytes, maximumDepth: 4),
            "statement")
        guard fields.take("format") == 1 else { throw fields.wrong("format", "1") }
        let version = try fields.need("version", try fields.takeNumber("version", 1...Int64.max))
        let lines = try fields.need("authorities", try fields.takeTexts("authorities"))
        guard (1...Self.maximumAuthorities).contains(lines.count) else {
            throw fields.wrong("authorities", "1 to \(Self.maximumAuthorities) keys, not \(lines.count),")
        }
        var authorities: [Authority] = []
        for line in lines {
            do throws(SSHWireError) {
                let parsed = try PublicKeyLine(line)
                let key = try parsed.content.plainKey("CA key")
                guard !authorities.contains(where: { $0.key == key }) else {
                    throw SSHWireError(.invalidValue, "\(key.fingerprint) is there twice")
                }
                authorities.append(Authority(key, comment: parsed.comment))
            } catch {
                throw ControlProtocolError(.invalidValue, "statement: authorities: \(error.reason)")
            }
        }
        try fields.finish()
        self.text = text
        self.version = UInt64(version)
        self.authorities = authorities
    }

    /// Writes a statement.
    ///
    /// - Throws: like ``init(parsing:)``, for what it could not be read back from.
    public init(version: UInt64, authorities: [Authority]) throws(ControlProtocolError) {
        guard let number = Int64(exactly: version) else {
            throw ControlProtocolError(.invalidValue, "statement: version: \(version) is over \(Int64.max)")
        }
        var lines: [JSONValue] = []
        for authority in authorities {
            do throws(SSHWireError) {
                lines.append(
                    .string(try PublicKeyLine(.key(authority.key), comment: authority.comment).text))
            } catch {
                throw ControlProtocolError(.invalidValue, "statement: authorities: \(error.reason)")
            }
        }
        let json = JSONValue.object([
            .init("format", 1), .init("version", .number(number)), .init("authorities", .array(lines)),
        ])
        try self.init(parsing: json.text)
    }

    /// How it differs from an earlier one: by keys, whatever stands behind them.
    public func changes(from earlier: TrustStatement?) -> (added: [Authority], removed: [Authority]) {
        let before = earlier?.authorities ?? []
        return (
            authorities.filter { new in !before.contains { $0.key == new.key } },
            before.filter { old in !authorities.contains { $0.key == old.key } }
        )
    }
}
