// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A JSON Web Token in its compact form (RFC 7519, RFC 7515 section 7.1), taken apart and not verified.
///
/// Nothing in it may be believed before ``signature`` was verified over ``signedBytes`` by a key that was found without
/// the token's help. There is exactly one text for each token: other spellings are refused.
public struct SignedToken: Sendable {
    /// What the token says about its own signature.
    public let header: TokenHeader
    /// What it claims.
    public let claims: TokenClaims
    /// The bytes that are signed: both parts as they were sent, and the dot between them.
    public let signedBytes: [UInt8]
    /// The signature.
    public let signature: [UInt8]

    /// The longest token that is looked at, in bytes: providers' tokens have 1 to 4 KiB, hundreds of groups make 10.
    public static let maximumBytes = 16 << 10
    /// How many arrays and objects may be within each other: real claims have two or three.
    public static let maximumDepth = 8

    /// Takes a token apart.
    ///
    /// - Throws: `.tooLong`, `.invalidValue` (not three parts of strict base64url, a claim of another type than its
    ///   own), `.notJSON`, `.notText`, `.missing`, `.unexpected` (a member twice, `crit`). No reason quotes the token.
    public init(parsing text: String) throws(ControlProtocolError) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw ControlProtocolError(
                .tooLong, "token: \(text.utf8.count) bytes, at most \(Self.maximumBytes) are allowed")
        }
        // By bytes: a dot and a combining mark are one character of a String.
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw ControlProtocolError(.invalidValue, "token: \(parts.count) parts where three are expected")
        }
        let names: [StaticString] = ["token header", "token claims", "token signature"]
        var decoded: [[UInt8]] = []
        for (name, part) in zip(names, parts) {
            guard !part.isEmpty else { throw ControlProtocolError(.missing, "\(name): empty") }
            decoded.append(try Base64URL.decode(name, String(decoding: part, as: UTF8.self)))
        }
        header = try TokenHeader(parsing: decoded[0])
        claims = try TokenClaims(parsing: decoded[1])
        signature = decoded[2]
        signedBytes = Array(text.utf8.prefix(parts[0].count + 1 + parts[1].count))
    }
}

/// A token's header (RFC 7515, section 4): only what helps to find the key. Keys and addresses of keys in it (`jwk`,
/// `jku`, `x5c`, `x5u`) are never looked at.
public struct TokenHeader: Sendable, Hashable {
    /// The algorithm's name, as the token has it.
    public let algorithm: String
    /// The name of the key, if it has one.
    public let keyID: String?

    /// The longest algorithm's and key's name, in bytes.
    public static let maximumNameBytes = 256

    init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        let value = try JSONValue(
            parsing: bytes, maximumBytes: SignedToken.maximumBytes, maximumDepth: SignedToken.maximumDepth,
            otherNumbers: .null)
        let fields = TokenFields(value: value, what: "token header")
        try fields.requireObject()
        // Its members must be understood or the token refused (RFC 7515, section 4.1.11), and none is understood.
        guard value["crit"] == nil else {
            throw ControlProtocolError(.unexpected, "token header: crit, which demands what is not supported")
        }
        guard let algorithm = try fields.text("alg", maximumBytes: Self.maximumNameBytes) else {
            throw ControlProtocolError(.missing, "token header: alg is missing")
        }
        self.algorithm = algorithm
        keyID = try fields.text("kid", maximumBytes: Self.maximumNameBytes)
        // An access or logout token of the same provider is signed with the same key (RFC 8725, section 3.11).
        if let type = try fields.text("typ", maximumBytes: Self.maximumNameBytes) {
            guard ["jwt", "application/jwt"].contains(type.lowercased()) else {
                throw ControlProtocolError(.invalidValue, "token header: typ: JWT expected")
            }
        }
    }
}
