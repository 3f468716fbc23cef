// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@testable import ControlProtocol

@Suite("docs/formats/match-code.md")
struct MatchCodePageTests {
    private static let id = "3f0c9f6c1f4e6b1e9a52b1d7c0b5de8a4471a6f6c7f0a2b94d61c2e3f5a79b08"

    /// The page's code blocks.
    private func blocks() throws -> [String] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try FileIO.read("/\(root)/docs/formats/match-code.md", maximumBytes: 64 << 10)
        return String(decoding: page, as: UTF8.self).split(separator: "```").enumerated()
            .filter { !$0.offset.isMultiple(of: 2) }
            .map { _, block in String(block.drop { $0 != "\n" }.dropFirst().dropLast()) }
    }

    @Test func theExampleIsWhatTheCodeMakes() throws {
        let blocks = try blocks()
        try #require(blocks.count == 3)
        let lines = blocks[0].split(separator: "\n").map(String.init)
        guard case .key(let key) = try PublicKeyLine(lines[1]).content else {
            Issue.record("the page's second line is no key")
            return
        }
        let hashed = String(decoding: MatchCode.message(signIn: lines[0], sessionKey: key), as: UTF8.self)
        #expect(hashed == blocks[1] + "\n")
        let code = MatchCode.code(signIn: lines[0], sessionKey: key)
        #expect(MatchCode.spelled(code) == blocks[2])
        #expect(MatchCode.typed(blocks[2]) == code)
    }

    @Test func anotherNameOrKeyHasAnotherCode() throws {
        var codes: Set<String> = []
        for number in 0..<50 {
            let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
            let code = MatchCode.code(signIn: "\(Self.id)\(number % 2)", sessionKey: key)
            #expect(code.utf8.count == MatchCode.digits && code.allSatisfy(\.isNumber))
            codes.insert(code)
        }
        #expect(codes.count > 40)
    }

    @Test(arguments: [
        ("012 345", "012345"), ("012345", "012345"), (" 01-23-45 ", "012345"), ("01234", nil),
        ("0123456", nil),
        ("", nil), ("01234a", nil), ("٠١٢٣٤٥", nil), ("012\u{a0}345", nil), ("+12345", nil),
        (String(repeating: " ", count: 100) + "012345", nil),
    ]) func whatIsTypedIsSixDigits(text: String, code: String?) {
        #expect(MatchCode.typed(text) == code)
    }
}
