// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What the authority could not do, why, and what to do next.
///
/// Two errors are equal when their codes are. A refusal by policy is not an error but a value
/// (``IssuanceDecision/refused(_:)``).
public struct CertAuthorityError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; new codes may be added.
    public enum Code: String, Sendable, CaseIterable {
        /// A request holds a value that no policy could allow.
        case invalidRequest
        /// The configuration file cannot be used.
        case configuration
        /// A file has an owner, a mode or a content that it must not have.
        case unsafeFile
        /// A file is not there or cannot be read or written.
        case file
        /// A key cannot be loaded, used or found.
        case key
        /// A passphrase is missing or wrong.
        case passphrase
        /// The database is not there.
        case storeMissing
        /// Somebody else holds the database.
        case storeLocked
        /// The database cannot be written.
        case storeReadOnly
        /// There is no space left for the database.
        case storeFull
        /// The database is damaged or of an unknown version.
        case storeDamaged
        /// The log contradicts itself, its checkpoint or a published one.
        case logInconsistent
        /// The database is behind a checkpoint that was published: an older copy was put back.
        case rolledBack
        /// It is there already, or somebody else has it.
        case conflict
        /// What was asked for does not exist.
        case notFound
        /// What came back from the signer is not what was recorded.
        case signerMismatch
        /// An identity belongs to somebody else.
        case identityTaken
        /// There is no room for more until some time has passed.
        case full
    }

    public let code: Code
    /// What happened and why: one line, lower case, no full stop, no secret in it.
    public let reason: String
    /// What to do next.
    public let hint: String?

    public init(_ code: Code, _ reason: String, hint: String? = nil) {
        self.code = code
        self.reason = reason
        self.hint = hint
    }

    public var description: String { reason }
}

extension CertAuthorityError: Equatable {
    public static func == (one: CertAuthorityError, other: CertAuthorityError) -> Bool {
        one.code == other.code
    }
}
