// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A plain public key that has been checked: on its curve, in range, in its only encoding.
///
/// Two keys are equal when their encodings are, so an equal key has an equal fingerprint.
public struct PublicKey: Sendable {
    /// What the key is made of.
    public enum Material: Sendable, Hashable {
        /// 32 bytes.
        case ed25519([UInt8])
        /// An uncompressed point: 4, x, y.
        case ecdsa(Curve, point: [UInt8])
        /// Modulus and exponent, big-endian without leading zeros.
        case rsa(modulus: [UInt8], exponent: [UInt8])
        /// 32 bytes and the application that the authenticator made the key for ("ssh:").
        case skEd25519([UInt8], application: ExactText)
        /// A P-256 point and the application.
        case skECDSA(point: [UInt8], application: ExactText)
    }

    /// What the key is made of.
    public let material: Material
    /// The key as SSH sends it: its type's name, then its fields.
    public let encoded: [UInt8]

    /// The key's type.
    public var keyType: KeyType {
        switch material {
        case .ed25519: .ed25519
        case .ecdsa(let curve, _): curve.keyType
        case .rsa: .rsa
        case .skEd25519: .skEd25519
        case .skECDSA: .skECDSAP256
        }
    }

    /// The size that ssh-keygen shows, in bits.
    public var bits: Int {
        switch material {
        case .ed25519, .skEd25519, .skECDSA: 256
        case .ecdsa(let curve, _): curve.bits
        case .rsa(let modulus, _): bitLength(modulus)
        }
    }

    /// Checks the material and encodes it.
    ///
    /// - Throws: `.invalidKey` when it is not a usable key, `.tooLong` when it is over ``Limits``, `.notCanonical` for
    ///   an RSA number with leading zeros.
    public init(_ material: Material) throws(SSHWireError) {
        try material.check()
        self.material = material
        var writer = WireWriter(reserving: 128)
        writer.writeString(material.keyType.rawValue)
        material.writeFields(to: &writer)
        self.encoded = writer.bytes
    }

    /// Parses a key blob to its last byte (RFC 4253, section 6.6).
    ///
    /// - Throws: `.nestedCertificate` when it is a certificate's, before anything inside is read.
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        guard encoded.count <= Limits.keyBlobBytes else {
            throw SSHWireError(
                .tooLong, "key: \(encoded.count) bytes, at most \(Limits.keyBlobBytes) are allowed")
        }
        var reader = WireReader(encoded)
        let type = try KeyType(wireName: try reader.readText("key type", upTo: Limits.nameBytes))
        let material = try Material(type, fieldsFrom: &reader)
        try reader.finish("key")
        try self.init(material)
    }

    /// Parses a key blob to its last byte.
    public init(encoded: [UInt8]) throws(SSHWireError) { try self.init(encoded: encoded.span) }
}

extension PublicKey.Material {
    fileprivate var keyType: KeyType {
        switch self {
        case .ed25519: .ed25519
        case .ecdsa(let curve, _): curve.keyType
        case .rsa: .rsa
        case .skEd25519: .skEd25519
        case .skECDSA: .skECDSAP256
        }
    }

    /// Reads the fields that follow the type's name, in a key and (after the nonce) in a certificate.
    init(_ type: KeyType, fieldsFrom reader: inout WireReader) throws(SSHWireError) {
        switch type {
        case .ed25519:
            self = .ed25519(try reader.readBytes("Ed25519 key", upTo: 32))
        case .ecdsaP256: self = .ecdsa(.p256, point: try Self.readPoint(.p256, from: &reader))
        case .ecdsaP384: self = .ecdsa(.p384, point: try Self.readPoint(.p384, from: &reader))
        case .ecdsaP521: self = .ecdsa(.p521, point: try Self.readPoint(.p521, from: &reader))
        case .rsa:
            let exponent = [UInt8](
                try reader.readPositiveInteger("RSA exponent", upTo: Limits.rsaExponentBytes))
            let maximum = Limits.rsaModulusBits.upperBound / 8
            self = .rsa(
                modulus: [UInt8](try reader.readPositiveInteger("RSA modulus", upTo: maximum)),
                exponent: exponent)
        case .skEd25519:
            let key = try reader.readBytes("Ed25519 key", upTo: 32)
            self = .skEd25519(
                key, application: try reader.readText("application", upTo: Limits.applicationBytes))
        case .skECDSAP256:
            let point = try Self.readPoint(.p256, from: &reader)
            self = .skECDSA(
                point: point, application: try reader.readText("application", upTo: Limits.applicationBytes))
        }
    }

