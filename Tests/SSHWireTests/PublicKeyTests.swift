// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

@Suite("Public keys") struct PublicKeyTests {
    private func code(_ encoded: [UInt8]) -> SSHWireError.Code? {
        refusal { () throws(SSHWireError) in try PublicKey(encoded: encoded) }
    }

    private func blob(_ type: String, _ fields: [UInt8]...) -> [UInt8] {
        var writer = WireWriter()
        writer.writeString(type)
        for field in fields { writer.writeString(field) }
        return writer.bytes
    }

    private func rsa(exponent: [UInt8], modulus: [UInt8]) -> [UInt8] {
        var writer = WireWriter()
        writer.writeString("ssh-rsa")
        writer.writePositiveInteger(exponent)
        writer.writePositiveInteger(modulus)
        return writer.bytes
    }

    /// An odd number of that many bits that is surely no product of two primes that anybody knows.
    private func modulus(bits: Int) -> [UInt8] {
        var numbers = RepeatableNumbers(state: UInt64(bits))
        var bytes = (0..<(bits + 7) / 8).map { _ in UInt8.random(in: .min ... .max, using: &numbers) }
        let top = UInt8(1) << UInt8((bits + 7) % 8)
        bytes[0] = bytes[0] & (top - 1) | top
        bytes[bytes.count - 1] |= 1
        return bytes
    }

    @Test(arguments: KeyType.allCases)
    func everyTypeComesBackAsItWas(type: KeyType) throws {
        let key = try TestKeys.subject(type)
        let again = try PublicKey(encoded: key.encoded)
        #expect(again == key)
        #expect(again.encoded == key.encoded)
        #expect(again.keyType == type)
        #expect(try PublicKey(key.material) == key)
    }

    @Test(arguments: KeyType.allCases)
    func everyPrefixAndEveryFurtherByteIsRefused(type: KeyType) throws {
        let encoded = try TestKeys.subject(type).encoded
        for count in 0..<encoded.count { #expect(code(Array(encoded[..<count])) != nil, "\(count)") }
        #expect(code(encoded + [0]) == .trailingBytes)
    }

    @Test(arguments: KeyType.allCases)
    func everyChangedByteIsRefusedOrGivesAnotherKey(type: KeyType) throws {
        let key = try TestKeys.subject(type)
        for index in key.encoded.indices {
            for mask: UInt8 in [0x01, 0x80, 0xff] {
                var changed = key.encoded
                changed[index] ^= mask
                guard let other = try? PublicKey(encoded: changed) else { continue }
                #expect(other != key)
                #expect(other.encoded == changed)
            }
        }
    }

    @Test func everythingThatIsReadIsReadBySSHKeygenToo() throws {
        var lines: [(encoded: [UInt8], text: String)] = []
        for key in try TestKeys.subjects.get() {
            for index in key.encoded.indices {
                for mask: UInt8 in [0x01, 0x02, 0x80, 0xff] {
                    var changed = key.encoded
                    changed[index] ^= mask
                    guard let parsed = try? PublicKey(encoded: changed) else { continue }
                    lines.append(
                        (changed, "\(parsed.keyType.rawValue) \(Base64.encode(changed)) \(lines.count)"))
                }
            }
        }
        #expect(lines.count > 1_000)
        try withTemporaryFolder { folder in
            let path = try folder.write(lines.map(\.text).joined(separator: "\n") + "\n", to: "keys")
            let shown = try Tool.run("ssh-keygen", ["-l", "-f", path]).orThrow("ssh-keygen -l")
            let read = Set(
                shown.stdoutText.split(separator: "\n").compactMap {
                    $0.split(separator: " ").dropFirst(2).first
                })
            let missing = lines.indices.filter { !read.contains("\($0)") }
            #expect(missing.isEmpty, "\(missing.prefix(3).map { lines[$0].text })")
        }
    }

    @Test(arguments: [0, 31, 33, 64])
    func anEd25519KeyOfAnotherLengthIsRefused(count: Int) throws {
        let key = [UInt8](repeating: 1, count: count)
        #expect(code(blob("ssh-ed25519", key)) == (count > 32 ? .tooLong : .invalidKey))
        #expect(code(blob("ssh-ed25519", [UInt8](repeating: 1, count: 32))) == nil)
        #expect(refusal { () throws(SSHWireError) in try PublicKey(.ed25519(key)) } == .invalidKey)
        #expect(
            refusal { () throws(SSHWireError) in try PublicKey(.skEd25519(key, application: "ssh:")) }
                == .invalidKey)
    }

    // MARK: RSA

    @Test(
        arguments: [
            (1_024, SSHWireError.Code.invalidKey), (2_047, .invalidKey), (2_048, nil), (2_049, nil),
            (3_072, nil),
            (16_383, nil), (16_384, nil), (16_385, .tooLong), (16_392, .tooLong), (65_536, .tooLong),
        ] as [(Int, SSHWireError.Code?)])
    func attack18_anRSAModulusHas2048To16384Bits(bits: Int, expected: SSHWireError.Code?) throws {
        let modulus = modulus(bits: bits)
        let encoded = rsa(exponent: [1, 0, 1], modulus: modulus)
        #expect(code(encoded) == expected)
        let made = refusal { () throws(SSHWireError) in
            try PublicKey(.rsa(modulus: modulus, exponent: [1, 0, 1]))
        }
        #expect(made == expected.map { _ in .invalidKey })
        guard expected == nil else { return }
        #expect(try PublicKey(encoded: encoded).bits == bits)
    }

