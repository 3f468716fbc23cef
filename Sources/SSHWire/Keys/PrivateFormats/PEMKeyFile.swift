// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Private keys as openssl writes them: DER in PEM, in the three structures that are in use.
enum PEMKeyFile {
    static func read(
        _ armour: KeyArmour, _ file: SecretBytes, passphrase: SecretBytes?
    ) throws(SSHWireError) -> PrivateKey {
        let decoded = try armour.decode(file)
        guard armour.label != "ENCRYPTED PRIVATE KEY" else {
            guard armour.headers.isEmpty else { throw unexpectedHeaders }
            let plain = try PEMEncryption.decryptPKCS8(decoded, passphrase: passphrase)
            return try afterDecryption { () throws(SSHWireError) in try parse(plain, label: "PRIVATE KEY") }
        }
        guard !armour.headers.isEmpty else { return try parse(decoded, label: armour.label) }
        guard armour.label != "PRIVATE KEY" else { throw unexpectedHeaders }
        let plain = try PEMEncryption.decryptTraditional(
            decoded, headers: armour.headers, passphrase: passphrase)
        return try afterDecryption { () throws(SSHWireError) in try parse(plain, label: armour.label) }
    }

    private static let unexpectedHeaders = SSHWireError(
        .invalidValue, "private key file: lines with a colon before the base64, which this kind does not have"
    )

    /// One wrong passphrase in 256 gives right padding; what comes of it does not parse.
    private static func afterDecryption(
        _ parse: () throws(SSHWireError) -> PrivateKey
    ) throws(SSHWireError) -> PrivateKey {
        do throws(SSHWireError) {
            return try parse()
        } catch {
            switch error.code {
            case .truncated, .tooLong, .trailingBytes, .notCanonical, .invalidValue: throw .wrongKeyPassphrase
            default: throw error
            }
        }
    }

    private static func parse(_ der: SecretBytes, label: String) throws(SSHWireError) -> PrivateKey {
        try der.withSpan { (der) throws(SSHWireError) in
            switch label {
            case "EC PRIVATE KEY": try parseSEC1(der, curve: nil)
            case "RSA PRIVATE KEY": try parsePKCS1(der)
            default: try parsePKCS8(der)
            }
        }
    }
}

extension PEMKeyFile {
    /// `OneAsymmetricKey` (RFC 5958, section 2).
    private static func parsePKCS8(_ der: Span<UInt8>) throws(SSHWireError) -> PrivateKey {
        var outer = DERReader(der)
        var fields = DERReader(try outer.read("PKCS#8 key", .sequence))
        try outer.finish("PKCS#8 key")
        let version = try fields.readCount("PKCS#8 version")
        guard version <= 1 else {
            throw SSHWireError(.invalidValue, "PKCS#8 version: \(version), 0 or 1 expected")
        }
        var algorithm = DERReader(try fields.read("PKCS#8 algorithm", .sequence))
        let identifier = try algorithm.readObjectIdentifier("PKCS#8 algorithm")
        let content = try fields.read("PKCS#8 private key", .octetString)
        // Attributes say nothing about the key.
        try fields.skip("PKCS#8 attributes", ifNext: .explicit0)
        // Version 1 means that the public half is there.
        let publicHalf =
            version == 0 ? nil : try withoutUnusedBits(try fields.read("PKCS#8 public key", .implicit1))
        try fields.finish("PKCS#8 key")
        switch identifier {
        case "1.3.101.112":
            try algorithm.finish("Ed25519 algorithm")
            var inner = DERReader(content)
            let seed = try inner.read("Ed25519 seed", .octetString)
            try inner.finish("Ed25519 seed")
            return try PrivateKey.ed25519(seed: seed, publicHalf: publicHalf, comment: "")
        case "1.2.840.10045.2.1":
            let curve = try readCurve(&algorithm)
            try algorithm.finish("ECDSA algorithm")
            return try parseSEC1(content, curve: curve)
        case "1.2.840.113549.1.1.1":
            try algorithm.skip("RSA algorithm", ifNext: .null)
            try algorithm.finish("RSA algorithm")
            return try parsePKCS1(content)
        case "1.2.840.10040.4.1":
            throw SSHWireError(
                .unsupportedType, "private key file: a DSA key; DSA is not secure and is not supported")
        default:
            throw SSHWireError(
                .unsupportedType,
                "private key file: a key of the algorithm \(identifier), which SSH has no type for")
        }
    }

