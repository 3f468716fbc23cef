// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("What an access policy puts into certificates")
struct AccessTermsTests {
    private func policy(_ certificate: String, logins: String = "['*']") throws -> AccessPolicy {
        try AccessSample.policy(
            "- {name: r, hosts: [{any: true}], logins: \(logins), allow: {and: [{authenticated_user: true}]}, "
                + "certificate: {\(certificate)}}\n")
    }

    private func principals(_ template: String, _ request: AccessRequest) throws -> [String]? {
        try policy("principals: \(template)").decide(request).grant?.principals.names.map(\.string)
    }

    @Test func theLeastRuleGivesTheDefaults() throws {
        let grant = try #require(try policy("").decide(AccessSample.request()).grant)
        #expect(grant.principals.names == ["deploy@web1"])
        #expect(grant.lifetime == 600)
        #expect(grant.options == (try UserOptions(permissions: [.pty])))
        #expect(!grant.mayUseSudo)
    }

    @Test(arguments: [
        ("['{login}']", ["deploy"]),
        ("['{login}@{host}', '{label.team}/{login}']", ["deploy@web1", "infra/deploy"]),
        ("['{email}']", ["alice@example.com"]), ("['{identity}@{host}']", ["alice@example.com@web1"]),
        ("['{email.local}', '{claim.unix_account}']", ["alice"]), ("['team={label.team}']", ["team=infra"]),
        ("fixed", ["fixed"]),
    ])
    func aTemplateMakesOnePrincipal(template: String, expected: [String]) throws {
        #expect(try principals(template, AccessSample.request()) == expected)
    }

    /// The attribute of OpenBao's GHSA-59w7-v8rr-pr4p: a comma, and whatever else could add an element or a host.
    @Test(arguments: [
        "alice,root", "alice root", "root@db1", "alice\nroot", "", "*", "al?ce", "-alice", "a:b", "a/b",
        "team=x", "a+b",
        "alic\u{e9}", "alice\u{200b}", String(repeating: "a", count: 300),
    ])
    func attack05_aValueThatCouldBeMoreThanOneNameIsRefused(value: String) throws {
        let request = try AccessSample.request {
            $0.person = try AccessSample.person(claims: ["name": .text(value)])
        }
        for template in ["['{claim.name}']", "['{claim.name}@{host}']", "[deploy, '{claim.name}']"] {
            let decision = try policy("principals: \(template)").decide(request)
            #expect(decision.verdict == .denied, "\(template)")
            #expect(decision.reasons.first?.hasPrefix("rule r: ") == true)
            #expect(!decision.reasons.joined().holdsControlCharacters)
        }
    }

    @Test(arguments: [
        Claim.null, .bool(true), .list([.text("alice")]), .list([.text("alice"), .text("root")]), .list([]),
        .mapping(["a": .text("alice")]),
    ])
    func attack05_aValueThatIsNoTextMakesNoPrincipalAndNoAccount(claim: Claim) throws {
        let request = try AccessSample.request {
            $0.login = "alice"
            $0.person = try AccessSample.person(claims: ["name": claim])
        }
        #expect(try policy("principals: ['{claim.name}']").answers(request) == .deny)
        #expect(try policy("", logins: "['{claim.name}']").answers(request) == .deny)
    }

    @Test(arguments: ["a@example.com,root", "alice, root", "a\u{200b}b"])
    func attack05_anAddressOrIdentityMakesOnePrincipalOrNone(value: String) throws {
        let request = try AccessSample.request { $0.person = try AccessSample.person(email: value) }
        #expect(try policy("principals: ['{email}']").answers(request) == .deny)
    }

    /// Where values touch, or have only letters between them, two people could get one name.
    @Test(arguments: [
        "{login}{host}", "{login}-{host}", "{label.team}.{claim.name}", "{email}@{identity}",
        "{identity}:{email}",
    ])
    func attack15_aTemplateThatCouldMakeOneNameOfTwoPeopleIsRefused(template: String) {
        #expect(throws: CertAuthorityError.self) { try policy("principals: ['\(template)']") }
    }

