// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

/// The key and note of golang.org/x/mod/sumdb/note's own tests.
enum PeterNeumann {
    static let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    // "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz" without type and base64.
    static let seed = unhex("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173")
    static let text = """
        If you think cryptography is the answer to your problem,
        then you don't know what your problem is.

        """
    static let line =
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    static let note = "\(text)\n\(line)\n"
}

func parsed(_ note: String) throws -> SignedNote { try SignedNote(Array(note.utf8).span) }

func trusting(_ vkey: String) throws -> NoteVerifier {
    try NoteVerifier(vkey: vkey, verify: Ed25519Key.verify)
}

@Suite struct NoteVerificationTests {
    @Test(arguments: [
        (PeterNeumann.vkey, PeterNeumann.note, PeterNeumann.text),
        (
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            """
            This is an example message.

            — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

            """, "This is an example message.\n"
        ),
    ])
    func publishedNotesVerify(vkey: String, note: String, text: String) throws {
        let verifier = try trusting(vkey)
        let verified = try parsed(note).verified(by: [verifier])
        #expect(verified.text == Array(text.utf8))
        #expect(verified.signatures.map(\.keyID) == [verifier.keyID])
        #expect(verified.unknownSignatures.isEmpty)
        #expect(verified.isSigned(by: verifier))
        #expect(verifier.vkey == vkey)
    }

    @Test func signingGivesThePublishedNoteByteForByte() throws {
        let signer = try Ed25519Key(seed: PeterNeumann.seed).signer("PeterNeumann")
        let note = try SignedNote(signing: Array(PeterNeumann.text.utf8), by: [signer])
        #expect(note.bytes == Array(PeterNeumann.note.utf8))
        #expect(signer.vkey == PeterNeumann.vkey)
    }

