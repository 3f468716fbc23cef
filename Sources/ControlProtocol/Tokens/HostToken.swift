// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// The token by which a host opens its tunnel: a JWT (RFC 7519) signed with ES384 (RFC 7518, section 3.4).
///
/// Two kinds. P0's is for P0's servers: seven days, no name of its own, for anybody who calls themselves "p0.dev".
/// Daypass's is for one server, holds for minutes and has a name, so that it can be taken once.
public struct HostToken: Sendable, Hashable {
    /// The client id.
    public let subject: String
    public let issuedAt: UnixTime
    public let expires: UnixTime
    /// The token's own name; nil in P0's.
    public let tokenID: String?

    /// What a verifier asks for.
    public enum Profile: Sendable, Hashable {
        /// `aud` is "p0.dev"; `kid`, `jti`, `iss` and the token's length of life don't matter.
        case p0
        /// `aud` is one server's origin, alone; `iss` is `sub`; `kid` is the key's thumbprint; there is a `jti`; it lives
        /// for ``HostToken/maximumLifetimeSeconds`` at most.
        case daypass(audience: String)
    }

    public static let p0Audience = "p0.dev"
    public static let p0Issuer = "kd-client"
    /// P0's default lifetime, in seconds: seven days.
    public static let p0LifetimeSeconds: UInt64 = 604_800
    /// The longest life of Daypass's kind, in seconds.
    public static let maximumLifetimeSeconds: UInt64 = 300
    /// How far a host's clock may be ahead of ours, in seconds.
    public static let maximumClockSkewSeconds: UInt64 = 60
    /// The longest name of a token, in bytes.
    public static let maximumTokenIDBytes = 64
    /// An ES384 signature: two numbers of 48 bytes.
    static let signatureBytes = 2 * Curve.p384.coordinateBytes