    @Test(arguments: [
        "{login", "login}", "{}", "{user}", "{label}", "{label.}", "{claim}", "{claim.}", "{claim..a}",
        "{claim.a.b.c.d.e.f}", "a,b", "a*", "a b", "{login}@*",
    ])
    func aTemplateThatCannotBeReadIsRefused(template: String) {
        #expect(throws: CertAuthorityError.self) { try policy("principals: ['\(template)']") }
    }

    @Test func attack06_aMandatedCommandStaysWhateverIsAskedFor() throws {
        let mandating = try policy("force_command: /usr/bin/backup --all")
        func options(_ command: String?) throws -> UserOptions? {
            try mandating.decide(AccessSample.request { $0.forceCommand = command }).grant?.options
        }
        #expect(try options(nil)?.forceCommand == "/usr/bin/backup --all")
        #expect(try options("/usr/bin/backup --all")?.forceCommand == "/usr/bin/backup --all")
        #expect(try options("/bin/sh") == nil)
        #expect(try options("/usr/bin/backup --all ") == nil)
        let free = try policy("").decide(AccessSample.request { $0.forceCommand = "uptime" })
        #expect(free.grant?.options.forceCommand == "uptime")
    }

    @Test(arguments: [nil, [], [.pty]] as [Set<Permission>?])
    func attack06_mandatedOptionsAreInEveryCertificate(permissions: Set<Permission>?) throws {
        let mandating = try policy(
            "force_command: uptime, source_address: [10.0.0.0/8, '2001:db8::/32'], verify_required: true, sudo: true, "
                + "extensions: {x@example.com: v, flag@example.com: ''}")
        let request = try AccessSample.request {
            $0.key = try AccessSample.hardwareKey
            $0.permissions = permissions
        }
        let grant = try #require(mandating.decide(request).grant)
        let options = try UserOptions(
            forceCommand: "uptime", sourceAddresses: AddressBlock.list("10.0.0.0/8,2001:db8::/32"),
            verifyRequired: true,
            permissions: permissions ?? [.pty],
            extensions: [.flag("flag@example.com"), .text("x@example.com", "v")])
        #expect(grant.options == options)
        #expect(grant.mayUseSudo)
    }

