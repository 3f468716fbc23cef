// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A signature as SSH sends it (RFC 4253, section 6.6; PROTOCOL.u2f for FIDO keys). Parsed, not verified.
public struct Signature: Sendable, Hashable {
    /// What a FIDO authenticator adds to a signature and signs with it.
    public struct Authenticator: Sendable, Hashable {
        /// Bit 0: the user was present. Bit 2: the user was verified (WebAuthn, section 6.1).
        public let flags: UInt8
        /// How many signatures the authenticator has made.
        public let counter: UInt32

        public init(flags: UInt8, counter: UInt32) {
            self.flags = flags
            self.counter = counter
        }

        /// True when somebody touched the authenticator.
        public var userWasPresent: Bool { flags & 0x01 != 0 }
        /// True when the authenticator checked a PIN or a fingerprint.
        public var userWasVerified: Bool { flags & 0x04 != 0 }
    }

    /// How it was made.
    public let algorithm: SignatureAlgorithm
    /// The algorithm's own encoding: 64 bytes for Ed25519, `mpint r, mpint s` for ECDSA, the number for RSA.
    public let blob: [UInt8]
    /// Present exactly for FIDO algorithms.
    public let authenticator: Authenticator?

    /// A signature by a key that is no FIDO key.
    public init(_ algorithm: SignatureAlgorithm, blob: [UInt8]) {
        self.algorithm = algorithm
        self.blob = blob
        self.authenticator = nil
    }

    /// Parses a signature blob to its last byte.
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        var reader = WireReader(encoded)
        let name = try reader.readText("signature algorithm", upTo: Limits.nameBytes)
        algorithm = try SignatureAlgorithm(wireName: name)
        blob = try reader.readBytes("signature", upTo: Limits.signatureBytes)
        if algorithm.keyType.isHardwareBacked {
            let flags = try reader.readUInt8("signature flags")
            authenticator = Authenticator(flags: flags, counter: try reader.readUInt32("signature counter"))
        } else {
            authenticator = nil
        }
        try reader.finish("signature")
    }

    /// Appends the signature's fields.
    public func write(to writer: inout WireWriter) {
        writer.writeString(algorithm.rawValue)
        writer.writeString(blob)
        if let authenticator {
            writer.write(authenticator.flags)
            writer.write(authenticator.counter)
        }
    }

    /// The signature as SSH sends it.
    public var encoded: [UInt8] {
        var writer = WireWriter(reserving: blob.count + 64)
        write(to: &writer)
        return writer.bytes
    }
}
