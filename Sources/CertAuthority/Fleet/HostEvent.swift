// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What a host's agent reports, as it came: nobody has judged it.
public struct HostEvent: Sendable, Hashable {
    /// How somebody logged in.
    public enum Proof: Sendable, Hashable {
        case certificate(ShownCertificate)
        /// A plain key, by its fingerprint.
        case key(String)
        /// A method without a key, as "password".
        case other
        case unreadable
    }

    /// A certificate as sshd saw it.
    public struct ShownCertificate: Sendable, Hashable {
        public var serial: UInt64
        public var keyID: String
        /// The fingerprint of the CA.
        public var authority: String
        /// The fingerprint of the key that it is about; nil where the report doesn't say.
        public var keyFingerprint: String?
        /// SHA-256 of what the CA signed; nil where the report doesn't say.
        public var signedDigest: [UInt8]?

        public init(
            serial: UInt64, keyID: String, authority: String, keyFingerprint: String?, signedDigest: [UInt8]?
        ) {
            self.serial = serial
            self.keyID = keyID
            self.authority = authority
            self.keyFingerprint = keyFingerprint
            self.signedDigest = signedDigest
        }
    }

    public var kind: HostEventRecord.Kind
    public var sequence: UInt64
    /// SHA-256 of the record's line.
    public var recordHash: [UInt8]
    /// What the record says to be the hash of the one before.
    public var previousHash: [UInt8]
    /// In milliseconds since 1970, by the host's clock.
    public var happened: UInt64
    public var session: String
    public var account: String
    public var sourceAddress: String
    public var method: String
    /// Nil where nobody logged in.
    public var proof: Proof?
    public var reason: String

    public init(
        kind: HostEventRecord.Kind, sequence: UInt64, recordHash: [UInt8], previousHash: [UInt8],
        happened: UInt64, session: String, account: String, sourceAddress: String, method: String,
        proof: Proof?, reason: String
    ) {
        self.kind = kind
        self.sequence = sequence
        self.recordHash = recordHash
        self.previousHash = previousHash
        self.happened = happened
        self.session = session
        self.account = account
        self.sourceAddress = sourceAddress
        self.method = method
        self.proof = proof
        self.reason = reason
    }
}
