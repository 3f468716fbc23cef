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
    private static let components = #"("@method" "@authority" "@request-target" "content-digest")"#
    private static let label = "daypass="
    private static let beginning = "\(components);created="
    private static let ending = #"";alg="ed25519""#

    public init(session: String, created: Int64, sequence: UInt64) {
        self.session = session
        self.created = created
        self.sequence = sequence
    }

    /// The value of `Signature-Input`.
    public var signatureInput: String { Self.label + parameters }

    /// What `Signature-Input` says under its label.
    private var parameters: String {
        var text = Self.beginning
        text += String(created)
        text += ";nonce=\""
        text += String(sequence)
        text += "\";keyid=\""
        text += session
        text += Self.ending
        return text
    }

    /// Parses a `Signature-Input` header, which must be spelt exactly as ``signatureInput`` spells it.
    public init(signatureInput text: String) throws(ControlProtocolError) {
        guard text.utf8.count <= Self.maximumHeaderBytes else {
            throw ControlProtocolError(
                .tooLong,
                "Signature-Input: \(text.utf8.count) bytes, at most \(Self.maximumHeaderBytes) are allowed")
        }
        var rest = text.utf8[...]
        guard Self.take(Self.label, from: &rest), Self.take(Self.beginning, from: &rest),
            let created = Self.takeNumber(from: &rest), let created = Int64(exactly: created),
            Self.take(";nonce=\"", from: &rest),
            let sequence = Self.takeNumber(from: &rest), Self.take("\";keyid=\"", from: &rest)
        else { throw Self.notOurs }
        let session = rest.prefix(while: Self.isNameByte)
        rest = rest[session.endIndex...]
        guard (1...Self.maximumSessionBytes).contains(session.count), Self.take(Self.ending, from: &rest),
            rest.isEmpty
        else { throw Self.notOurs }
        self.init(session: String(Substring(session)), created: created, sequence: sequence)
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
        let text = header.utf8
        guard text.count <= maximumHeaderBytes, text.count > 10, text.starts(with: "daypass=:".utf8),
            text.last == UInt8(ascii: ":"),
            let bytes = try? Base64.decode("Signature", Substring(text.dropFirst(9).dropLast())),
            bytes.count == 64
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

    private static func take(_ literal: String, from rest: inout Substring.UTF8View) -> Bool {
        guard rest.starts(with: literal.utf8) else { return false }
        rest.removeFirst(literal.utf8.count)
        return true
    }

    /// A decimal number as it is written here: without a sign and without a leading zero.
    private static func takeNumber(from rest: inout Substring.UTF8View) -> UInt64? {
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard digits.first != 0x30 || digits.count == 1, let number = UInt64(Substring(digits)) else {
            return nil
        }
        rest = rest[digits.endIndex...]
        return number
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
