// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// How a key signs notes: the signature type identifier bytes of C2SP signed-note that are understood here.
public enum NoteAlgorithm: UInt8, Hashable, Sendable, CaseIterable {
    /// Ed25519 over the note's text.
    case ed25519 = 0x01
    /// A witness's Ed25519 over a time and a checkpoint (C2SP tlog-cosignature).
    case timestampedCosignature = 0x04
}

/// A public key whose signatures on notes are trusted (C2SP signed-note, "Verifier keys").
public struct NoteVerifier: Sendable {
    /// Tells whether an Ed25519 signature (RFC 8032; 64 bytes) over a message is the 32-byte public key's.
    ///
    /// It must refuse keys of small order and signatures that are not canonical, as libsodium's
    /// `crypto_sign_verify_detached` does.
    public typealias Ed25519Verify =
        @Sendable (_ publicKey: [UInt8], _ message: [UInt8], _ signature: [UInt8]) -> Bool

    /// The key's name.
    public let name: KeyName
    /// What its signatures are made over.
    public let algorithm: NoteAlgorithm
    /// The Ed25519 public key, 32 bytes.
    public let publicKey: [UInt8]
    /// The ID that goes with the name, computed from all of the above.
    public let keyID: UInt32
    private let verify: Ed25519Verify

    /// Throws `.outOfRange` unless the key has 32 bytes.
    public init(
        name: KeyName, algorithm: NoteAlgorithm = .ed25519, publicKey: [UInt8],
        verify: @escaping Ed25519Verify
    ) throws(TransparencyLogError) {
        self.keyID = try noteKeyID(name, algorithm, publicKey)
        self.name = name
        self.algorithm = algorithm
        self.publicKey = publicKey
        self.verify = verify
    }

    /// Reads `name+hex(key ID)+base64(type || public key)`.
    ///
    /// Throws `.malformed`, `.notCanonical`, `.unsupportedAlgorithm` for a type that is not a ``NoteAlgorithm``, and
    /// `.ambiguousKey` when the key ID is not the one that the name and key make.
    public init(vkey: String, verify: @escaping Ed25519Verify) throws(TransparencyLogError) {
        let text = Array(vkey.utf8)
        guard text.count <= Self.maximumKeyTextBytes else {
            throw TransparencyLogError(
                .tooLong,
                "verifier key: \(text.count) bytes, at most \(Self.maximumKeyTextBytes) are allowed")
        }
        // Base64 has its own "+", so only the first two count.
        let parts = text.split(
            separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw TransparencyLogError(.malformed, "verifier key: \(quoted(text)) is not name+id+key")
        }
        let name = try KeyName(parts[0])
        let key = try Base64.decode(parts[2], "verifier key", upTo: Self.maximumKeyTextBytes)
        guard let type = key.first else {
            throw TransparencyLogError(.truncated, "verifier key: it has no signature type")
        }
        guard let algorithm = NoteAlgorithm(rawValue: type) else {
            throw TransparencyLogError(
                .unsupportedAlgorithm,
                "verifier key: signature type 0x\(hexadecimal(UInt64(type), digits: 2)) is not supported")
        }
        try self.init(
            name: name, algorithm: algorithm, publicKey: Array(key.dropFirst()), verify: verify)
        let expected = hexadecimal(UInt64(keyID), digits: 8)
        guard parts[1].elementsEqual(expected.utf8) else {
            throw TransparencyLogError(
                .ambiguousKey, "verifier key: its ID is \(quoted(parts[1])), the key makes \(expected)")
        }
    }

    /// `name+hex(key ID)+base64(type || public key)`, to be handed to whoever shall verify.
    public var vkey: String { noteVerifierKey(name, algorithm, publicKey, keyID) }

    /// The time in a signature of the text, if it has one, once the signature is verified.
    ///
    /// Throws `.invalidSignature`.
    func check(
        _ signature: NoteSignature, over text: [UInt8]
    ) throws(TransparencyLogError) -> UInt64? {
        var timestamp: UInt64?
        var message = text
        var bare = signature.signature[...]
        if algorithm == .timestampedCosignature {
            guard bare.count == 8 + ed25519SignatureBytes else { throw wrong("it has \(bare.count) bytes") }
            var time: UInt64 = 0
            for byte in bare.prefix(8) { time = time << 8 | UInt64(byte) }
            guard time <= UInt64(Int64.max) else { throw wrong("its time does not fit 63 bits") }
            bare = bare.dropFirst(8)
            message = Array("cosignature/v1\ntime \(time)\n".utf8) + text
            timestamp = time
        }
        guard bare.count == ed25519SignatureBytes else { throw wrong("it has \(bare.count) bytes") }
        guard verify(publicKey, message, Array(bare)) else { throw wrong("it does not verify") }
        return timestamp
    }

    private func wrong(_ why: String) -> TransparencyLogError {
        TransparencyLogError(.invalidSignature, "note signature by \(quoted(name.string.utf8)): \(why)")
    }

    /// A name, an ID and an ML-DSA-87 key in base64 fit; the key's own length is checked afterwards.
    private static let maximumKeyTextBytes = 4 << 10
}

let ed25519KeyBytes = 32
let ed25519SignatureBytes = 64

/// The first 4 bytes of SHA-256(name || newline || type || public key) (C2SP signed-note, "Signatures").
func noteKeyID(
    _ name: KeyName, _ algorithm: NoteAlgorithm, _ publicKey: [UInt8]
) throws(TransparencyLogError) -> UInt32 {
    guard publicKey.count == ed25519KeyBytes else {
        throw TransparencyLogError(
            .outOfRange, "note key: \(publicKey.count) bytes, \(ed25519KeyBytes) expected for Ed25519")
    }
    let digest = MerkleHash.digest(
        Array(name.string.utf8) + [UInt8(ascii: "\n"), algorithm.rawValue] + publicKey)
    return digest.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
}

func noteVerifierKey(
    _ name: KeyName, _ algorithm: NoteAlgorithm, _ publicKey: [UInt8], _ keyID: UInt32
) -> String {
    "\(name)+\(hexadecimal(UInt64(keyID), digits: 8))+\(Base64.encode([algorithm.rawValue] + publicKey))"
}
