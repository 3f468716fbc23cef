// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

@Suite struct CheckpointTests {
    private static let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    private static let text = "example.com/behind-the-sofa\n20852163\n\(root)\n"
    private static let empty = MerkleHash.emptyRoot.base64

    @Test(
        arguments: [
            (text, 20_852_163, []), ("a\n1\n\(root)\nmore\nand more\n", 1, ["more", "and more"]),
            ("a b+c \u{e9}\n9223372036854775807\n\(root)\n", LogLimits.treeSize, []),
            ("a\n0\n\(empty)\n", 0, []),
        ] as [(String, UInt64, [String])])
    func checkpointsReadBack(text: String, size: UInt64, extensionLines: [String]) throws {
        let text = Array(text.utf8)
        let checkpoint = try Checkpoint(text: text)
        #expect(checkpoint.text == text)
        #expect(checkpoint.head.size == size)
        #expect(checkpoint.extensionLines == extensionLines)
        let rebuilt = try Checkpoint(
            origin: checkpoint.origin, head: checkpoint.head, extensionLines: extensionLines)
        #expect(rebuilt == checkpoint)
    }

    @Test(arguments: [
        ("\n1\n\(root)\n", TransparencyLogError.Code.malformed), ("a\n\n\(root)\n", .malformed),
        ("a\n1\n\n", .truncated), ("a\n01\n\(root)\n", .notCanonical), ("a\n00\n\(empty)\n", .notCanonical),
        ("a\n-1\n\(root)\n", .malformed), ("a\n+1\n\(root)\n", .malformed), ("a\n1 \n\(root)\n", .malformed),
        ("a\n0x1\n\(root)\n", .malformed), ("a\n\u{661}\n\(root)\n", .malformed),
        ("a\n9223372036854775808\n\(root)\n", .outOfRange),
        ("a\n18446744073709551617\n\(root)\n", .outOfRange),
        ("a\n1\n\(root)", .truncated), ("a\n1\n\(root)\n\n", .malformed),
        ("a\n1\n\(root)\nb\n\nc\n", .malformed),
        ("a\n1\n\(root)\nb", .truncated), ("a\n1\n \(root)\n", .tooLong), ("a\n1\n\(root)\r\n", .tooLong),
        ("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", .notCanonical),
        ("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", .malformed), ("a\tb\n1\n\(root)\n", .notText),
        ("a\0b\n1\n\(root)\n", .notText), ("a\u{7f}\n1\n\(root)\n", .notText),
        ("a\u{9b}\n1\n\(root)\n", .notText),
        ("a\u{1b}[2J\n1\n\(root)\n", .notText), ("a\n1\n\(root)\nb\tc\n", .notText),
        ("a\n0\n\(root)\n", .rootMismatch),
        ("", .truncated),
    ])
    func malformedCheckpointsAreRefused(text: String, expected: TransparencyLogError.Code) {
        #expect(code { _ = try Checkpoint(text: Array(text.utf8)) } == expected)
    }

    @Test func everyPrefixIsRefused() {
        let text = Array(Self.text.utf8)
        for count in 0..<text.count {
            #expect(throws: TransparencyLogError.self) { try Checkpoint(text: Array(text[..<count])) }
        }
    }

    @Test func everyOneByteChangeIsRefusedOrAnotherCheckpoint() throws {
        let text = Array(Self.text.utf8)
        let checkpoint = try Checkpoint(text: text)
        for position in text.indices {
            for byte in 0...UInt8.max where byte != text[position] {
                var changed = text
                changed[position] = byte
                guard let other = try? Checkpoint(text: changed) else { continue }
                #expect(other != checkpoint)
                #expect(other.text == changed)
            }
        }
    }

    @Test func anOriginOfTheLargestSizeIsTakenAndOneByteMoreIsRefused() throws {
        let head = try TreeHead(size: 1, root: try Hash(base64: Self.root))
        let origin = String(repeating: "a", count: 255)
        #expect(throws: Never.self) { try Checkpoint(origin: origin, head: head) }
        #expect(code { _ = try Checkpoint(origin: origin + "a", head: head) } == .tooLong)
        for scalar in ["\n", "\u{7f}", "\u{200c}", "\u{202e}", "\u{2028}", "\u{115f}"] {
            #expect(code { _ = try Checkpoint(origin: "a\(scalar)b", head: head) } == .notText)
            #expect(code { _ = try KeyName("a\(scalar)b") } == .notText)
        }
        #expect(code { _ = try Checkpoint(origin: "a", head: head, extensionLines: [""]) } == .malformed)
        #expect(code { _ = try Checkpoint(origin: "a", head: head, extensionLines: ["b\nc"]) } == .notText)
    }

