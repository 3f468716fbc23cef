// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a token claims (RFC 7519 section 4.1, OpenID Connect Core section 2), each claim of its own type.
public struct TokenClaims: Sendable, Hashable {
    /// Who made the token (`iss`).
    public let issuer: String
    /// The issuer's name for whom it is about (`sub`): 1 to 255 printable ASCII characters.
    public let subject: String
    /// Whom it is for (`aud`); one at least.
    public let audiences: [String]
    /// The client that asked for it (`azp`).
    public let authorizedParty: String?
    /// When it ends (`exp`).
    public let expires: UnixTime
    /// Before when it is not good (`nbf`).
    public let notBefore: UnixTime?
    /// When it was made (`iat`).
    public let issuedAt: UnixTime
    /// When whom it is about proved who they are (`auth_time`).
    public let authenticatedAt: UnixTime?
    /// The value that binds it to one attempt to sign in (`nonce`).
    public let nonce: String?
    /// Its own name (`jti`).
    public let tokenID: String?
    /// The e-mail address (`email`).
    public let email: String?
    /// True when the issuer says that it verified the address (`email_verified`): `true`, or `"true"` as some write it.
    public let isEmailVerified: Bool
    /// Every claim; numbers that are not whole or over 64 bits are null.
    public let all: JSONValue

    /// The longest text of a claim named above, in bytes.
    public static let maximumTextBytes = 2_048
    /// The longest subject, in bytes (OpenID Connect Core, section 2).
    public static let maximumSubjectBytes = 255
    /// The most audiences.
    public static let maximumAudiences = 16
    /// The last time that is taken: the end of the year 9999. Later ones are mistakes, and overflow somewhere.
    public static let latestTime: Int64 = 253_402_300_799

    /// Reads the claims of a token or of what else has their form.
    ///
    /// - Throws: as ``SignedToken/init(parsing:)``.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        let value = try JSONValue(
            parsing: bytes, maximumBytes: SignedToken.maximumBytes, maximumDepth: SignedToken.maximumDepth,
            otherNumbers: .null)
        let fields = TokenFields(value: value, what: "token")
        try fields.requireObject()
        issuer = try fields.need("iss", try fields.text("iss", maximumBytes: Self.maximumTextBytes))
        subject = try fields.need("sub", try fields.text("sub", maximumBytes: Self.maximumSubjectBytes))
        guard subject.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) else {
            throw ControlProtocolError(.invalidValue, "token: sub: printable ASCII expected")
        }
        audiences = try Self.audiences(value["aud"])
        authorizedParty = try fields.text("azp", maximumBytes: Self.maximumTextBytes)
        expires = try fields.need("exp", try fields.time("exp"))
        notBefore = try fields.time("nbf")
        issuedAt = try fields.need("iat", try fields.time("iat"))
        authenticatedAt = try fields.time("auth_time")
        nonce = try fields.text("nonce", maximumBytes: Self.maximumTextBytes)
        tokenID = try fields.text("jti", maximumBytes: Self.maximumTextBytes)
        email = try fields.text("email", maximumBytes: Self.maximumTextBytes)
        isEmailVerified = value["email_verified"] == true || value["email_verified"] == "true"
        all = value
    }

    private static func audiences(_ value: JSONValue?) throws(ControlProtocolError) -> [String] {
        let texts: [String?]
        switch value {
        case .string(let text): texts = [text]
        case .array(let values): texts = values.map(\.string)
        case nil: throw ControlProtocolError(.missing, "token: aud is missing")
        default: texts = [nil]
        }
        let audiences = texts.compactMap { $0 }
        guard audiences.count == texts.count, (1...maximumAudiences).contains(audiences.count),
            audiences.allSatisfy({ (1...maximumTextBytes).contains($0.utf8.count) })
        else {
            throw ControlProtocolError(
                .invalidValue, "token: aud: a text or 1 to \(maximumAudiences) texts expected")
        }
        return audiences
    }
}

/// Reads members of an object that others wrote, who may add what they like to it.
struct TokenFields {
    let value: JSONValue
    let what: StaticString

    func requireObject() throws(ControlProtocolError) {
        guard case .object = value else {
            throw ControlProtocolError(.invalidValue, "\(what): an object expected")
        }
    }

    func need<Value>(_ name: String, _ value: Value?) throws(ControlProtocolError) -> Value {
        guard let value else { throw ControlProtocolError(.missing, "\(what): \(name) is missing") }
        return value
    }

    /// A text of 1 to `maximumBytes`; nil when the member isn't there or is null.
    func text(_ name: String, maximumBytes: Int) throws(ControlProtocolError) -> String? {
        guard let member = value[name], member != .null else { return nil }
        guard let text = member.string, (1...maximumBytes).contains(text.utf8.count) else {
            throw ControlProtocolError(
                .invalidValue, "\(what): \(name): a text of 1 to \(maximumBytes) bytes expected")
        }
        return text
    }

    /// Whole seconds since the epoch; nil when the member isn't there.
    ///
    /// RFC 7519 allows fractions. No provider is known that sends them, and one that can't be read is refused rather
    /// than taken for absent: a token without an end would be worse than none.
    func time(_ name: String) throws(ControlProtocolError) -> UnixTime? {
        guard let member = value[name] else { return nil }
        guard let number = member.number, (0...TokenClaims.latestTime).contains(number),
            let seconds = UInt64(exactly: number)
        else {
            throw ControlProtocolError(
                .invalidValue, "\(what): \(name): whole seconds from 1970 to the year 9999 expected")
        }
        return UnixTime(seconds: seconds)
    }
}
