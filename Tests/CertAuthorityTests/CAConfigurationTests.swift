// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("The CA's configuration file")
struct CAConfigurationTests {
    private func parse(_ yaml: String) throws(CertAuthorityError) -> CAConfiguration {
        try CAConfiguration(yaml: yaml, name: "config.yaml")
    }

    private func refusal(_ yaml: String) -> CertAuthorityError? {
        do {
            _ = try parse(yaml)
            return nil
        } catch {
            return error
        }
    }

    private let head = "version: 1\norigin: example.com/ca\n"

    @Test func theLeastFileGivesTheDefaults() throws {
        #expect(try parse(head) == CAConfiguration(origin: "example.com/ca"))
    }

    @Test func whatIsWrittenReadsBack() throws {
        var settings = CAConfiguration(origin: "example.com/ca")
        #expect(try parse(settings.yaml) == settings)
        settings.hasRandomSerials = true
        settings.agentRoles = [.host]
        settings.policy.backdate = 0
        settings.policy.maximumPostdate = 0
        settings.policy.permissions = []
        settings.policy.user = .init(defaultLifetime: 1, maximumLifetime: .max)
        settings.policy.host = .init(defaultLifetime: 694_861, maximumLifetime: 694_862)
        settings.policy.allowsHostWildcards = true
        let read = try parse(settings.yaml)
        #expect(read == settings)
        #expect(read.yaml == settings.yaml)
    }

    @Test(arguments: Permission.allCases)
    func eachPermissionHasAName(permission: Permission) throws {
        var settings = CAConfiguration(origin: "example.com/ca")
        settings.policy.permissions = [permission]
        #expect(try parse(settings.yaml) == settings)
    }

    @Test(arguments: [
        ("verzion: 1\n", "verzion"), ("Version: 1\n", "Version"),
        ("issuance: {backdated: 1m}\n", "issuance.backdated"),
        ("issuance: {user: {max_lifetim: 1h}}\n", "issuance.user.max_lifetim"),
        ("issuance: {user: {wildcards: true}}\n", "issuance.user.wildcards"),
        ("issuance: {host: {permissions: []}}\n", "issuance.host.permissions"),
        ("custody: {log: agent}\n", "custody.log"), ("<<: {serials: random}\n", "<<"), ("1: 2\n", "1"),
        ("[a]: 2\n", "?"),
    ])
    func anUnknownKeyIsRefusedByItsPath(line: String, path: String) throws {
        let error = try #require(refusal(head + line))
        #expect(error.code == .configuration)
        #expect(error.reason.hasPrefix("config.yaml: \(path): not known here"), "\(error.reason)")
    }

    @Test(arguments: [
        "origin: other.example.com\n", "\"origin\": other.example.com\n",
        "serials: random\nserials: sequential\n",
        "issuance: {backdate: 1m, backdate: 2m}\n", "issuance: {}\nissuance: {}\n",
    ])
    func aKeyThatIsGivenTwiceIsRefused(lines: String) {
        #expect(refusal(head + lines)?.code == .configuration)
    }

    @Test(arguments: [
        "version: 2\norigin: a\n", "version: one\norigin: a\n", "version: [1]\norigin: a\n", "origin: a\n",
        "version: 1\n", "version: 1\norigin:\n", "version: 1\norigin: ''\n", "version: 1\norigin: [a]\n",
        "version: 1\norigin: {a: b}\n", "", "a", "- a\n", "[]", "null", "---\n---\n",
        "version: 1\n---\nversion: 1\n",
    ])
    func aFileWithoutItsHeadIsRefused(yaml: String) {
        #expect(refusal(yaml)?.code == .configuration)
    }

    @Test(arguments: [
        "serials: fast\n", "serials: [random]\n", "issuance: 5\n", "issuance: []\n", "custody: file\n",
        "issuance: {backdate: -1s}\n", "issuance: {backdate: soon}\n", "issuance: {backdate: [1m]}\n",
        "issuance: {user: {max_lifetime: 0}}\n", "issuance: {user: {default_lifetime: 0s}}\n",
        "issuance: {user: {max_lifetime: 1h}}\n", "issuance: {host: {default_lifetime: 91d}}\n",
        "issuance: {user: {max_lifetime: 18446744073709551616}}\n",
        "issuance: {user: {permissions: pty}}\n", "issuance: {user: {permissions: [PTY]}}\n",
        "issuance: {user: {permissions: [[pty]]}}\n", "issuance: {user: {permissions: [all]}}\n",
        "issuance: {host: {wildcards: yes}}\n", "issuance: {host: {wildcards: 1}}\n",
        "custody: {user: hsm}\n", "custody: {user: }\n",
    ])
    func aValueOfAnotherFormIsRefused(line: String) {
        #expect(refusal(head + line)?.code == .configuration)
    }

