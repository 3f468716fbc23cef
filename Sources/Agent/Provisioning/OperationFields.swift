// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// Takes the fields of a call's data apart, each once; what is refused names the field, its limit and what came.
struct OperationFields {
    private var members: [JSONValue.Member]

    /// Sizes of fields that are no names: as much as their formats need.
    enum Limit {
        /// One line of a public key: RSA of 16,384 bits takes 2,800 bytes.
        static let keyBytes = 8 << 10
        /// Keys of one grant; sshd reads them all at each login.
        static let keys = 64
        static let principals = 256
        static let groups = 32
        static let commands = 64
        static let commandBytes = 1_024
        static let reasonBytes = 1_024
        /// An armoured SSHSIG.
        static let signatureBytes = Limits.sshSignatureBytes * 3
        static let statementBytes = TrustStatement.maximumBytes
    }

    /// - Throws: `.invalidRequest` for anything but an object.
    init(_ data: JSONValue) throws(AgentError) {
        guard case .object(let members) = data else {
            throw AgentError(.invalidRequest, "data: an object expected, and it is \(Self.kind(of: data))")
        }
        self.members = members
    }

    /// Takes a member out; nil when there is none, or null.
    mutating func take(_ name: String) -> JSONValue? {
        guard let index = members.firstIndex(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
            return nil
        }
        let value = members.remove(at: index).value
        return value == .null ? nil : value
    }

    /// A member that stays.
    func peek(_ name: String) -> JSONValue? {
        members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    mutating func text(_ name: String, upTo maximumBytes: Int) throws(AgentError) -> String? {
        guard let value = take(name) else { return nil }
        guard let text = value.string else { throw Self.wrong(name, "a text", value) }
        guard text.utf8.count <= maximumBytes else {
            throw AgentError(
                .invalidRequest, "\(name): \(text.utf8.count) bytes, at most \(maximumBytes) are allowed")
        }
        return text
    }

    mutating func flag(_ name: String) throws(AgentError) -> Bool? {
        guard let value = take(name) else { return nil }
        guard let flag = value.bool else { throw Self.wrong(name, "true or false", value) }
        return flag
    }

    mutating func texts(_ name: String, upTo count: Int, each maximumBytes: Int) throws(AgentError)
        -> [String]?
    {
        guard let value = take(name) else { return nil }
        guard let values = value.array else { throw Self.wrong(name, "an array of texts", value) }
        guard values.count <= count else {
            throw AgentError(
                .invalidRequest, "\(name): \(values.count) of them, at most \(count) are allowed")
        }
        var texts: [String] = []
        for value in values {
            guard let text = value.string else { throw Self.wrong(name, "an array of texts", value) }
            guard text.utf8.count <= maximumBytes else {
                throw AgentError(
                    .invalidRequest,
                    "\(name): one of \(text.utf8.count) bytes, at most \(maximumBytes) are allowed")
            }
            texts.append(text)
        }
        return texts
    }

    /// A time: seconds since 1970, or RFC 3339 in UTC.
    mutating func time(_ name: String) throws(AgentError) -> UnixTime? {
        guard let value = take(name) else { return nil }
        let time: UnixTime?
        switch value {
        case .number(let seconds): time = UInt64(exactly: seconds).map { UnixTime(seconds: $0) }
        case .string(let text): time = Self.time(text)
        default: time = nil
        }
        guard let time, time.seconds > 0, time.seconds <= Self.lastSecond else {
            throw Self.wrong(
                name, "a time from 1970 to 9999, as 2026-11-26T22:00:00Z or in seconds since 1970,", value)
        }
        return time
    }

    /// 9999-12-31T23:59:59Z.
    private static let lastSecond: UInt64 = 253_402_300_799

    /// RFC 3339 in UTC, a fraction of a second left away.
    private static func time(_ text: String) -> UnixTime? {
        let bytes = Array(text.utf8)
        guard (20...30).contains(bytes.count), bytes.last == UInt8(ascii: "Z"), bytes[4] == UInt8(ascii: "-"),
            bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":")
        else { return nil }
        let fraction = bytes[19..<bytes.count - 1]
        guard
            fraction.isEmpty
                || fraction.first == UInt8(ascii: ".") && fraction.count > 1
                    && fraction.dropFirst().allSatisfy(\.isDecimalDigit)
        else { return nil }
        let digits = [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19].flatMap { bytes[$0] }
        return try? TimestampText(String(decoding: digits, as: UTF8.self) + "Z").time()
    }

    /// A name that must be there.
    mutating func name(_ field: StaticString) throws(AgentError) -> LocalName {
        guard let text = try text(field.description, upTo: 1_024) else {
            throw Self.missing(field.description)
        }
        return try LocalName(text, field: field)
    }

    /// A grant's id that must be there.
    mutating func grantID(_ field: StaticString) throws(AgentError) -> GrantID {
        guard let text = try text(field.description, upTo: 1_024) else {
            throw Self.missing(field.description)
        }
        return try GrantID(text, field: field)
    }

    /// Makes sure that nothing is left.
    func finish() throws(AgentError) {
        guard let first = members.first else { return }
        throw AgentError(
            .invalidRequest, "\(describe(first.name)): no field of this operation",
            hint: "docs/formats/host-operations.md names them")
    }

    static func missing(_ name: String) -> AgentError {
        AgentError(.invalidRequest, "\(name.escapedForTerminal): it is missing")
    }

    static func wrong(_ name: String, _ expected: String, _ value: JSONValue) -> AgentError {
        AgentError(
            .invalidRequest, "\(name.escapedForTerminal): \(expected) expected, and it is \(kind(of: value))")
    }

    private static func kind(of value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let number): "the number \(number)"
        case .string(let text): describe(text)
        case .array(let values): "an array of \(values.count)"
        case .object(let members): "an object of \(members.count) members"
        }
    }
}

/// A public key out of its line, which must be a plain key.
///
/// - Throws: `.invalidRequest` for a certificate, a private key, options in front, several lines.
func parseKey(_ line: String, field: StaticString) throws(AgentError) -> PublicKey {
    do throws(SSHWireError) {
        return try PublicKeyLine(line).content.plainKey(field)
    } catch {
        throw AgentError(.invalidRequest, "\(field): \(error.reason)")
    }
}