    @Test func everyOneByteChangeIsRefused() throws {
        let verifier = try trusting(PeterNeumann.vkey)
        let bytes = Array(PeterNeumann.note.utf8)
        for position in bytes.indices {
            let masks = (0..<8).map { UInt8(1) << $0 } + [0xff]
            for byte in masks.map({ bytes[position] ^ $0 }) + [0x00, 0x0a, 0x20, 0x2b]
            where byte != bytes[position] {
                var changed = bytes
                changed[position] = byte
                #expect(throws: TransparencyLogError.self, "byte \(position) is \(byte)") {
                    try SignedNote(changed.span).verified(by: [verifier])
                }
            }
        }
    }

    @Test func everyPrefixAndEveryAddedByteIsRefused() throws {
        let verifier = try trusting(PeterNeumann.vkey)
        let bytes = Array(PeterNeumann.note.utf8)
        for count in 0..<bytes.count {
            let prefix = Array(bytes[..<count])
            #expect(throws: TransparencyLogError.self) {
                try SignedNote(prefix.span).verified(by: [verifier])
            }
        }
        for byte in 0...UInt8.max {
            let longer = bytes + [byte]
            #expect(throws: TransparencyLogError.self) {
                try SignedNote(longer.span).verified(by: [verifier])
            }
        }
    }

    @Test func unknownSignaturesAreKeptApart() throws {
        let text = Array("a text\n".utf8)
        let known = Ed25519Key(1)
        let note = try SignedNote(
            signing: text,
            by: [try Ed25519Key(2).signer("b"), try known.signer("a"), try Ed25519Key(3).signer("a")])
        let verified = try note.verified(by: [try known.verifier("a")])
        #expect(verified.signatures.map(\.name.string) == ["a"])
        #expect(verified.unknownSignatures == [note.signatures[0], note.signatures[2]])
        #expect(code { _ = try note.verified(by: [try known.verifier("c")]) } == .noTrustedSignature)
        #expect(code { _ = try note.verified(by: []) } == .noTrustedSignature)
    }

    @Test func aTrustedKeysBadSignatureIsRefusedBesideAGoodOne() throws {
        let text = Array("a text\n".utf8)
        let keys = [Ed25519Key(1), Ed25519Key(2)]
        let good = try SignedNote(signing: text, by: [try keys[0].signer("a")])
        let bad = try SignedNote(signing: Array("other\n".utf8), by: [try keys[1].signer("b")])
        let note = try good.adding(bad.signatures)
        let verifiers = [try keys[0].verifier("a"), try keys[1].verifier("b")]
        #expect(throws: Never.self) { try note.verified(by: [verifiers[0]]) }
        #expect(code { _ = try note.verified(by: verifiers) } == .invalidSignature)
    }

    @Test func aKeyThatSignedTwiceCountsOnce() throws {
        let key = Ed25519Key(1)
        let note = try SignedNote(signing: Array("a\n".utf8), by: [try key.signer("a")])
        let twice = try note.adding(note.signatures)
        #expect(try twice.verified(by: [try key.verifier("a")]).signatures.count == 1)
    }

    @Test func aWitnessesCosignatureVerifiesWithItsTime() throws {
        let text = Array("a text\n".utf8)
        let witness = Ed25519Key(9)
        let line = try witness.cosignature("w", over: text, time: 1_679_315_147)
        let note = try SignedNote(signing: text, by: [try Ed25519Key(1).signer("a")]).adding([line])
        let verifier = try witness.verifier("w", .timestampedCosignature)
        let verified = try note.verified(by: [verifier])
        #expect(verified.signatures.map(\.timestamp) == [1_679_315_147])
        #expect(verified.signatures.map(\.algorithm) == [.timestampedCosignature])

        var later = line.signature
        later[7] ^= 1
        let moved = try NoteSignature(name: line.name, keyID: line.keyID, signature: later)
        #expect(
            code { _ = try SignedNote(text: text, signatures: [moved]).verified(by: [verifier]) }
                == .invalidSignature)
        // The same key as a plain one has another ID, and so knows nothing of the line.
        #expect(code { _ = try note.verified(by: [try witness.verifier("w")]) } == .noTrustedSignature)
    }

    @Test(arguments: [UInt64(Int64.max) + 1, .max])
    func aCosignaturesTimeBeyond63BitsIsRefused(time: UInt64) throws {
        let text = Array("a text\n".utf8)
        let witness = Ed25519Key(9)
        let verifier = try witness.verifier("w", .timestampedCosignature)
        let latest = try witness.cosignature("w", over: text, time: UInt64(Int64.max))
        #expect(throws: Never.self) {
            try SignedNote(text: text, signatures: [latest]).verified(by: [verifier])
        }
        let line = try witness.cosignature("w", over: text, time: time)
        #expect(
            code { _ = try SignedNote(text: text, signatures: [line]).verified(by: [verifier]) }
                == .invalidSignature)
    }

    @Test func aSignatureOfAnotherLengthIsRefused() throws {
        let key = Ed25519Key(1)
        let verifier = try key.verifier("a")
        let signature = key.sign(Array("a\n".utf8))
        for bytes in [Array(signature.dropLast()), signature + [0], [0]] {
            let line = try NoteSignature(name: verifier.name, keyID: verifier.keyID, signature: bytes)
            let note = try SignedNote(text: Array("a\n".utf8), signatures: [line])
            #expect(code { _ = try note.verified(by: [verifier]) } == .invalidSignature)
        }
        let short = try NoteSigner(name: verifier.name, publicKey: key.publicKey) { _ in [1, 2, 3] }
        #expect(code { _ = try SignedNote(signing: Array("a\n".utf8), by: [short]) } == .signingFailed)
    }

    @Test func twoKeysOfOneNameAndIDAreRefused() throws {
        // Found by counting: SHA-256("a\n" || 0x01 || key) begins with a06fc73f for both.
        let keys = [65_227, 67_083].map { number -> [UInt8] in
            [UInt8](repeating: 0, count: 28) + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
        }
        let name = try KeyName("a")
        let verifiers = try keys.map { try NoteVerifier(name: name, publicKey: $0) { _, _, _ in true } }
        #expect(verifiers.map(\.keyID) == [0xa06f_c73f, 0xa06f_c73f])
        let signer = try NoteSigner(name: name, publicKey: keys[0]) { _ in [UInt8](repeating: 0, count: 64) }
        let note = try SignedNote(signing: Array("a\n".utf8), by: [signer])
        #expect(code { _ = try note.verified(by: verifiers) } == .ambiguousKey)
        #expect(try note.verified(by: [verifiers[0], verifiers[0]]).signatures.count == 1)
    }
}

@Suite struct NoteFormTests {
    private static let line = PeterNeumann.line

    @Test(arguments: [
        "a\n\n\(line)\n", "\n\n\(line)\n", "a\n\nb\n\n\(line)\n", "a\n\n\n\(line)\n",
        "\u{e9} \u{7f}\n\n\(line)\n",
        "— b AAAAAAA=\n\n\(line)\n\(line)\n", "a\n\n— b AAAAAAA=\n",
    ])
    func wellFormedNotesReadBack(note: String) throws {
        let note = Array(note.utf8)
        let parsed = try SignedNote(note.span)
        #expect(parsed.bytes == note)
        #expect(try SignedNote(text: parsed.unverifiedText, signatures: parsed.signatures) == parsed)
    }

