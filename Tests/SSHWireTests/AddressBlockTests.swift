// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite("Addresses that a certificate is bound to") struct AddressBlockTests {
    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
        ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.6", false),
        ("192.0.2.6/31", "192.0.2.7", true),
        ("192.0.2.6/31", "192.0.2.8", false), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false),
        ("128.0.0.0/1", "128.0.0.1", true), ("128.0.0.0/1", "127.255.255.255", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
        ("2001:db8::1", "2001:DB8:0:0:0:0:0:1", true), ("::/0", "2001:db8::1", true),
        ("::/0", "192.0.2.1", false),
        ("2001:db8::/33", "2001:db8:7fff::", true), ("2001:db8::/33", "2001:db8:8000::", false),
        // sshd compares an IPv4 client in IPv6 clothes as the IPv4 address.
        ("192.0.2.0/24", "::ffff:192.0.2.1", true), ("192.0.2.0/24", "::ffff:c000:0201", true),
        ("192.0.2.0/24", "::ffff:192.0.3.1", false), ("::/0", "::ffff:192.0.2.1", false),
        ("192.0.2.1", "::192.0.2.1", false),
    ])
    func attack26_aBlockHoldsItsAddressesAndNoOthers(block: String, address: String, holds: Bool) throws {
        #expect(try AddressBlock(block).contains(try IPAddress(address)) == holds)
    }

    @Test(arguments: [
        "192.0.2.1/24", "192.0.2.128/24", "0.0.0.1/0", "2001:db8::1/64", "::1/0", "128.0.0.0/0",
    ])
    func bitsBehindThePrefixAreRefused(text: String) {
        let error = wireError { _ = try AddressBlock(text) }
        #expect(error?.code == .invalidValue)
        #expect(error?.reason.contains("bits are set behind the prefix") == true)
    }

    @Test(arguments: [
        "", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/08",
        "192.0.2.0/8 ",
        "192.0.2.0/24/24", "192.0.2.0/18446744073709551616", "192.0.2.0/0x8", "192.0.2.0/255.255.255.0",
        "192.0.2",
        "192.0.2.0.0", "192.0.2.256", "192.0.2.010", "0192.0.2.0", "192.0.2.0x1", " 192.0.2.0",
        "!192.0.2.0/24",
        "192.0.2.*", "localhost", "*", "::1%lo", "fe80::1%eth0/64", "2001:db8::/129", "2001:db8::1::",
        "12345::",
        "::ffff:192.0.2.0/120", "::ffff:192.0.2.1", "::ffff:0:0/96", "[::1]", "192.0.2.1\0", "１92.0.2.1",
        "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7",
    ])
    func whatIsNoBlockIsRefused(text: String) {
        #expect(refusal { () throws(SSHWireError) in try AddressBlock(text) } == .invalidValue)
    }

    @Test func aListIsSplitAtCommasAndEveryPartCounts() throws {
        #expect(
            try AddressBlock.list("192.0.2.0/24,2001:db8::/32").map(\.description) == [
                "192.0.2.0/24", "2001:db8::/32",
            ])
        for text in [
            "", ",", "192.0.2.1,", ",192.0.2.1", "192.0.2.1, 192.0.2.2", "192.0.2.1,,::1",
            "192.0.2.1,!192.0.2.2",
        ] {
            #expect(
                refusal { () throws(SSHWireError) in try AddressBlock.list(text) } == .invalidValue, "\(text)"
            )
        }
        let many = [String](repeating: "192.0.2.1", count: 1_024)
        #expect(try AddressBlock.list(many.joined(separator: ",")).count == 1_024)
        #expect(
            refusal { () throws(SSHWireError) in
                try AddressBlock.list((many + ["::1"]).joined(separator: ","))
            } == .tooLong)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("192.0.2.1/32", "192.0.2.1"), ("2001:DB8:0::/32", "2001:db8::/32"),
        ("::1/128", "::1"), ("0.0.0.0/0", "0.0.0.0/0"),
    ])
    func aBlockIsWrittenInItsShortestForm(text: String, written: String) throws {
        let block = try AddressBlock(text)
        #expect(block.description == written)
        #expect(try AddressBlock(written) == block)
    }

    @Test func anErrorEscapesWhatItQuotes() {
        let error = wireError { _ = try IPAddress("\u{1b}[2J") }
        #expect(error?.reason == "address \"\\u{1b}[2J\": not an IPv4 or IPv6 address")
    }
}

@Suite("Host names with wildcards") struct HostPatternTests {
    @Test(arguments: [
        ("web1.example", "web1.example", true), ("web1.example", "web2.example", false),
        ("*.example", "web1.example", true),
        ("*.example", "a.b.example", true), ("*.example", "example", false), ("*.example", ".example", true),
        ("web?", "web1", true), ("web?", "web", false), ("web?", "web12", false), ("*", "anything", true),
        ("**", "x", true), ("*a*b*c*", "xxaxxbxxcxx", true), ("*a*b*c*", "xxaxxcxxbxx", false),
        ("a*", "a", true),
        ("a*b", "ab", true), ("a*b", "abc", false), ("?*", "x", true), ("?", "", false), ("", "x", false),
        ("WEB1", "web1", false), ("*ab", "aab", true), ("*aab", "aaab", true), ("!web1", "web1", false),
        ("web1,web2", "web1", false), ("[a-z]", "b", false), ("\\*", "*", false),
    ])
    func aPatternMatchesAsOpenSSHMatches(pattern: String, name: String, matches: Bool) {
        #expect(HostPattern.matches(ExactText(pattern), ExactText(name)) == matches)
    }

    /// OpenSSH lets `*` match an empty name; nobody has one, and whoever judges one has lost the real one on the way.
    @Test func anEmptyNameIsNoHost() {
        #expect(!HostPattern.matches("*", ""))
        #expect(!HostPattern.matches("", ""))
    }

    @Test func attack70_matchingTakesLinearlyManySteps() {
        let stars = ExactText(String(repeating: "a*", count: 400) + "b")
        let letters = ExactText(String(repeating: "a", count: 1_000))
        let clock = ContinuousClock()
        let took = clock.measure { #expect(!HostPattern.matches(stars, letters)) }
        // Exponential time would not end before the sun; pattern times name is under a million steps.
        #expect(took < .seconds(2), "\(took)")
        #expect(HostPattern.matches(stars, ExactText(letters.string + "b")))
    }

    @Test func randomPatternsAgreeWithAnObviousMatcher() {
        func obvious(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            if first == UInt8(ascii: "*") {
                return (0...name.count).contains { obvious(pattern.dropFirst(), name.dropFirst($0)) }
            }
            guard let next = name.first, first == UInt8(ascii: "?") || first == next else { return false }
            return obvious(pattern.dropFirst(), name.dropFirst())
        }
        var numbers = RepeatableNumbers(state: 70)
        for _ in 0..<20_000 {
            let pattern = String(
                (0..<Int.random(in: 0...7, using: &numbers)).map { _ in
                    "ab*?".randomElement(using: &numbers) ?? "a"
                })
            let name = String(
                (0..<Int.random(in: 1...7, using: &numbers)).map { _ in
                    "ab".randomElement(using: &numbers) ?? "a"
                })
            #expect(
                HostPattern.matches(ExactText(pattern), ExactText(name))
                    == obvious(Array(pattern.utf8)[...], Array(name.utf8)[...]), "\(pattern) \(name)")
        }
    }
}
