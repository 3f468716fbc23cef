// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What SSHWire refuses, and why.
///
/// Two errors are equal when their codes are: the reason is for people and its wording is not stable. A reason
/// names the field, what was expected and what came; it never holds a secret, and every byte of input that it
/// quotes is escaped.
public struct SSHWireError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; new codes may be added.
    public enum Code: String, Sendable, CaseIterable {
        /// The input ended inside a field.
        case truncated
        /// A field is longer, or a list has more members, than its limit.
        case tooLong
        /// Bytes follow the last field.
        case trailingBytes
        /// A value is encoded in another way than the only one allowed.
        case notCanonical
        /// A text field holds NUL, bytes that are not UTF-8, or a control character where none may be.
        case notText
        /// A field holds a value that its type excludes.
        case invalidValue
        /// A key type, certificate type or algorithm that is not supported, or is refused.
        case unsupportedType
        /// Two places that must agree on a type don't.
        case typeMismatch
        /// A public or private key that is not on its curve, is out of range or is inconsistent.
        case invalidKey
        /// A certificate stands where only a plain key may.
        case nestedCertificate
        /// Options are not in byte order.
        case unordered
        /// The same name occurs twice.
        case duplicate
        /// A signature does not verify.
        case invalidSignature
        /// A passphrase is missing.
        case passphraseRequired
        /// The passphrase is wrong, or the encrypted data is damaged.
        case wrongPassphrase
        /// The ssh-agent refused or answered out of turn.
        case agentRefused
        /// A cryptographic library failed where it should not.
        case cryptoFailure
    }

    /// What kind of failure this is.
    public let code: Code
    /// The failure for people: one line, lower case, no full stop.
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }
}

extension SSHWireError: Equatable {
    public static func == (one: SSHWireError, other: SSHWireError) -> Bool { one.code == other.code }
}