    /// A name that no other token has: 22 characters of base64url.
    public static func tokenID(using random: inout some RandomNumberGenerator) -> String {
        Base64URL.encode((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }

    /// Makes a token for a server that is Daypass's.
    ///
    /// - Parameters:
    ///   - audience: the server's origin, as ``TunnelURL/origin`` has it.
    ///   - tokenID: a random text that no other token has, at most ``maximumTokenIDBytes``.
    public static func sign(
        subject: String, audience: String, tokenID: String, now: UnixTime, by key: HostKey
    ) throws(ControlProtocolError) -> String {
        let header = JSONValue.object([
            .init("alg", "ES384"), .init("kid", .string(key.publicKey.thumbprint)), .init("typ", "JWT"),
        ])
        let claims = JSONValue.object([
            .init("aud", .string(audience)), .init("exp", try time(now, maximumLifetimeSeconds)),
            .init("iat", try time(now, 0)), .init("iss", .string(subject)), .init("jti", .string(tokenID)),
            .init("sub", .string(subject)),
        ])
        return try sign(header, claims, by: key)
    }

    /// Makes a token as P0's agent does.
    ///
    /// - Parameter lifetimeSeconds: at most ten years.
    public static func signP0(
        subject: String, tunnelID: String = "my-tunnel-id", lifetimeSeconds: UInt64 = p0LifetimeSeconds,
        now: UnixTime, by key: HostKey
    ) throws(ControlProtocolError) -> String {
        let claims = JSONValue.object([
            .init("aud", .string(p0Audience)), .init("exp", try time(now, lifetimeSeconds)),
            .init("iat", try time(now, 0)), .init("iss", .string(p0Issuer)), .init("sub", .string(subject)),
            .init("tunnel-id", .string(tunnelID)),
        ])
        return try sign(.object([.init("alg", "ES384"), .init("typ", "JWT")]), claims, by: key)
    }

    /// Verifies a token, signature first.
    ///
    /// Whose key that is, and whether ``tokenID`` was seen before, is for the caller to know.
    ///
    /// - Parameters:
    ///   - key: the key of the client that the token names, found by `SignedToken(parsing:).claims.subject`.
    ///   - subject: that client's id.
    /// - Throws: `.invalidValue` with what is wrong, or as ``SignedToken/init(parsing:)``. No reason quotes the token.
    public init(
        verifying text: String, by key: JSONWebKey, subject: String, profile: Profile, now: UnixTime
    ) throws(ControlProtocolError) {
        let token = try SignedToken(parsing: text)
        let refused = { (reason: String) in ControlProtocolError(.invalidValue, "host token: \(reason)") }
        // The key knows one algorithm; what the token wants to be checked with is compared, never followed.
        guard token.header.algorithm == "ES384" else { throw refused("ES384 expected") }
        if let keyID = token.header.keyID, keyID != key.thumbprint { throw refused("kid: another key's") }
        try Self.verify(token, by: key)
        let claims = token.claims
        guard claims.subject.utf8.elementsEqual(subject.utf8) else { throw refused("sub: another client's") }
        guard claims.expires > now else { throw refused("expired at \(claims.expires)") }
        let latest = now.adding(Self.maximumClockSkewSeconds) ?? .forever
        guard claims.issuedAt <= latest, claims.notBefore ?? .always <= latest else {
            throw refused("not good yet: issued at \(claims.issuedAt)")
        }
        switch profile {
        case .p0:
            guard claims.audiences.contains(Self.p0Audience) else { throw refused("aud: p0.dev expected") }
        case .daypass(let audience):
            guard claims.audiences.count == 1, claims.audiences[0].utf8.elementsEqual(audience.utf8) else {
                throw refused("aud: another server's")
            }
            guard claims.issuer == claims.subject else { throw refused("iss: sub expected") }
            guard token.header.keyID != nil else { throw refused("kid is missing") }
            guard let tokenID = claims.tokenID, tokenID.utf8.count <= Self.maximumTokenIDBytes else {
                throw refused("jti: a text of 1 to \(Self.maximumTokenIDBytes) bytes expected")
            }
            guard claims.expires.seconds <= claims.issuedAt.seconds + Self.maximumLifetimeSeconds else {
                throw refused("exp: at most \(Self.maximumLifetimeSeconds) seconds after iat expected")
            }
        }
        self.subject = claims.subject
        issuedAt = claims.issuedAt
        expires = claims.expires
        tokenID = claims.tokenID
    }

    private static func verify(_ token: SignedToken, by key: JSONWebKey) throws(ControlProtocolError) {
        guard token.signature.count == signatureBytes else {
            throw ControlProtocolError(
                .invalidValue, "host token: a signature of \(signatureBytes) bytes expected")
        }
        let half = signatureBytes / 2
        var writer = WireWriter(reserving: signatureBytes + 16)
        writer.writePositiveInteger(Array(token.signature[..<half]))
        writer.writePositiveInteger(Array(token.signature[half...]))
        do {
            try key.key.verify(
                Signature(.ecdsaP384, blob: writer.bytes), over: token.signedBytes.span)
        } catch {
            throw ControlProtocolError(.invalidValue, "host token: not signed by this client's key")
        }
    }

    static func sign(_ header: JSONValue, _ claims: JSONValue, by key: HostKey)
        throws(ControlProtocolError) -> String
    {
        let signed = [header, claims].map { Base64URL.encode(Array($0.text.utf8)) }.joined(separator: ".")
        do throws(SSHWireError) {
            let signature = try key.privateKey.sign(Array(signed.utf8).span)
            var reader = WireReader(signature.blob.span)
            var bytes: [UInt8] = []
            for _ in 0..<2 {
                let number = [UInt8](try reader.readPositiveInteger("signature", upTo: signatureBytes / 2))
                bytes += [UInt8](repeating: 0, count: signatureBytes / 2 - number.count) + number
            }
            return "\(signed).\(Base64URL.encode(bytes))"
        } catch {
            throw ControlProtocolError(.invalidValue, "host token: \(error.reason)")
        }
    }

    private static func time(_ now: UnixTime, _ later: UInt64) throws(ControlProtocolError) -> JSONValue {
        guard let time = now.adding(later), let seconds = Int64(exactly: time.seconds),
            seconds <= TokenClaims.latestTime
        else {
            throw ControlProtocolError(.invalidValue, "host token: it would end after the year 9999")
        }
        return .number(seconds)
    }
}
