// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite("Signatures") struct SignatureTests {
    private let message = someMessage

    private func code(
        _ key: PublicKey, _ signature: Signature, _ presence: UserPresence = .touch
    ) -> SSHWireError.Code? {
        refusal { () throws(SSHWireError) in
            try key.verify(signature, over: message.span, presence: presence)
        }
    }

    private func parsingCode(_ encoded: [UInt8]) -> SSHWireError.Code? {
        refusal { () throws(SSHWireError) in try Signature(encoded: encoded.span) }
    }

    @Test(arguments: SignatureAlgorithm.allCases.filter { !$0.keyType.isHardwareBacked })
    func aSignatureHoldsForItsMessageAndKeyOnly(algorithm: SignatureAlgorithm) throws {
        let pair = try TestKeys.pair(algorithm.keyType)
        let signature = try pair.sign(message.span, with: algorithm)
        let again = try Signature(encoded: signature.encoded.span)
        #expect(again == signature)
        #expect(again.encoded == signature.encoded)
        #expect(code(pair.publicKey, again) == nil)
        #expect(
            refusal { () throws(SSHWireError) in
                try pair.publicKey.verify(signature, over: (message + [0]).span)
            } == .invalidSignature)
        let other = try PrivateKey.generate(algorithm.keyType, comment: "", bits: 2_048).publicKey
        #expect(code(other, signature) == .invalidSignature)
    }

    @Test(arguments: SignatureAlgorithm.allCases.filter { !$0.keyType.isHardwareBacked })
    func everyPrefixAndEveryChangedByteIsRefused(algorithm: SignatureAlgorithm) throws {
        let pair = try TestKeys.pair(algorithm.keyType)
        let encoded = try pair.sign(message.span, with: algorithm).encoded
        for count in 0..<encoded.count { #expect(parsingCode(Array(encoded[..<count])) != nil) }
        #expect(parsingCode(encoded + [0]) == .trailingBytes)
        for index in encoded.indices {
            var changed = encoded
            changed[index] ^= 0x01
            guard let signature = try? Signature(encoded: changed.span) else { continue }
            #expect(code(pair.publicKey, signature) != nil, "byte \(index)")
        }
    }

    @Test func anEmptyMessageIsSignedToo() throws {
        for pair in try TestKeys.pairs.get() {
            let nothing: [UInt8] = []
            let signature = try pair.sign(nothing.span)
            try pair.publicKey.verify(signature, over: nothing.span)
        }
    }

    @Test func theAlgorithmMustBeTheKeysOwn() throws {
        for pair in try TestKeys.pairs.get() {
            let signature = try pair.sign(message.span)
            for other in try TestKeys.subjects.get() where other.keyType != pair.publicKey.keyType {
                #expect(code(other, signature) == .typeMismatch)
            }
        }
    }

    @Test func signaturesBySHA1AreRefusedByName() throws {
        let signature = try TestKeys.pair(.rsa).sign(message.span)
        var writer = WireWriter()
        writer.writeString("ssh-rsa")
        writer.writeString(signature.blob)
        let error = wireError { _ = try Signature(encoded: writer.bytes.span) }
        #expect(error?.code == .unsupportedType)
        #expect(error?.reason == "signature algorithm ssh-rsa: SHA-1 is not secure and is not accepted")
    }

    @Test func theTwoDigestsOfRSAAreNotMistakenForEachOther() throws {
        let pair = try TestKeys.pair(.rsa)
        let short = try pair.sign(message.span, with: .rsaSHA256)
        #expect(code(pair.publicKey, short) == nil)
        #expect(code(pair.publicKey, Signature(.rsaSHA512, blob: short.blob)) == .invalidSignature)
    }

    @Test(arguments: [
        "", "ssh-dss", "ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-384",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    ])
    func anyOtherAlgorithmIsRefused(name: String) {
        var writer = WireWriter()
        writer.writeString(name)
        writer.writeString([UInt8](repeating: 0, count: 64))
        #expect(parsingCode(writer.bytes) == .unsupportedType)
    }

    @Test(arguments: KeyType.allCases.filter { !$0.isHardwareBacked })
    func aSignatureOfAnotherLengthIsRefused(type: KeyType) throws {
        let pair = try TestKeys.pair(type)
        let blob = try pair.sign(message.span).blob
        let algorithm = type.defaultSignatureAlgorithm
        for wrong in [
            [], Array(blob.dropLast()), Array(blob.dropFirst()), blob + [0], [0] + blob, blob + blob,
        ] {
            #expect(code(pair.publicKey, Signature(algorithm, blob: wrong)) != nil)
        }
        #expect(code(pair.publicKey, Signature(algorithm, blob: blob)) == nil)
    }

    @Test func aSignatureOverItsLimitIsRefused() {
        var writer = WireWriter()
        writer.writeString("rsa-sha2-512")
        writer.writeString([UInt8](repeating: 1, count: Limits.signatureBytes + 1))
        #expect(parsingCode(writer.bytes) == .tooLong)
    }

    @Test(arguments: [Curve.p256, .p384, .p521])
    func numbersOfECDSAHaveOneFormAndAreInRange(curve: Curve) throws {
        let pair = try TestKeys.pair(curve.keyType)
        let good = try pair.sign(message.span).blob
        var reader = WireReader(good.span)
        let r = [UInt8](try reader.readPositiveInteger("r", upTo: 66))
        let s = [UInt8](try reader.readPositiveInteger("s", upTo: 66))
        func numbers(_ r: [UInt8], _ s: [UInt8]) -> [UInt8] { strings(r, s) }
        func signed(_ number: [UInt8]) -> [UInt8] { (number.first ?? 0) & 0x80 != 0 ? [0] + number : number }
        #expect(good == numbers(signed(r), signed(s)))
        let large = [UInt8](repeating: 0x7f, count: curve.coordinateBytes)
        for blob in [
            numbers([], signed(s)), numbers(signed(r), []), numbers([0], signed(s)), numbers(signed(r), [0]),
            numbers([0] + signed(r), signed(s)), numbers(signed(r), [0] + signed(s)),
            numbers([0x80], signed(s)),
            numbers(signed(s), signed(r)), numbers(large, large), good + [0, 0, 0, 0],
            numbers(signed(r), large),
            numbers([1], [1]), numbers([0] + [UInt8](repeating: 0xff, count: 67), signed(s)),
        ] {
            #expect(
                code(pair.publicKey, Signature(curve.keyType.defaultSignatureAlgorithm, blob: blob)) != nil)
        }
    }

    @Test func anEd25519KeyOfSmallOrderSignsNothing() throws {
        // With the neutral element as key, R = B·S is a signature over every message for a verifier that does not look.
        let neutral = [1] + [UInt8](repeating: 0, count: 31)
        let blob = neutral + [UInt8](repeating: 0, count: 32)
        let key = try PublicKey(.ed25519(neutral))
        #expect(code(key, Signature(.ed25519, blob: blob)) == .invalidSignature)
    }

    @Test func anEd25519SignatureHasOneForm() throws {
        let pair = try TestKeys.pair(.ed25519)
        let blob = try pair.sign(message.span).blob
        // S plus the group's order (RFC 8032, section 5.1) is the same number to a verifier that does not reduce.
        let order: [UInt8] =
            [
                0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
                0x14,
            ] + [UInt8](repeating: 0, count: 15) + [0x10]
        var carry = 0
        let sum = zip(blob[32...], order).map { digit, other in
            let total = Int(digit) + Int(other) + carry
            carry = total >> 8
            return UInt8(truncatingIfNeeded: total)
        }
        #expect(carry == 0)
        #expect(code(pair.publicKey, Signature(.ed25519, blob: blob[..<32] + sum)) == .invalidSignature)
    }
}

