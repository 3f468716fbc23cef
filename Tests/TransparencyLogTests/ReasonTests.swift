// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

@Suite struct ReasonTests {
    private static let hostile = "a\u{1b}[2J\u{202e}\u{9b}\n\"\\"

    @Test(
        arguments: [
            { _ = try KeyName(hostile) }, { _ = try Tile(path: hostile) },
            { _ = try NoteSignature(line: hostile) }, { _ = try trusting(hostile) },
            { _ = try Checkpoint(text: Array("a\n\(hostile)\n".utf8)) },
            { _ = try Checkpoint(origin: hostile, head: Frontier().head) },
            { _ = try parsed("a\n\n— \u{202e} AAAAAAA=\n").verified(by: []) },
            {
                let log = try SignedLog(sampleEntries(1))
                _ = try VerifiedCheckpoint(
                    try log.note(1), origin: hostile, logKeys: try SignedLog.logKeys())
            },
        ] as [@Sendable () throws -> Void])
    func attack39_aHostileTextIsEscapedInTheReason(refused: @Sendable () throws -> Void) throws {
        let error = failure(of: refused)
        let reason = try #require(error).reason
        #expect(reason.unicodeScalars.allSatisfy { (0x20..<0x7f).contains($0.value) || $0 == "…" })
    }

    @Test func aLongTextIsCutInTheReason() throws {
        let error = failure { _ = try NoteSignature(line: String(repeating: "a", count: 100_000)) }
        let reason = try #require(error).reason
        #expect(reason.utf8.count < 200)
    }

    @Test func errorsAreEqualByTheirCode() {
        #expect(TransparencyLogError(.missing, "one") == TransparencyLogError(.missing, "other"))
        #expect(TransparencyLogError(.missing, "one") != TransparencyLogError(.malformed, "one"))
    }
}