    @Test func attack06_permissionsBeyondTheRulesAreRefusedByName() throws {
        let policy = try policy("permissions: [pty, port-forwarding]")
        func decision(_ permissions: Set<Permission>?) throws -> AccessDecision {
            try policy.decide(AccessSample.request { $0.permissions = permissions })
        }
        #expect(try decision(nil).grant?.options.permissions == [.pty, .portForwarding])
        #expect(try decision([.portForwarding]).grant?.options.permissions == [.portForwarding])
        let refused = try decision([.pty, .agentForwarding, .x11Forwarding])
        #expect(refused.verdict == .denied)
        #expect(
            refused.reasons == [
                "rule r: permission agent-forwarding, x11-forwarding: only port-forwarding, pty can be had"
            ])
        let none = try self.policy("permissions: []")
        #expect(try none.decide(AccessSample.request()).grant?.options.permissions == [])
        #expect(try none.answers(AccessSample.request { $0.permissions = [.pty] }) == .deny)
    }

    @Test(arguments: [
        "permit-pty", "force-command", "source-address", "verify-required", "no-touch-required", "a,b",
    ])
    func attack06_anExtensionCannotTakeARestrictionsName(name: String) {
        #expect(throws: CertAuthorityError.self) { try policy("extensions: {'\(name)': x}") }
    }

    @Test func attack27_aCertificateIsTiedToWhereItWasAskedFor() throws {
        let pinning = try policy("source_address: client")
        let grant = try pinning.decide(AccessSample.request()).grant
        #expect(grant?.options.sourceAddresses.map(\.description) == ["10.0.0.1"])
        let mapped = try AccessSample.request { $0.sourceAddress = try IPAddress("::ffff:192.0.2.7") }
        #expect(pinning.decide(mapped).grant?.options.sourceAddresses.map(\.description) == ["192.0.2.7"])
        let withCommand = try AccessSample.request { $0.forceCommand = "uptime" }
        #expect(pinning.decide(withCommand).grant?.options.sourceAddresses.map(\.description) == ["10.0.0.1"])
        #expect(try pinning.answers(AccessSample.request { $0.sourceAddress = nil }) == .deny)
    }

    @Test func aKeyInAFileIsRefusedWhereAPINIsMandated() throws {
        let verifying = try policy("verify_required: true")
        #expect(try verifying.answers(AccessSample.request()) == .deny)
        let hardware = try AccessSample.request { $0.key = try AccessSample.hardwareKey }
        #expect(verifying.decide(hardware).grant?.options.verifyRequired == true)
    }

    @Test(arguments: [(nil, 1_800), (1, 1), (7_200, 7_200)] as [(UInt64?, UInt64)])
    func aLifetimeWithinTheRulesIsGiven(asked: UInt64?, given: UInt64) throws {
        let policy = try policy("max_lifetime: 2h, default_lifetime: 30m")
        #expect(try policy.decide(AccessSample.request { $0.lifetime = asked }).grant?.lifetime == given)
    }

    @Test(arguments: [0, 7_201, UInt64.max - 1, UInt64.max])
    func attack54_aLifetimeThatIsNoneOrOverTheRulesIsRefused(asked: UInt64) throws {
        let policy = try policy("max_lifetime: 2h")
        let decision = try policy.decide(AccessSample.request { $0.lifetime = asked })
        #expect(decision.verdict == .denied)
        #expect(asked == 0 || decision.reasons.joined().contains("at most 2h"))
    }

    @Test(arguments: [UInt64.max, UInt64.max - 1, UInt64.max - 600])
    func attack54_aCertificateAtTheEndOfTimeIsRefused(now: UInt64) throws {
        let policy = try policy("")
        #expect(try policy.answers(AccessSample.request { $0.now = UnixTime(seconds: now) }) == .deny)
        let earlier = try AccessSample.request { $0.now = UnixTime(seconds: UInt64.max - 601) }
        #expect(policy.answers(earlier) == .allow)
    }

    @Test(arguments: [
        "max_lifetime: 0", "max_lifetime: 32d", "max_lifetime: 1h, default_lifetime: 2h",
        "default_lifetime: 2h",
        "max_lifetime: 18446744073709551616s", "principals: []", "permissions: pty", "permissions: [shell]",
        "source_address: anywhere", "source_address: 10.0.0.1/8", "source_address: []", "force_command: ''",
        "force_command: \"a\\nb\"", "verify_required: maybe", "sudo: 1", "extensions: [a]", "lifetime: 1h",
    ])
    func termsThatSayNothingClearAreRefused(certificate: String) {
        #expect(throws: CertAuthorityError.self) { try policy(certificate) }
    }

    @Test func anotherRuleGivesWhatTheFirstDoesNot() throws {
        let both = try AccessSample.policy(
            """
            - {name: short, hosts: [{any: true}], logins: ['*'], allow: {and: [{groups: sre}]}}
            - {name: long, hosts: [{any: true}], logins: ['*'], allow: {and: [{groups: sre}]}, certificate: {max_lifetime: 8h}}

            """)
        #expect(try both.decide(AccessSample.request()).rule == "short")
        #expect(try both.decide(AccessSample.request { $0.lifetime = 28_800 }).rule == "long")
        let refused = try both.decide(AccessSample.request { $0.lifetime = 28_801 })
        #expect(refused.rule == "short")
    }
}
