// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

/// Keys that are made once for all tests of keys and certificates.
enum TestKeys {
    /// A CA's.
    static let authority = Result { try PrivateKey.generate(.ed25519, comment: "authority") }
    /// A second CA's, which nobody trusts.
    static let stranger = Result { try PrivateKey.generate(.ed25519, comment: "stranger") }
    /// One pair of each type that signs without an authenticator.
    static let pairs = Result {
        try [KeyType.ed25519, .ecdsaP256, .ecdsaP384, .ecdsaP521, .rsa].map {
            try PrivateKey.generate($0, comment: $0.rawValue, bits: 2_048)
        }
    }
    /// One public key of each type, those of authenticators among them.
    static let subjects = Result {
        try pairs.get().map(\.publicKey) + [
            try SoftwareAuthenticator(.ed25519).publicKey, try SoftwareAuthenticator(.ecdsaP256).publicKey,
        ]
    }

    static func subject(_ type: KeyType) throws -> PublicKey {
        try #require(try subjects.get().first { $0.keyType == type })
    }

    static func pair(_ type: KeyType) throws -> PrivateKey {
        try #require(try pairs.get().first { $0.publicKey.keyType == type })
    }
}

/// Signs as a FIDO authenticator does, with a key in memory (PROTOCOL.u2f in OpenSSH).
struct SoftwareAuthenticator {
    let publicKey: PublicKey
    private let inner: PrivateKey
    private let application: ExactText

    /// - Parameter type: what the authenticator's key is inside: `ed25519` or `ecdsaP256`.
    init(_ type: KeyType, application: ExactText = "ssh:") throws {
        inner = try PrivateKey.generate(type, comment: "")
        self.application = application
        publicKey =
            switch inner.publicKey.material {
            case .ed25519(let key): try PublicKey(.skEd25519(key, application: application))
            case .ecdsa(_, let point): try PublicKey(.skECDSA(point: point, application: application))
            default: throw SSHWireError(.unsupportedType, "no authenticator has such a key")
            }
    }

    /// The signature as it goes over the wire.
    ///
    /// - Parameter signedFlags: what the authenticator signs; `nil` is `flags`.
    func sign(
        _ message: [UInt8], flags: UInt8, counter: UInt32 = 7, signedFlags: UInt8? = nil,
        application other: ExactText? = nil
    ) throws -> Signature {
        var signed = WireWriter()
        signed.writeRaw(Digest.sha256(Array((other ?? application).string.utf8)))
        signed.write(signedFlags ?? flags)
        signed.write(counter)
        signed.writeRaw(Digest.sha256(message))
        var encoded = WireWriter()
        encoded.writeString(publicKey.keyType.rawValue)
        encoded.writeString(try inner.sign(signed.bytes.span).blob)
        encoded.write(flags)
        encoded.write(counter)
        return try Signature(encoded: encoded.bytes.span)
    }
}

/// A certificate written field by field, right or wrong, and signed over whatever came of it.
struct RawCertificate {
    var typeName = KeyType.ed25519.certificateName
    var nonce = [UInt8](repeating: 9, count: 32)
    /// The key's fields behind its type.
    var keyFields: [UInt8]
    var serial: UInt64 = 42
    var kind: UInt32 = 1
    var keyID = Array("alice#42".utf8)
    var principals: [[UInt8]] = [Array("alice".utf8), Array("deploy".utf8)]
    var validAfter: UInt64 = 1_000
    var validBefore: UInt64 = 2_000
    var criticalOptions: [(name: String, data: [UInt8])] = []
    var extensions: [(name: String, data: [UInt8])] = [("permit-pty", [])]
    var reserved: [UInt8] = []
    var signatureKey: [UInt8]
    /// Bytes behind the last field, inside what is signed.
    var trailing: [UInt8] = []
    /// Signed and sent in place of the signer's own signature.
    var signature: [UInt8]?

    /// A good user certificate for `subject`.
    init(_ type: KeyType = .ed25519) throws {
        let subject = try TestKeys.subject(type)
        typeName = type.certificateName
        keyFields = Array(subject.encoded.dropFirst(4 + type.rawValue.utf8.count))
        signatureKey = try TestKeys.authority.get().publicKey.encoded
    }

    var toBeSigned: [UInt8] {
        var writer = WireWriter()
        writer.writeString(typeName)
        writer.writeString(nonce)
        writer.writeRaw(keyFields)
        writer.write(serial)
        writer.write(kind)
        writer.writeString(keyID)
        writer.writeNested { inner in for principal in principals { inner.writeString(principal) } }
        writer.write(validAfter)
        writer.write(validBefore)
        for options in [criticalOptions, extensions] {
            writer.writeNested { inner in
                for option in options {
                    inner.writeString(option.name)
                    inner.writeString(option.data)
                }
            }
        }
        writer.writeString(reserved)
        writer.writeString(signatureKey)
        writer.writeRaw(trailing)
        return writer.bytes
    }

    /// The whole certificate.
    func encoded(by signer: PrivateKey? = nil) throws -> [UInt8] {
        try Self.seal(toBeSigned, by: signer, signature: signature)
    }

    func certificate(by signer: PrivateKey? = nil) throws -> Certificate {
        try Certificate(encoded: try encoded(by: signer))
    }

    /// Why it is not parsed, nil when it is.
    func refusalCode() throws -> SSHWireError.Code? {
        let encoded = try encoded()
        return refusal { () throws(SSHWireError) in try Certificate(encoded: encoded) }
    }

    /// Signs any bytes as if they were a certificate's.
    static func seal(
        _ toBeSigned: [UInt8], by signer: PrivateKey? = nil, signature: [UInt8]? = nil
    ) throws -> [UInt8] {
        var writer = WireWriter()
        writer.writeRaw(toBeSigned)
        let signer = try signer ?? TestKeys.authority.get()
        writer.writeString(try signature ?? signer.sign(toBeSigned.span).encoded)
        return writer.bytes
    }
}

/// A `string` around text, as options with a value hold it.
func wireText(_ text: String) -> [UInt8] {
    var writer = WireWriter()
    writer.writeString(text)
    return writer.bytes
}
