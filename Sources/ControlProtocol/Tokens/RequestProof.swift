// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// How a client shows with every request that it holds its session's key: HTTP Message Signatures (RFC 9421) in one
/// fixed profile (docs/formats/request-proof.md).
///
/// A session's name that was overheard, or lay in a log, is worth nothing. What is signed covers the method, the host
/// that the client means to talk to, path and query, and the body by its digest (RFC 9530). The profile has one
/// spelling, so that what was signed and what is read can't differ.
public struct RequestProof: Sendable, Hashable {
    /// The session's name.
    public let session: String
    /// When the client made the request, in seconds since 1970 by its clock.
    public let created: Int64
    /// Larger with every request of a session: the client's microseconds since 1970. It is spent once.
    public let sequence: UInt64

    /// The most bytes of a session's name.
    public static let maximumSessionBytes = 64
    /// The most bytes of `Signature-Input` and of `Signature`.
    public static let maximumHeaderBytes = 512
    private static let components =
        #"("@method" "@authority" "@request-target" "content-digest")"#

    public init(session: String, created: Int64, sequence: UInt64) {
        self.session = session
        self.created = created
        self.sequence = sequence
    }

    private var parameters: String {
        #"\#(Self.components);created=\#(created);nonce="\#(sequence)";keyid="\#(session)";alg="ed25519""#
    }

    /// The value of `Signature-Input`.
    public var signatureInput: String { "daypass=\(parameters)" }

    /// Parses a `Signature-Input` header, which must be spelt exactly as ``signatureInput`` spells it.
    public init(signatureInput text: String) throws(ControlProtocolError) {
        guard text.utf8.count <= Self.maximumHeaderBytes else {
            throw ControlProtocolError(
                .tooLong,
                "Signature-Input: \(text.utf8.count) bytes, at most \(Self.maximumHeaderBytes) are allowed")
        }
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        guard parts.count == 5, let created = Self.value(parts[1], "created=", quoted: false),
            let created = Int64(created), created >= 0,
            let sequence = Self.value(parts[2], "nonce=", quoted: true), let sequence = UInt64(sequence),
            let session = Self.value(parts[3], "keyid=", quoted: true),
            (1...Self.maximumSessionBytes).contains(session.utf8.count),
            session.utf8.allSatisfy({ Self.isNameByte($0) })
        else { throw Self.notOurs }
        self.init(session: String(session), created: created, sequence: sequence)
        guard signatureInput.utf8.elementsEqual(text.utf8) else { throw Self.notOurs }
    }

    /// What is signed (RFC 9421, section 2.5).
    ///
    /// - Parameters:
    ///   - authority: host and port as the `Host` header or `:authority` has them, in lower case.
    ///   - target: path and query as sent.
    ///   - contentDigest: the value of `Content-Digest`.
    public func base(method: String, authority: String, target: String, contentDigest: String) -> [UInt8] {
        var text = "\"@method\": "
        text += method
        text += "\n\"@authority\": "
        text += authority
        text += "\n\"@request-target\": "
        text += target
        text += "\n\"content-digest\": "
        text += contentDigest
        text += "\n\"@signature-params\": "
        text += parameters
        return Array(text.utf8)
    }

    /// The value of `Signature` for an Ed25519 signature of 64 bytes.
    public static func signatureHeader(_ signature: [UInt8]) -> String {
        "daypass=:\(Base64.encode(signature)):"
    }

    /// The 64 bytes of an Ed25519 signature from a `Signature` header.
    public static func signature(header: String) throws(ControlProtocolError) -> [UInt8] {
        guard header.utf8.count <= maximumHeaderBytes, header.hasPrefix("daypass=:"), header.hasSuffix(":"),
            header.utf8.count > 10,
            let bytes = try? Base64.decode("Signature", header.dropFirst(9).dropLast()), bytes.count == 64
        else {
            throw ControlProtocolError(
                .invalidValue, "Signature: daypass=:BASE64: with 64 bytes of an Ed25519 signature expected")
        }
        return bytes
    }

    /// The value of `Content-Digest` for a body.
    public static func contentDigest(_ body: [UInt8]) -> String {
        "sha-256=:\(Base64.encode(Digest.sha256(body))):"
    }

    private static func value(_ part: Substring, _ name: String, quoted: Bool) -> Substring? {
        guard part.hasPrefix(name) else { return nil }
        let value = part.dropFirst(name.count)
        guard quoted else { return value }
        guard value.count >= 2, value.first == "\"", value.last == "\"" else { return nil }
        return value.dropFirst().dropLast()
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte)
    }

    private static var notOurs: ControlProtocolError {
        ControlProtocolError(
            .invalidValue,
            "Signature-Input: daypass=\(components);created=SECONDS;nonce=\"NUMBER\";keyid=\"SESSION\";alg=\"ed25519\" expected"
        )
    }
}
