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
}