    private static func readPoint(_ curve: Curve, from reader: inout WireReader) throws(SSHWireError)
        -> [UInt8]
    {
        let name = try reader.readText("curve", upTo: Limits.nameBytes)
        guard name.string == curve.rawValue else {
            throw SSHWireError(
                .typeMismatch,
                "curve: the key type says \(curve.rawValue), the key says \"\(name.string.escapedForTerminal)\""
            )
        }
        return try reader.readBytes("curve point", upTo: 2 * curve.coordinateBytes + 1)
    }

    func writeFields(to writer: inout WireWriter) {
        switch self {
        case .ed25519(let key): writer.writeString(key)
        case .ecdsa(let curve, let point):
            writer.writeString(curve.rawValue)
            writer.writeString(point)
        case .rsa(let modulus, let exponent):
            writer.writePositiveInteger(exponent)
            writer.writePositiveInteger(modulus)
        case .skEd25519(let key, let application):
            writer.writeString(key)
            writer.writeString(application)
        case .skECDSA(let point, let application):
            writer.writeString(Curve.p256.rawValue)
            writer.writeString(point)
            writer.writeString(application)
        }
    }

    /// Refuses what is no usable key: a wrong length, a point off its curve, an RSA key out of range.
    fileprivate func check() throws(SSHWireError) {
        switch self {
        case .ed25519(let key), .skEd25519(let key, _):
            guard key.count == 32 else {
                throw SSHWireError(.invalidKey, "Ed25519 key: \(key.count) bytes, 32 expected")
            }
        case .ecdsa(let curve, let point): try checkPoint(point, on: curve)
        case .skECDSA(let point, _): try checkPoint(point, on: .p256)
        case .rsa(let modulus, let exponent):
            // The same numbers with zeros in front would be another value with the same encoding and fingerprint.
            guard modulus.first != 0, exponent.first != 0 else {
                throw SSHWireError(.notCanonical, "RSA key: leading zero bytes")
            }
            let bits = bitLength(modulus)
            guard Limits.rsaModulusBits.contains(bits) else {
                throw SSHWireError(
                    .invalidKey,
                    "RSA modulus: \(bits) bits, \(Limits.rsaModulusBits.lowerBound) to "
                        + "\(Limits.rsaModulusBits.upperBound) are supported")
            }
            guard (modulus.last ?? 0) & 1 == 1 else { throw SSHWireError(.invalidKey, "RSA modulus: even") }
            guard (exponent.last ?? 0) & 1 == 1, bitLength(exponent) > 1,
                exponent.count <= Limits.rsaExponentBytes
            else {
                throw SSHWireError(.invalidKey, "RSA exponent: an odd number from 3 to 2^64 expected")
            }
        }
        if case .skEd25519(_, let application) = self { try checkApplication(application) }
        if case .skECDSA(_, let application) = self { try checkApplication(application) }
    }

    private func checkApplication(_ application: ExactText) throws(SSHWireError) {
        guard application.string.utf8.count <= Limits.applicationBytes else {
            throw SSHWireError(.tooLong, "application: over \(Limits.applicationBytes) bytes")
        }
        guard !application.string.utf8.contains(0) else { throw SSHWireError(.notText, "application: NUL") }
    }
}

extension PublicKey: Hashable {
    public static func == (one: PublicKey, other: PublicKey) -> Bool { one.encoded == other.encoded }

    public func hash(into hasher: inout Hasher) { hasher.combine(encoded) }
}

/// The number of significant bits of a big-endian magnitude.
func bitLength(_ magnitude: [UInt8]) -> Int {
    guard let first = magnitude.firstIndex(where: { $0 != 0 }) else { return 0 }
    return (magnitude.count - first) * 8 - magnitude[first].leadingZeroBitCount
}