    /// `ECPrivateKey` (RFC 5915, section 3).
    ///
    /// - Parameter curve: what stands around it in PKCS#8; else the structure must name one itself.
    private static func parseSEC1(
        _ der: Span<UInt8>, curve outerCurve: Curve?
    ) throws(SSHWireError) -> PrivateKey {
        var outer = DERReader(der)
        var fields = DERReader(try outer.read("EC key", .sequence))
        try outer.finish("EC key")
        let version = try fields.readCount("EC key version")
        guard version == 1 else {
            throw SSHWireError(.invalidValue, "EC key version: \(version), 1 expected")
        }
        let scalar = try fields.read("EC key scalar", .octetString)
        var curve = outerCurve
        if fields.isNext(.explicit0) {
            var parameters = DERReader(try fields.read("EC key curve", .explicit0))
            let named = try readCurve(&parameters)
            try parameters.finish("EC key curve")
            guard curve == nil || curve == named else {
                throw SSHWireError(.typeMismatch, "EC key: two different curves are named")
            }
            curve = named
        }
        guard let curve else { throw SSHWireError(.invalidValue, "EC key: no curve is named") }
        // Leading zero bytes belong to a coordinate's length and are not superfluous.
        guard scalar.count == curve.coordinateBytes else {
            throw SSHWireError(
                .invalidKey, "EC key scalar: \(scalar.count) bytes, \(curve.coordinateBytes) expected")
        }
        var point: [UInt8]?
        if fields.isNext(.explicit1) {
            var inner = DERReader(try fields.read("EC key point", .explicit1))
            point = try withoutUnusedBits(try inner.read("EC key point", .bitString))
            try inner.finish("EC key point")
        }
        try fields.finish("EC key")
        return try PrivateKey.ecdsa(curve, scalar: scalar, point: point, comment: "")
    }

    /// `RSAPrivateKey` (RFC 8017, appendix A.1.2).
    private static func parsePKCS1(_ der: Span<UInt8>) throws(SSHWireError) -> PrivateKey {
        var outer = DERReader(der)
        var fields = DERReader(try outer.read("RSA key", .sequence))
        try outer.finish("RSA key")
        guard try fields.readCount("RSA key version") == 0 else {
            throw SSHWireError(.unsupportedType, "RSA key: of more than two primes, which is not supported")
        }
        let modulus = [UInt8](try fields.readPositiveInteger("RSA modulus"))
        let exponent = [UInt8](try fields.readPositiveInteger("RSA exponent"))
        let privateExponent = try fields.readPositiveInteger("RSA private exponent")
        let firstPrime = try fields.readPositiveInteger("RSA prime p")
        let secondPrime = try fields.readPositiveInteger("RSA prime q")
        let firstExponent = try fields.readPositiveInteger("RSA exponent for p")
        let secondExponent = try fields.readPositiveInteger("RSA exponent for q")
        let coefficient = try fields.readPositiveInteger("RSA coefficient")
        try fields.finish("RSA key")
        let key = try PrivateKey.rsa(
            modulus: modulus, exponent: exponent,
            RSANumbers.Input(
                privateExponent: privateExponent, coefficient: coefficient, firstPrime: firstPrime,
                secondPrime: secondPrime),
            comment: "")
        try key.secret.withSpan { (packed) throws(SSHWireError) in
            var reader = WireReader(packed)
            for _ in RSANumbers.parametersInFiles {
                _ = try reader.readString("RSA number", upTo: packed.count)
            }
            let first = try reader.readPositiveInteger("RSA exponent for p", upTo: packed.count)
            let second = try reader.readPositiveInteger("RSA exponent for q", upTo: packed.count)
            guard equal(first, firstExponent), equal(second, secondExponent) else {
                throw SSHWireError(
                    .invalidKey, "RSA key: an exponent for a prime is not the private exponent's")
            }
        }
        return key
    }

    private static func readCurve(_ reader: inout DERReader) throws(SSHWireError) -> Curve {
        guard reader.isNext(.objectIdentifier) else {
            throw SSHWireError(.unsupportedType, "EC key: its curve is given by numbers and not by a name")
        }
        let identifier = try reader.readObjectIdentifier("EC key curve")
        return switch identifier {
        case "1.2.840.10045.3.1.7": .p256
        case "1.3.132.0.34": .p384
        case "1.3.132.0.35": .p521
        default:
            throw SSHWireError(
                .unsupportedType, "EC key: on the curve \(identifier), P-256, P-384 or P-521 expected")
        }
    }

    /// The bytes of a bit string that are whole bytes.
    private static func withoutUnusedBits(_ content: Span<UInt8>) throws(SSHWireError) -> [UInt8] {
        guard content.count > 1, content[0] == 0 else {
            throw SSHWireError(.invalidValue, "public key: a bit string of whole bytes expected")
        }
        return [UInt8](content.extracting(1..<content.count))
    }

    private static func equal(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
        guard one.count == other.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<one.count { difference |= one[index] ^ other[index] }
        return difference == 0
    }
}