    @Test(arguments: [
        "issuance: {user: {max_lifetime: 8h}}\n", "issuance: {user: {default_lifetime: 24h}}\n",
        "issuance: {backdate: 0}\n", "issuance: {user: {permissions: []}}\n", "serials: random\n",
        "issuance: {host: {wildcards: true}}\n", "custody: {user: agent}\n", "custody: {}\n",
    ])
    func itsNearestNeighbourIsTaken(line: String) {
        #expect(refusal(head + line) == nil)
    }

    @Test func anErrorShowsHostileTextEscaped() throws {
        let error = try #require(refusal(head + "\"a\\e[2J\\nb\": 1\n"))
        #expect(error.reason.allSatisfy { $0 != "\u{1b}" && $0 != "\n" })
    }

    @Test(arguments: [
        "example.com/ca", "123", "1.5", "true", "null", "~", "a:b", "a:", "#a", "a#b", "[a]", "{a}", "'a'",
        "\"a\"",
        "a\\b", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`", "-", "--", "---", "?", "?a", "=", "<<", "a,b",
        "\u{e9}",
        "e\u{301}", "\u{1f511}",
        String(repeating: "x", count: 255),
    ])
    func everyOriginThatACheckpointTakesReadsBack(origin: String) throws {
        let settings = CAConfiguration(origin: origin)
        let read = try parse(settings.yaml)
        #expect(ExactText(read.origin) == ExactText(origin))
        #expect(read.yaml == settings.yaml)
    }

    @Test(arguments: [
        "\"two\\nlines\"", "\"a\\0b\"", "\"a\\e[2J\"", "|\n  a\n  b", "a b", "a+b", "\" a\"", "\"a\\u2028b\"",
        String(repeating: "x", count: 256),
    ])
    func anOriginThatNoCheckpointTakesIsRefusedByItsKey(yaml: String) throws {
        let error = try #require(refusal("version: 1\norigin: \(yaml)\n"))
        #expect(error.code == .configuration)
        #expect(error.reason.contains("origin"), "\(error.reason)")
    }

    /// Looked up by their text, found by their text and type: such a key was known and yet not read.
    @Test(arguments: [
        "!x serials: random\n", "!!int serials: random\n",
        "issuance: {user: {!y max_lifetime: 1h, default_lifetime: 1h}}\n",
        "!!binary custody: {user: agent}\n",
    ])
    func aKeyWithATagIsReadAsItsTextSays(line: String) throws {
        let plain = line.split(separator: " ").filter { !$0.contains("!") }.joined(separator: " ")
        let braced =
            line.hasPrefix("issuance")
            ? "issuance: {user: {max_lifetime: 1h, default_lifetime: 1h}}\n" : plain
        #expect(try parse(head + line) == parse(head + braced))
        #expect(try parse(head + line) != parse(head))
    }

    @Test(arguments: ["!x origin: b\n", "!x version: 1\n", "issuance: {backdate: 1m, !x backdate: 2m}\n"])
    func aKeyThatIsGivenTwiceUnderTwoTagsIsRefused(line: String) {
        #expect(refusal(head + line)?.code == .configuration)
    }

    @Test func aFileOverItsMostBytesIsRefused() throws {
        let filler = "#" + String(repeating: "x", count: CAConfiguration.maximumBytes)
        let fits = head + filler.prefix(CAConfiguration.maximumBytes - head.utf8.count)
        #expect(refusal(fits) == nil)
        #expect(refusal(fits + "x")?.code == .configuration)
    }

    static let hostile: [String: String] = {
        let depth = 20_000
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            let aliases = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(aliases)]\n"
        }
        var wide = "a: 1"
        for _ in 0..<200 { wide = "? {" + wide + "}\n" }
        let manyKeys = (0..<5_000).map { "k\($0): 1" }.joined(separator: ", ")
        return [
            "an alias bomb": bomb,
            "an alias bomb as a key": bomb + "? *a11\n: 1\n",
            "an anchor in itself": "a: &a [*a]\n",
            "nested lists": String(repeating: "[", count: depth),
            "nested and closed lists": String(repeating: "[", count: depth)
                + String(repeating: "]", count: depth),
            "nested maps": String(repeating: "{a: ", count: depth / 2),
            "nested keys": String(repeating: "{", count: depth),
            "nested and closed keys": String(repeating: "? {", count: 900) + manyKeys.prefix(40_000)
                + String(repeating: "}", count: 900),
            "nested block lists": String(repeating: "- ", count: depth),
            "nested block keys": String(repeating: "? ", count: 990) + "a",
            "NUL": "a: \0",
            "a lone tab": "\t",
            "an unknown directive": "%YAML 9.9\n---\na: 1\n",
            "an unended text": "a: \"",
            "many documents": String(repeating: "---\n", count: 10_000),
        ]
    }()

    @Test(.timeLimit(.minutes(10)), arguments: hostile.keys.sorted())
    func aHostileFileIsRefusedWithoutHangOrCrash(name: String) throws {
        let yaml = try #require(Self.hostile[name])
        #expect(refusal(yaml)?.code == .configuration)
        #expect(refusal(head + yaml)?.code == .configuration)
    }
}