/// Signatures of a software authenticator, which does what PROTOCOL.u2f says.
@Suite("Signatures of FIDO authenticators") struct AuthenticatorSignatureTests {
    static let inner: [KeyType] = [.ed25519, .ecdsaP256]
    private let message = someMessage

    private func code(
        _ key: PublicKey, _ signature: Signature, _ presence: UserPresence
    ) -> SSHWireError.Code? {
        refusal { () throws(SSHWireError) in
            try key.verify(signature, over: message.span, presence: presence)
        }
    }

    /// Flags, and what they are good for: nothing asked, a touch, a verified user.
    @Test(
        arguments: inner,
        [
            (0x00, [true, false, false]), (0x01, [true, true, false]), (0x04, [true, false, false]),
            (0x05, [true, true, true]), (0xfa, [true, false, false]), (0xff, [true, true, true]),
            (0x02, [true, false, false]), (0x41, [true, true, false]),
        ] as [(UInt8, [Bool])])
    func attack20_presenceAndVerificationAreRequired(type: KeyType, row: (flags: UInt8, good: [Bool])) throws
    {
        let authenticator = try SoftwareAuthenticator(type)
        let signature = try authenticator.sign(message, flags: row.flags)
        let answers = [UserPresence.notRequired, .touch, .verification].map {
            code(authenticator.publicKey, signature, $0) == nil
        }
        #expect(answers == row.good)
    }

