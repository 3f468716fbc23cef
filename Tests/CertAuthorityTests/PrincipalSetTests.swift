// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@Suite("Principals and identities")
struct PrincipalSetTests {
    @Test(arguments: [
        "alice", "Alice", "a", "svc-backup", "first.last", "alice@example.com", "DOMAIN+alice", "team:web",
        "role/admin", "k=v", "_apt", "0", String(repeating: "a", count: 255),
    ])
    func aPlainNameIsAPrincipalAsItIs(name: String) throws {
        #expect(try PrincipalSet(users: [name]).names == [ExactText(name)])
    }

    @Test(arguments: [[], [""], [" "], ["\t"], ["alice", ""], ["\u{a0}"], ["\u{3000}"]] as [[String]])
    func attack01_withoutAPrincipalThereIsNoCertificate(names: [String]) throws {
        #expect(try refusalCode { _ = try PrincipalSet(users: names) } == .invalidRequest)
        #expect(
            try refusalCode { _ = try PrincipalSet(hosts: names, allowWildcards: true) } == .invalidRequest)
    }

    @Test(arguments: ["*", "?", "al*", "ro?t", "[a-z]", "!root", "*.example.com"])
    func attack03_aPatternIsNoUserPrincipal(name: String) throws {
        #expect(try refusalCode { _ = try PrincipalSet(users: [name]) } == .invalidRequest)
    }

    @Test(arguments: ["*.example.com", "web?.example.com"])
    func attack03_aHostPatternNeedsPolicy(name: String) throws {
        #expect(
            try refusalCode { _ = try PrincipalSet(hosts: [name], allowWildcards: false) }
                == .invalidRequest)
        #expect(try PrincipalSet(hosts: [name], allowWildcards: true).names == [ExactText(name)])
    }

    @Test(arguments: ["alice,root", ",", "alice,", ",root", "alice, root"])
    func attack04_aCommaNeverMakesTwoPrincipalsOfOne(name: String) throws {
        #expect(try refusalCode { _ = try PrincipalSet(users: [name]) } == .invalidRequest)
        #expect(
            try refusalCode { _ = try PrincipalSet(hosts: [name], allowWildcards: true) } == .invalidRequest)
        #expect(try PrincipalSet(users: ["alice", "root"]).names == ["alice", "root"])
    }

    /// What an identity provider says of a person is one value, however it reads.
    @Test(arguments: ["alice,root", "alice root", "alice;root", "root"])
    func attack05_anAttributeNeverAddsAPrincipal(attribute: String) throws {
        let request = try Sample.userRequest(["alice"], identity: attribute)
        #expect(request.principals.names == ["alice"])
        #expect(request.identity.text == ExactText(attribute))
    }

    @Test(arguments: [
        "a;id", "$(id)", "`id`", "a|b", "a&b", "a>b", "a<b", "a'b", "a\"b", "a\\b", "a b", "a\nb", "a\rb",
        "a\tb", "a\0b", "a{b}", "a(b)", "~root", "#root", "%u", "a^b", "-oProxyCommand", "--", "a\u{1b}[2J",
    ])
    func attack08_whatAShellOrConfigurationWouldActOnIsRefused(name: String) throws {
        #expect(try refusalCode { _ = try PrincipalSet(users: [name]) } == .invalidRequest)
        #expect(
            try refusalCode { _ = try PrincipalSet(hosts: [name], allowWildcards: true) } == .invalidRequest)
    }

    /// Cyrillic a, long s, fullwidth r, combining accent in both spellings, zero-width joiner, bidirectional override.
    @Test(arguments: [
        "\u{430}lice", "\u{17f}ystem", "\u{ff52}oot", "jos\u{e9}", "jose\u{301}", "ro\u{200d}ot",
        "ro\u{202e}ot", "root\u{301}", "K\u{212a}", "e\u{fe0f}",
    ])
    func attack15_aNameThatLooksLikeAnotherIsRefused(name: String) throws {
        #expect(try refusalCode { _ = try PrincipalSet(users: [name]) } == .invalidRequest)
        #expect(
            try refusalCode { _ = try PrincipalSet(hosts: [name], allowWildcards: true) } == .invalidRequest)
    }

    @Test func everyByteOfAsciiIsEitherListedOrRefused() throws {
        let allowed = Set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@=:/".unicodeScalars)
        for value in UInt8(0)..<128 {
            let scalar = Unicode.Scalar(value)
            let isTaken = try refusalCode { _ = try PrincipalSet(users: ["x\(scalar)x"]) } == nil
            #expect(isTaken == allowed.contains(scalar), "U+\(String(value, radix: 16))")
        }
    }

    @Test func thereAreAtMostAsManyPrincipalsAsSSHTakes() throws {
        let names = (1...257).map { "user\($0)" }
        #expect(try PrincipalSet(users: Array(names.prefix(256))).names.count == 256)
        #expect(try refusalCode { _ = try PrincipalSet(users: names) } == .invalidRequest)
    }

    @Test func aNameHasAnEnd() throws {
        let long = String(repeating: "a", count: 256)
        #expect(try refusalCode { _ = try PrincipalSet(users: [long]) } == .invalidRequest)
        let host = String(repeating: "a", count: 254)
        #expect(
            try refusalCode { _ = try PrincipalSet(hosts: [host], allowWildcards: false) } == .invalidRequest)
        let longest = String(host.dropLast())
        #expect(try PrincipalSet(hosts: [longest], allowWildcards: false).names == [ExactText(longest)])
    }

    @Test func aNameIsGivenOnce() throws {
        #expect(
            try refusalCode { _ = try PrincipalSet(users: ["alice", "bob", "alice"]) } == .invalidRequest)
        // Other bytes are another name.
        #expect(try PrincipalSet(users: ["alice", "Alice"]).names.count == 2)
    }

    @Test(arguments: ["web1.example.com", "web1", "192.0.2.1", "2001:db8::1", "_dmarc.example.com"])
    func hostNamesAndAddressesAreTaken(name: String) throws {
        #expect(try PrincipalSet(hosts: [name], allowWildcards: false).names == [ExactText(name)])
    }

    @Test(arguments: ["Web1.example.com", "2001:DB8::1", "web1/24", "user@host", "[::1]", "fe80::1%eth0"])
    func whatSSHWouldNeverMatchAsAHostIsRefused(name: String) throws {
        #expect(
            try refusalCode { _ = try PrincipalSet(hosts: [name], allowWildcards: true) } == .invalidRequest)
    }

    @Test func anErrorShowsHostileTextEscaped() {
        let error = #expect(throws: CertAuthorityError.self) { try PrincipalSet(users: ["a\u{1b}[2J\nb"]) }
        #expect(error?.reason.contains("\u{1b}") == false)
        #expect(error?.reason.contains("\n") == false)
    }

    @Test(arguments: ["alice", "alice@example.com", "José", "a b", String(repeating: "x", count: 256)])
    func anIdentityIsFreeTextInOneLine(text: String) throws {
        #expect(try Identity(text).text == ExactText(text))
    }

    @Test(arguments: [
        "", " ", "\n", " alice", "alice ", "alice\u{a0}", "al\nice", "al\0ice", "al\u{1b}ice",
        "al\u{202e}ice",
        "al\u{200b}ice", "al\tice", "al\u{2028}ice", "alice#1", "#", String(repeating: "x", count: 257),
    ])
    func anIdentityThatWouldBreakItsLineIsRefused(text: String) throws {
        #expect(try refusalCode { _ = try Identity(text) } == .invalidRequest)
    }

    @Test func twoSpellingsOfALetterAreTwoIdentities() throws {
        #expect(try Identity("jos\u{e9}") != Identity("jose\u{301}"))
    }
}
