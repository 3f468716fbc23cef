// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A key that cosigns checkpoints, wherever it is kept (C2SP tlog-cosignature, `cosignature/v1`, type 0x04).
///
/// A cosignature says that its witness has seen the checkpoint, and no other history of the same log before. Whoever
/// makes one keeps the checkpoint durably first.
public struct WitnessSigner: Sendable {
    /// The key's name.
    public let name: KeyName
    /// The Ed25519 public key, 32 bytes.
    public let publicKey: [UInt8]
    /// The ID that goes with the name.
    public let keyID: UInt32
    private let sign: NoteSigner.Ed25519Sign

    /// Throws `.outOfRange` unless the public key has 32 bytes.
    public init(
        name: KeyName, publicKey: [UInt8], sign: @escaping NoteSigner.Ed25519Sign
    ) throws(TransparencyLogError) {
        self.keyID = try noteKeyID(name, .timestampedCosignature, publicKey)
        self.name = name
        self.publicKey = publicKey
        self.sign = sign
    }

    /// What verifiers of this key are configured with.
    public var vkey: String { noteVerifierKey(name, .timestampedCosignature, publicKey, keyID) }

    /// Cosigns a checkpoint that its log has signed.
    ///
    /// - Parameter time: when the checkpoint was seen, in seconds since 1970.
    ///
    /// Throws `.outOfRange` for a time that doesn't fit 63 bits, `.signingFailed` for anything but 64 bytes from the
    /// closure, and what the closure throws.
    public func cosignature(of checkpoint: VerifiedCheckpoint, time: UInt64) throws -> NoteSignature {
        guard time <= UInt64(Int64.max) else {
            throw TransparencyLogError(.outOfRange, "cosignature: its time does not fit 63 bits")
        }
        let signature = try sign(Array("cosignature/v1\ntime \(time)\n".utf8) + checkpoint.note.text)
        guard signature.count == ed25519SignatureBytes else {
            throw TransparencyLogError(
                .signingFailed,
                "cosignature: the signer of \(quoted(name.string.utf8)) made \(signature.count) bytes, "
                    + "\(ed25519SignatureBytes) expected")
        }
        return try NoteSignature(name: name, keyID: keyID, signature: bigEndianBytes(time) + signature)
    }
}