    @Test(arguments: inner)
    func attack20_aTouchIsRequiredUnlessToldOtherwise(type: KeyType) throws {
        let authenticator = try SoftwareAuthenticator(type)
        let untouched = try authenticator.sign(message, flags: 0)
        #expect(
            refusal { () throws(SSHWireError) in
                try authenticator.publicKey.verify(untouched, over: message.span)
            } == .invalidSignature)
        try authenticator.publicKey.verify(try authenticator.sign(message, flags: 1), over: message.span)
    }

    @Test(arguments: inner)
    func attack20_flagsThatWereNotSignedAreRefused(type: KeyType) throws {
        let authenticator = try SoftwareAuthenticator(type)
        let forged = try authenticator.sign(message, flags: 0x05, signedFlags: 0x00)
        for presence in [UserPresence.notRequired, .touch, .verification] {
            #expect(code(authenticator.publicKey, forged, presence) == .invalidSignature)
        }
    }

    @Test(arguments: inner)
    func theApplicationIsPartOfWhatIsSigned(type: KeyType) throws {
        let authenticator = try SoftwareAuthenticator(type, application: "ssh:")
        #expect(
            code(
                authenticator.publicKey, try authenticator.sign(message, flags: 1, application: "ssh:web"),
                .touch)
                == .invalidSignature)
    }

    @Test(arguments: inner)
    func everyPrefixAndEveryChangedByteIsRefused(type: KeyType) throws {
        let authenticator = try SoftwareAuthenticator(type)
        let signature = try authenticator.sign(message, flags: 5)
        let encoded = signature.encoded
        #expect(try Signature(encoded: encoded.span) == signature)
        #expect(signature.authenticator?.counter == 7)
        for count in 0..<encoded.count {
            #expect(
                refusal { () throws(SSHWireError) in try Signature(encoded: Array(encoded[..<count]).span) }
                    != nil)
        }
        #expect(
            refusal { () throws(SSHWireError) in try Signature(encoded: (encoded + [0]).span) }
                == .trailingBytes)
        for index in encoded.indices {
            var changed = encoded
            changed[index] ^= 0x01
            guard let parsed = try? Signature(encoded: changed.span) else { continue }
            #expect(code(authenticator.publicKey, parsed, .notRequired) != nil, "byte \(index)")
        }
    }

    @Test(arguments: inner)
    func aSignatureWithoutTheAuthenticatorsPartIsRefused(type: KeyType) throws {
        let authenticator = try SoftwareAuthenticator(type)
        let signature = try authenticator.sign(message, flags: 5)
        let bare = Signature(signature.algorithm, blob: signature.blob)
        #expect(code(authenticator.publicKey, bare, .notRequired) == .invalidSignature)
        // A bare key's signature with an authenticator's part has bytes too many.
        let plain = try PrivateKey.generate(type, comment: "").sign(message.span).encoded
        #expect(
            refusal { () throws(SSHWireError) in try Signature(encoded: (plain + [5, 0, 0, 0, 7]).span) }
                == .trailingBytes)
    }
}
