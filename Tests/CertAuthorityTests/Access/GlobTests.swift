// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CertAuthority

@Suite("Patterns of hosts in an access policy")
struct GlobTests {
    @Test(arguments: [
        ("web1", "web1"), ("*", "a"), ("web*", "web"), ("*b*", "abc"), ("w?b", "wab"), ("a*b*c", "axxbyyc"),
        ("**", "x"),
        ("*.example.com", "a.b.example.com"),
    ])
    func aPatternMatches(pattern: String, name: String) throws {
        #expect(try Glob(pattern).matches(Array(name.utf8)))
    }

    @Test(arguments: [
        ("web1", "web12"), ("web1", "Web1"), ("*", ""), ("web?", "web"), ("w?b", "waab"), ("a*b*c", "axxbyy"),
        ("*.example.com", "example.com"), ("*.example.com", "a.example.com.evil.org"),
    ])
    func aPatternDoesNotMatch(pattern: String, name: String) throws {
        #expect(try !Glob(pattern).matches(Array(name.utf8)))
    }

    @Test(arguments: [
        "", "[ab]", "{a,b}", "!web1", "a b", "a\\*", "a\u{1b}", String(repeating: "a", count: 257),
    ])
    func whatIsNoPatternIsRefused(pattern: String) {
        #expect(throws: CertAuthorityError.self) { try Glob(pattern) }
    }

    @Test(.timeLimit(.minutes(10)))
    func attack70_aHostilePatternOfAPolicyTakesNoTime() throws {
        let pattern = try Glob(String(repeating: "*a", count: 127) + "b")
        let name = [UInt8](repeating: UInt8(ascii: "a"), count: 253)
        for _ in 0..<1_000 { #expect(!pattern.matches(name)) }
    }
}
