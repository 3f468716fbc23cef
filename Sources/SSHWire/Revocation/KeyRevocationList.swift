// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A key revocation list (KRL): what sshd's `RevokedKeys` names (OpenSSH's PROTOCOL.krl).
///
/// Its content is kept in one order, so lists that revoke the same are equal and encode to the same bytes. Make one
/// with ``Builder`` or by ``init(encoded:)``; docs/formats/krl.md has the rules.
public struct KeyRevocationList: Sendable, Hashable {
    /// The number that grows with every change of the list; sshd ignores it.
    public let version: UInt64
    /// When the list was made, in seconds since 1970 (UTC); sshd ignores it.
    public let generatedUnixSeconds: UInt64
    /// None is defined; 0 in what we make.
    public let flags: UInt64
    /// No meaning is defined; empty in what we make.
    public let reserved: [UInt8]
    /// Free text, possibly empty. It may hold control characters: escape it before showing it.
    public let comment: ExactText
    /// What is revoked of each authority: ``Scope/everyAuthority`` first, then by the authorities' encodings.
    public let certificates: [RevokedCertificates]
    /// Plain keys, ascending by their bytes.
    public let keys: [RevokedKey]
    /// SHA-1 digests of plain keys' blobs, 20 bytes each, ascending.
    public let sha1Digests: [[UInt8]]
    /// SHA-256 digests of plain keys' blobs, 32 bytes each, ascending.
    public let sha256Digests: [[UInt8]]
    /// Extensions of the whole list; see ``Extension``.
    public let extensions: [Extension]

    /// Whose certificates a serial or key ID is about.
    public enum Scope: Sendable, Hashable {
        /// Those that any authority signed. A serial under it hits every authority's certificate of that number.
        case everyAuthority
        /// Those that this key signed.
        case authority(PublicKey)

        /// The key's blob, or nothing for all.
        var encoded: [UInt8] {
            switch self {
            case .everyAuthority: []
            case .authority(let key): key.encoded
            }
        }
    }

    /// What is revoked of one authority, or of all.
    public struct RevokedCertificates: Sendable, Hashable {
        /// Whose certificates.
        public let scope: Scope
        /// Revoked serials.
        public let serials: SerialRanges
        /// Revoked key IDs, ascending by their bytes. They may hold control characters.
        public let keyIDs: [ExactText]
        /// No meaning is defined; empty in what we make.
        public let reserved: [UInt8]
        /// Extensions of this section; see ``Extension``.
        public let extensions: [Extension]
    }

    /// An extension that is not critical: it may be ignored (PROTOCOL.krl, sections 2.5 and 5).
    ///
    /// A critical one is refused with the whole list: none is defined, so none is understood.
    public struct Extension: Sendable, Hashable {
        /// Its name, "name@domain".
        public let name: ExactText
        /// Its content, as it came.
        public let content: [UInt8]
    }

    /// True when nothing and nobody is revoked.
    public var isEmpty: Bool {
        certificates.allSatisfy { $0.serials.isEmpty && $0.keyIDs.isEmpty } && keys.isEmpty
            && sha1Digests.isEmpty && sha256Digests.isEmpty
    }

    /// True when some section holds an extension. sshd before 9.4 refuses such a list.
    public var holdsExtensions: Bool {
        !extensions.isEmpty || certificates.contains { !$0.extensions.isEmpty }
    }
}
