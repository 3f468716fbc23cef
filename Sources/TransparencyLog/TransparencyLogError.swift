// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What TransparencyLog refuses, and why.
///
/// Two errors are equal when their codes are: the reason is for people and its wording is not stable. A reason names
/// the field, entry, tile or checkpoint that is wrong; text that it quotes from input is escaped and cut.
public struct TransparencyLogError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; new codes may be added.
    public enum Code: String, Sendable, CaseIterable {
        /// The input ended inside a field.
        case truncated
        /// A field is longer, or a list has more members, than its limit.
        case tooLong
        /// Bytes follow the last field.
        case trailingBytes
        /// A value is written in another way than the only one allowed.
        case notCanonical
        /// Text holds bytes that are not UTF-8, or a character that may not be there.
        case notText
        /// A line or field that the format asks for is not there, or another stands in its place.
        case malformed
        /// A number is outside of its range, or a pair of numbers contradicts itself.
        case outOfRange
        /// A key's signature type is not one that can be verified here.
        case unsupportedAlgorithm
        /// Two different keys share one name and key ID.
        case ambiguousKey
        /// No signature comes from a key that the caller trusts.
        case noTrustedSignature
        /// A signature from a trusted key does not verify.
        case invalidSignature
        /// A signer returned something that can't be a signature.
        case signingFailed
        /// A checkpoint belongs to another log.
        case wrongOrigin
        /// A proof does not lead from what it was said to prove to the root.
        case invalidProof
        /// A hash, tile or entry bundle that must exist does not.
        case missing
        /// An entry does not hash to what the tree holds for it.
        case entryMismatch
        /// A stored hash above the leaves is not what the hashes below it make.
        case tileMismatch
        /// The entries do not make the root that a checkpoint states.
        case rootMismatch
        /// The log has fewer entries than a checkpoint that was published.
        case rolledBack
        /// The tree can't take another entry.
        case treeFull
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

extension TransparencyLogError: Equatable {
    public static func == (one: TransparencyLogError, other: TransparencyLogError) -> Bool {
        one.code == other.code
    }
}