    @Test func anEvenModulusIsRefused() {
        var even = modulus(bits: 2_048)
        #expect(code(rsa(exponent: [1, 0, 1], modulus: even)) == nil)
        even[even.count - 1] ^= 1
        #expect(code(rsa(exponent: [1, 0, 1], modulus: even)) == .invalidKey)
    }

    @Test(
        arguments: [
            ([3], nil), ([1, 0, 1], nil), ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], nil),
            ([1], .invalidKey),
            ([], .invalidValue), ([2], .invalidKey), ([1, 0, 0], .invalidKey),
            ([1, 0, 0, 0, 0, 0, 0, 0, 1], .tooLong),
        ] as [([UInt8], SSHWireError.Code?)])
    func attack18_anRSAExponentIsOddAndShort(exponent: [UInt8], expected: SSHWireError.Code?) {
        #expect(code(rsa(exponent: exponent, modulus: modulus(bits: 2_048))) == expected)
    }

    @Test func anRSAKeyHasOneEncodingHoweverItIsMade() throws {
        let modulus = modulus(bits: 2_048)
        let key = try PublicKey(.rsa(modulus: modulus, exponent: [1, 0, 1]))
        for material in [
            PublicKey.Material.rsa(modulus: [0] + modulus, exponent: [1, 0, 1]),
            .rsa(modulus: modulus, exponent: [0, 1, 0, 1]),
        ] {
            #expect(refusal { () throws(SSHWireError) in try PublicKey(material) } == .notCanonical)
        }
        var padded = WireWriter()
        padded.writeString("ssh-rsa")
        padded.writeString([0, 1, 0, 1])
        padded.writeString([0] + modulus)
        #expect(code(padded.bytes) == .notCanonical)
        #expect(key.encoded != padded.bytes)
    }

    @Test func attack18_aHugeRSAKeyIsCheckedInBoundedTime() throws {
        let key = try PublicKey(
            .rsa(modulus: modulus(bits: 16_384), exponent: [UInt8](repeating: 0xff, count: 8)))
        let message = someMessage
        let took = ContinuousClock().measure {
            for _ in 0..<10 {
                let signature = Signature(.rsaSHA512, blob: [0x7f] + [UInt8](repeating: 0xa5, count: 2_047))
                #expect(
                    refusal { () throws(SSHWireError) in try key.verify(signature, over: message.span) }
                        == .invalidSignature)
            }
        }
        #expect(took < .seconds(2), "\(took)")
    }

    @Test func attack18_DSAIsRefusedByName() {
        let error = wireError { _ = try PublicKey(encoded: blob("ssh-dss", [1], [1], [1], [1])) }
        #expect(error?.code == .unsupportedType)
        #expect(error?.reason == "key type ssh-dss: DSA is not secure and is not supported")
    }

    // MARK: Types

    @Test(arguments: [
        "", "ssh-ed448", "ssh-ed25519 ", "SSH-ED25519", "ssh-rsa1", "rsa-sha2-256", "rsa-sha2-512",
        "ecdsa-sha2-nistp224",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "ssh-mldsa44", "ssh-xmss@openssh.com", "null",
    ])
    func anyOtherTypeIsRefusedByName(name: String) {
        #expect(code(blob(name, [UInt8](repeating: 1, count: 32))) == .unsupportedType)
    }

    @Test(
        arguments: KeyType.allCases.map(\.certificateName) + [
            "ssh-ed25519-cert-v00@openssh.com", "rsa-sha2-512-cert-v01@openssh.com",
        ])
    func attack16_aCertificateIsNoKey(name: String) throws {
        #expect(code(blob(name)) == .nestedCertificate)
        #expect(code(blob(name, [1, 2, 3])) == .nestedCertificate)
    }

    @Test func attack19_theCurveMustBeTheTypesOwn() throws {
        for type in [KeyType.ecdsaP256, .ecdsaP384, .ecdsaP521] {
            guard case .ecdsa(let curve, let point) = try TestKeys.subject(type).material else {
                Issue.record("\(type)")
                continue
            }
            #expect(code(blob(type.rawValue, Array(curve.rawValue.utf8), point)) == nil)
            for other in Curve.allCases where other != curve {
                #expect(code(blob(type.rawValue, Array(other.rawValue.utf8), point)) == .typeMismatch)
                // The right name over another curve's point.
                guard case .ecdsa(_, let foreign) = try TestKeys.subject(other.keyType).material else {
                    continue
                }
                #expect(
                    code(blob(type.rawValue, Array(curve.rawValue.utf8), foreign))
                        == (foreign.count > point.count ? .tooLong : .invalidKey))
            }
            #expect(code(blob(type.rawValue, Array("nistp25".utf8), point)) == .typeMismatch)
            #expect(code(blob(type.rawValue, [], point)) == .typeMismatch)
        }
        guard case .ecdsa(_, let point) = try TestKeys.subject(.ecdsaP384).material else { return }
        #expect(
            code(blob(KeyType.skECDSAP256.rawValue, Array("nistp384".utf8), point, Array("ssh:".utf8)))
                == .typeMismatch)
    }

    // MARK: Points

    @Test(arguments: Curve.allCases)
    func aPointMustBeUncompressedAndOnItsCurve(curve: Curve) throws {
        guard case .ecdsa(_, let point) = try TestKeys.subject(curve.keyType).material else { return }
        let size = curve.coordinateBytes
        let x = point[1...size]
        let wrong: [String: [UInt8]] = [
            "nothing": [], "infinity": [0], "infinity, padded": [UInt8](repeating: 0, count: point.count),
            "compressed, even": [2] + x, "compressed, odd": [3] + x, "hybrid": [6] + point.dropFirst(),
            "hybrid, odd": [7] + point.dropFirst(), "short": Array(point.dropLast()), "long": point + [0],
            "origin": [4] + [UInt8](repeating: 0, count: 2 * size),
            "off the curve": Array(point.dropLast()) + [(point.last ?? 0) ^ 1],
            "over the field": [4] + [UInt8](repeating: 0xff, count: 2 * size),
            "swapped": [4] + point[(size + 1)...] + x,
            "small x": [4] + [UInt8](repeating: 0, count: size - 1) + [1] + point[(size + 1)...],
        ]
        let name = Array(curve.rawValue.utf8)
        for (what, bytes) in wrong {
            let expected: SSHWireError.Code = bytes.count > point.count ? .tooLong : .invalidKey
            #expect(code(blob(curve.keyType.rawValue, name, bytes)) == expected, "\(what)")
            #expect(
                refusal { () throws(SSHWireError) in try PublicKey(.ecdsa(curve, point: bytes)) }
                    == .invalidKey, "\(what)")
            guard curve == .p256 else { continue }
            #expect(
                refusal { () throws(SSHWireError) in
                    try PublicKey(.skECDSA(point: bytes, application: "ssh:"))
                }
                    == .invalidKey, "\(what)")
        }
        #expect(code(blob(curve.keyType.rawValue, name, point)) == nil)
    }

    // MARK: Authenticators

    @Test(
        arguments: [
            ("ssh:", nil), ("", nil), ("ssh:caf\u{e9}", nil), ("ssh:\0", .notText), ("a\0b", .notText),
        ] as [(String, SSHWireError.Code?)])
    func anApplicationIsTextWithoutNUL(application: String, expected: SSHWireError.Code?) throws {
        let key = [UInt8](repeating: 1, count: 32)
        #expect(code(blob(KeyType.skEd25519.rawValue, key, Array(application.utf8))) == expected)
        #expect(
            refusal { () throws(SSHWireError) in
                try PublicKey(.skEd25519(key, application: ExactText(application)))
            } == expected)
    }

    @Test func anApplicationHasAMaximum() throws {
        let key = [UInt8](repeating: 1, count: 32)
        let longest = [UInt8](repeating: 0x61, count: Limits.applicationBytes)
        #expect(code(blob(KeyType.skEd25519.rawValue, key, longest)) == nil)
        #expect(code(blob(KeyType.skEd25519.rawValue, key, longest + [0x61])) == .tooLong)
        let text = ExactText(String(decoding: longest + [0x61], as: UTF8.self))
        #expect(
            refusal { () throws(SSHWireError) in try PublicKey(.skEd25519(key, application: text)) }
                == .tooLong)
    }

    @Test func keysOfDifferentApplicationsDiffer() throws {
        let key = [UInt8](repeating: 1, count: 32)
        let one = try PublicKey(.skEd25519(key, application: "ssh:caf\u{e9}"))
        let other = try PublicKey(.skEd25519(key, application: "ssh:cafe\u{301}"))
        #expect(one != other)
        #expect(one.fingerprint != other.fingerprint)
    }

    @Test func aBlobOverItsLimitIsRefused() {
        let huge = [UInt8](repeating: 0, count: Limits.keyBlobBytes + 1)
        #expect(code(huge) == .tooLong)
        #expect(code(Array(huge.dropLast())) == .unsupportedType)
    }

    // MARK: Fingerprints

    @Test func fingerprintsAndSizesAreSSHKeygens() throws {
        try withTemporaryFolder { folder in
            for key in try TestKeys.subjects.get() {
                let path = try folder.write(key.text + "\n", to: "key.pub")
                for (style, fingerprint) in [("sha256", key.fingerprint), ("md5", key.fingerprintMD5)] {
                    let shown = try Tool.run("ssh-keygen", ["-l", "-E", style, "-f", path]).orThrow(
                        "ssh-keygen -l")
                    #expect(
                        shown.stdoutText
                            == "\(key.bits) \(fingerprint) no comment (\(key.keyType.displayName))\n")
                }
            }
        }
    }
}