    @Test(arguments: [
        ("", TransparencyLogError.Code.malformed), ("a\n", .malformed), ("a\n\n", .malformed),
        ("\n\(line)\n", .malformed), ("a\n\(line)\n", .malformed), ("a\n\n\(line)", .truncated),
        ("a\n\n\(line)\n\n", .malformed), ("a\n\n\(line)\nb\n", .malformed), ("a\r\n\n\(line)\n", .notText),
        ("a\tb\n\n\(line)\n", .notText), ("a\0\n\n\(line)\n", .notText), ("a\n\n\(line)\r\n", .notText),
        ("a\n\n- b AAAAAAA=\n", .malformed), ("a\n\n—b AAAAAAA=\n", .malformed), ("a\n\n— b\n", .malformed),
        ("a\n\n—  AAAAAAA=\n", .malformed), ("a\n\n— b+c AAAAAAA=\n", .notText),
        ("a\n\n— b\u{a0}c AAAAAAA=\n", .notText), ("a\n\n— b\u{2028}c AAAAAAA=\n", .notText),
        ("a\n\n— b\u{85}c AAAAAAA=\n", .notText), ("a\n\n— b \n", .truncated),
        ("a\n\n— b AAAAAA==\n", .truncated),
        ("a\n\n— b AAAAAAB=\n", .notCanonical), ("a\n\n— b AAAAAAA\n", .malformed),
        ("a\n\n— b AAAAAAA= \n", .malformed), ("a\n\n— b  AAAAAAA=\n", .malformed),
        ("a\n\n— b AAAA AAA\n", .malformed),
    ])
    func malformedNotesAreRefused(note: String, expected: TransparencyLogError.Code) {
        #expect(code { _ = try parsed(note) } == expected)
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        for bad in [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]] as [[UInt8]] {
            let note = Array("a".utf8) + bad + Array("\n\n\(Self.line)\n".utf8)
            #expect(code { _ = try SignedNote(note.span) } == .notText)
        }
    }

    @Test func aHundredSignaturesAreTakenAndOneMoreIsRefused() throws {
        let lines = String(repeating: Self.line + "\n", count: 100)
        #expect(try parsed("a\n\n\(lines)").signatures.count == 100)
        #expect(code { _ = try parsed("a\n\n\(lines)\(Self.line)\n") } == .tooLong)
        let note = try parsed("a\n\n\(lines)")
        #expect(code { _ = try note.adding([note.signatures[0]]) } == .tooLong)
    }

    @Test func aNoteOfTheLargestSizeIsTakenAndOneByteMoreIsRefused() throws {
        let rest = "\n\n\(Self.line)\n"
        let text = String(repeating: "a", count: LogLimits.noteBytes - rest.utf8.count)
        #expect(throws: Never.self) { try parsed(text + rest) }
        #expect(code { _ = try parsed(text + "a" + rest) } == .tooLong)
        let signatures = try parsed("a\n\n\(Self.line)\n").signatures
        #expect(
            code { _ = try SignedNote(text: Array((text + "a\n").utf8), signatures: signatures) } == .tooLong)
    }

    @Test func aNoteWithoutSignaturesOrFinalNewlineIsNotMade() throws {
        #expect(code { _ = try SignedNote(text: [0x0a], signatures: []) } == .malformed)
        #expect(
            code { _ = try SignedNote(signing: Array("a".utf8), by: [try Ed25519Key(1).signer("a")]) }
                == .malformed)
        #expect(code { _ = try SignedNote(signing: Array("a\n".utf8), by: []) } == .malformed)
    }

    @Test func nothingIsSignedThatCouldNotBeANote() throws {
        let signer = try NoteSigner(name: try KeyName("a"), publicKey: Ed25519Key(1).publicKey) { _ in
            Issue.record("a signature was made")
            return []
        }
        #expect(code { _ = try SignedNote(signing: Array("a\tb\n".utf8), by: [signer]) } == .notText)
    }

    @Test func namesAreComparedByBytes() throws {
        #expect(try KeyName("caf\u{e9}") != KeyName("cafe\u{301}"))
        #expect(try KeyName("caf\u{e9}") == KeyName("caf\u{e9}"))
        #expect(throws: Never.self) { try KeyName(String(repeating: "a", count: 255)) }
        #expect(code { _ = try KeyName(String(repeating: "a", count: 256)) } == .tooLong)
    }
}

@Suite struct VerifierKeyTests {
    @Test func everyOneByteChangeIsRefused() throws {
        let vkey = Array(PeterNeumann.vkey.utf8)
        for position in vkey.indices {
            for byte in 0x20..<0x7f as Range<UInt8> where byte != vkey[position] {
                var changed = vkey
                changed[position] = byte
                #expect(throws: TransparencyLogError.self) {
                    try trusting(String(decoding: changed, as: UTF8.self))
                }
            }
        }
    }

    @Test func everyPartIsRefused() throws {
        let vkey = Array(PeterNeumann.vkey.utf8)
        for start in vkey.indices {
            for end in (start + 1)...vkey.count where end - start < vkey.count {
                #expect(throws: TransparencyLogError.self) {
                    try trusting(String(decoding: vkey[start..<end], as: UTF8.self))
                }
            }
        }
    }

    @Test(
        arguments: [
            // A key that is too long and a type that nobody knows, each with the ID that it makes.
            ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", nil),
            ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", .unsupportedAlgorithm),
            ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", .ambiguousKey),
            ("PeterNeumann+c74f20a3+", .truncated), ("PeterNeumann+c74f20a3", .malformed), ("", .malformed),
            ("a+" + String(repeating: "a", count: 5_000) + "+AQ==", .tooLong),
        ] as [(String, TransparencyLogError.Code?)])
    func otherKeysAreRefused(vkey: String, expected: TransparencyLogError.Code?) throws {
        let found = code { _ = try trusting(vkey) }
        #expect(found != nil)
        if let expected { #expect(found == expected) }
    }
}