    @Test func originsAreComparedByBytes() throws {
        let head = try TreeHead(size: 1, root: try Hash(base64: Self.root))
        #expect(
            try Checkpoint(origin: "caf\u{e9}", head: head) != Checkpoint(origin: "cafe\u{301}", head: head))
    }

    @Test func theSpecificationsSignedCheckpointReadsBack() throws {
        let note = """
            example.com/behind-the-sofa
            20852163
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

            — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
            — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==

            """
        let signed = try parsed(note)
        #expect(signed.bytes == Array(note.utf8))
        #expect(signed.signatures.map(\.signature.count) == [64, 72])
        #expect(try Checkpoint(text: signed.unverifiedText).head.size == 20_852_163)
    }
}

@Suite struct VerifiedCheckpointTests {
    private let log = Ed25519Key(1)
    private let witness = Ed25519Key(2)

    private func checkpoint(_ origin: String = "log.example") throws -> Checkpoint {
        try Checkpoint(origin: origin, head: try tree(of: sampleEntries(3)).frontier.head)
    }

    @Test func theLogsSignatureIsEnoughAndWitnessesAreCounted() throws {
        let checkpoint = try checkpoint()
        let note = try SignedNote(signing: checkpoint, by: [try log.signer("log.example")])
        let logKeys = [try log.verifier("log.example")]
        let verified = try VerifiedCheckpoint(note, origin: "log.example", logKeys: logKeys)
        #expect(verified.checkpoint == checkpoint)
        #expect(verified.witnessSignatures.isEmpty)

        let cosigned = try note.adding([try witness.cosignature("w", over: checkpoint.text, time: 5)])
        let witnesses = [try witness.verifier("w", .timestampedCosignature)]
        let seen = try VerifiedCheckpoint(
            cosigned, origin: "log.example", logKeys: logKeys, witnesses: witnesses)
        #expect(seen.witnessSignatures.map(\.timestamp) == [5])
    }

    @Test func aWitnessAloneDoesNotSpeakForTheLog() throws {
        let checkpoint = try checkpoint()
        let line = try witness.cosignature("w", over: checkpoint.text, time: 5)
        let note = try SignedNote(text: checkpoint.text, signatures: [line])
        let witnesses = [try witness.verifier("w", .timestampedCosignature)]
        #expect(
            code {
                _ = try VerifiedCheckpoint(
                    note, origin: "log.example", logKeys: [try log.verifier("log.example")],
                    witnesses: witnesses)
            } == .noTrustedSignature)
        // Not even where it was given as the log's own key.
        #expect(
            code { _ = try VerifiedCheckpoint(note, origin: "log.example", logKeys: witnesses) }
                == .noTrustedSignature)
        #expect(
            code { _ = try VerifiedCheckpoint(note, origin: "log.example", logKeys: []) }
                == .noTrustedSignature)
    }

    @Test func anotherLogsCheckpointIsRefusedUnderTheSameKey() throws {
        let note = try SignedNote(
            signing: try checkpoint("other.example"), by: [try log.signer("log.example")])
        let logKeys = [try log.verifier("log.example")]
        #expect(throws: Never.self) {
            try VerifiedCheckpoint(note, origin: "other.example", logKeys: logKeys)
        }
        #expect(
            code { _ = try VerifiedCheckpoint(note, origin: "log.example", logKeys: logKeys) } == .wrongOrigin
        )
    }

    @Test func aSignedTextThatIsNoCheckpointIsRefused() throws {
        let note = try SignedNote(signing: Array("hello\n".utf8), by: [try log.signer("log.example")])
        #expect(
            code {
                _ = try VerifiedCheckpoint(
                    note, origin: "hello", logKeys: [try log.verifier("log.example")])
            } == .truncated)
    }
}
