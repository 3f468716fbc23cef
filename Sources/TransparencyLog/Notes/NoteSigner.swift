// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A key that signs notes with Ed25519, wherever it is kept (C2SP signed-note, type 0x01).
public struct NoteSigner: Sendable {
    /// Makes the 64-byte Ed25519 signature of a message (RFC 8032).
    public typealias Ed25519Sign = @Sendable (_ message: [UInt8]) throws -> [UInt8]

    /// The key's name.
    public let name: KeyName
    /// The Ed25519 public key, 32 bytes.
    public let publicKey: [UInt8]
    /// The ID that goes with the name.
    public let keyID: UInt32
    private let sign: Ed25519Sign

    /// Throws `.outOfRange` unless the public key has 32 bytes.
    public init(
        name: KeyName, publicKey: [UInt8], sign: @escaping Ed25519Sign
    ) throws(TransparencyLogError) {
        self.keyID = try noteKeyID(name, .ed25519, publicKey)
        self.name = name
        self.publicKey = publicKey
        self.sign = sign
    }

    /// What verifiers of this key are configured with.
    public var vkey: String { noteVerifierKey(name, .ed25519, publicKey, keyID) }

    /// Signs a note's text.
    ///
    /// Throws `.signingFailed` for anything but 64 bytes from the closure, and what the closure throws.
    func signature(over text: [UInt8]) throws -> NoteSignature {
        let signature = try sign(text)
        guard signature.count == ed25519SignatureBytes else {
            throw TransparencyLogError(
                .signingFailed,
                "note: the signer of \(quoted(name.string.utf8)) made \(signature.count) bytes, "
                    + "\(ed25519SignatureBytes) expected")
        }
        return try NoteSignature(name: name, keyID: keyID, signature: signature)
    }
}

extension SignedNote {
    /// Signs a text, which ends in a newline, with each of the keys.
    ///
    /// Throws `.notText`, `.malformed` or `.tooLong` before anything is signed, `.signingFailed`, and what a
    /// signer throws.
    public init(signing text: [UInt8], by signers: [NoteSigner]) throws {
        // A signature that can't be put on a note should not exist.
        let placeholder = [UInt8](repeating: 0, count: ed25519SignatureBytes)
        _ = try SignedNote(
            text: text,
            signatures: try signers.map {
                try NoteSignature(name: $0.name, keyID: $0.keyID, signature: placeholder)
            })
        try self.init(text: text, signatures: try signers.map { try $0.signature(over: text) })
    }
}
