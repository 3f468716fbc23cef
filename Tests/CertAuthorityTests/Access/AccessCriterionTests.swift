// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("Criteria of an access policy")
struct AccessCriterionTests {
    /// A criterion that holds for the sample request, and the nearest one that doesn't.
    struct Pair: Sendable, CustomStringConvertible {
        let holds: String
        let fails: String
        var description: String { "\(holds), not \(fails)" }

        init(_ holds: String, _ fails: String) { (self.holds, self.fails) = (holds, fails) }
    }

    static let ofPeople = [
        Pair("email: alice@example.com", "email: alicf@example.com"),
        Pair("email: alice@EXAMPLE.com", "email: Alice@example.com"),
        Pair("email: {is: alice@example.com}", "email: {not: alice@example.com}"),
        Pair("email: {in: [bob@example.com, alice@example.com]}", "email: {in: [bob@example.com]}"),
        Pair("email: {not_in: [bob@example.com]}", "email: {not_in: [bob@example.com, alice@example.com]}"),
        Pair("email: {contains: e@e}", "email: {contains: e@f}"),
        Pair("email: {starts_with: alice@}", "email: {starts_with: lice@}"),
        Pair("email: {ends_with: '@Example.com'}", "email: {ends_with: '@example.co'}"),
        Pair("email: {starts_with: alice, ends_with: .com}", "email: {starts_with: alice, ends_with: .org}"),
        Pair("domain: Example.COM", "domain: xample.com"),
        Pair("domain: {not: example.org}", "domain: {not: EXAMPLE.com}"),
        Pair("user: alice@example.com", "user: alice@EXAMPLE.com"),
        Pair("groups: sre", "groups: sr"),
        Pair("groups: {has: sre}", "groups: {has: SRE}"),
        Pair("groups: {is: sre}", "groups: {is: dev}"),
        Pair("groups: {exclude: dev}", "groups: {exclude: sre}"),
        Pair("groups: {has: sre, exclude: dev}", "groups: {has: sre, exclude: sre}"),
        Pair("claim/unix_account: alice", "claim/unix_account: bob"),
        Pair("claim/unix_account: {is: alice}", "claim/unix_accounts: {is: alice}"),
        Pair("claim/missing: {exclude: alice}", "claim/unix_account: {exclude: alice}"),
        Pair("provider: corp", "provider: corpo"),
        Pair("authentication_age: {max: 5m}", "authentication_age: {max: 299s}"),
        Pair("authenticated_user: true", "user: nobody"),
    ]

    static let ofRequests = [
        Pair("ssh_username: deploy", "ssh_username: Deploy"),
        Pair("ssh_username: {in: [deploy, www]}", "ssh_username: {not_in: [deploy, www]}"),
        Pair("key_type: ssh-ed25519", "key_type: hardware"),
        Pair("key_type: [ssh-rsa, ssh-ed25519]", "key_type: [ssh-rsa]"),
        Pair("source_ip: 10.0.0.1", "source_ip: 10.0.0.2"),
        Pair("source_ip: 10.0.0.0/8", "source_ip: 11.0.0.0/8"),
        Pair("source_ip: ['2001:db8::/32', 10.0.0.0/31]", "source_ip: ['::/0']"),
        Pair("host_label/team: infra", "host_label/team: infr"),
        Pair("host_label/team: {in: [infra, web]}", "host_label/teams: {in: [infra, web]}"),
        Pair("host_label/zone: {not: eu}", "host_label/team: {not: infra}"),
        Pair("date: {after: 2026-01-05T12:00:00Z}", "date: {after: 2026-01-05T12:00:01Z}"),
        Pair("date: {before: 2026-01-05T12:00:01Z}", "date: {before: 2026-01-05T12:00:00Z}"),
        Pair(
            "date: {after: 2026-01-05, before: 2026-01-06}", "date: {after: 2026-01-06, before: 2026-01-07}"),
        Pair("day_of_week: mon", "day_of_week: tue-sun"),
        Pair("day_of_week: '*'", "day_of_week: [sat, sun]"),
        Pair("day_of_week: 'sat, mon'", "day_of_week: 'sat,sun'"),
        Pair("day_of_week: fri-mon", "day_of_week: tue-fri"),
        Pair(
            "day_of_week: {days: tue, timezone: '+12:00'}", "day_of_week: {days: tue, timezone: '+11:59'}"),
        Pair("time_of_day: {after: '12:00'}", "time_of_day: {after: '12:00:01'}"),
        Pair("time_of_day: {before: '12:00:01'}", "time_of_day: {before: '12:00'}"),
        Pair(
            "time_of_day: {timezone: Europe/Paris, after: '13:00', before: '13:01'}",
            "time_of_day: {timezone: Europe/Paris, after: '12:00', before: '13:00'}"),
        Pair(
            "time_of_day: {timezone: '-05:00', after: '06:30', before: '07:30'}",
            "time_of_day: {timezone: '-05:00', after: '11:30', before: '12:30'}"),
        Pair(
            "time_of_day: {after: '22:00', before: '13:00'}", "time_of_day: {after: '22:00', before: '06:00'}"
        ),
    ]

    @Test(arguments: ofPeople + ofRequests)
    func aCriterionHoldsAndItsNeighbourDoesNot(pair: Pair) throws {
        let request = try AccessSample.request()
        #expect(try AccessSample.allowing("{\(pair.holds)}").answers(request) == .allow)
        #expect(try AccessSample.allowing("{\(pair.fails)}").answers(request) != .allow)
    }

    @Test(arguments: ofPeople)
    func whatIsAskedOfAPersonIsUnknownOfNobody(pair: Pair) throws {
        let request = try AccessSample.request { $0.person = nil }
        for criterion in [pair.holds, pair.fails] {
            #expect(try AccessSample.allowing("{\(criterion)}").answers(request) == .login)
        }
    }

    @Test(arguments: ofRequests)
    func whatIsAskedOfARequestIsKnownWithoutALogin(pair: Pair) throws {
        let request = try AccessSample.request { $0.person = nil }
        #expect(try AccessSample.allowing("{\(pair.holds)}").answers(request) == .login)
        #expect(try AccessSample.allowing("{\(pair.fails)}").answers(request) == .deny)
    }

    @Test func anAccountMatchesTheLocalPartOfAnAddress() throws {
        let policy = try AccessSample.allowing("{ssh_username_matches_email: true}")
        #expect(try policy.answers(AccessSample.request { $0.login = "alice" }) == .allow)
        #expect(try policy.answers(AccessSample.request { $0.login = "alic" }) == .deny)
        let nobody = try AccessSample.request {
            $0.login = "alice"
            $0.person = try AccessSample.person(email: nil)
        }
        #expect(policy.answers(nobody) == .deny)
    }

    @Test func anAccountMatchesAnyValueOfAClaim() throws {
        let policy = try AccessSample.allowing("{ssh_username_matches_claim: posix/names}")
        func request(_ login: String) throws -> AccessRequest {
            try AccessSample.request {
                $0.login = login
                $0.person = try AccessSample.person(
                    claims: [
                        "posix": .mapping(["names": .list([.text("deploy"), .text("www"), .number(7)])])
                    ])
            }
        }
        #expect(try policy.answers(request("www")) == .allow)
        #expect(try policy.answers(request("7")) == .allow)
        #expect(try policy.answers(request("ww")) == .deny)
    }

    @Test func aKeyIsComparedWholly() throws {
        let line = try AccessSample.key.text
        let other = try SampleKey(seed: 3).publicKey.text
        let request = try AccessSample.request()
        #expect(try AccessSample.allowing("{ssh_publickey: '\(line) comment'}").answers(request) == .allow)
        #expect(
            try AccessSample.allowing("{ssh_publickey: ['\(other)', '\(line)']}").answers(request) == .allow)
        #expect(try AccessSample.allowing("{ssh_publickey: '\(other)'}").answers(request) == .deny)
    }

    @Test func aKeyInHardwareIsToldFromOneInAFile() throws {
        let policy = try AccessSample.allowing("{key_type: hardware}")
        #expect(try policy.answers(AccessSample.request { $0.key = try AccessSample.hardwareKey }) == .allow)
        #expect(try policy.answers(AccessSample.request()) == .deny)
    }

    @Test func anIPv4AddressInIPv6ClothesIsItself() throws {
        let request = try AccessSample.request { $0.sourceAddress = try IPAddress("::ffff:10.0.0.1") }
        #expect(try AccessSample.allowing("{source_ip: 10.0.0.0/8}").answers(request) == .allow)
        #expect(try AccessSample.allowing("{source_ip: '::/0'}").answers(request) == .deny)
    }

    @Test func anAddressThatIsNotKnownIsInNoBlock() throws {
        let request = try AccessSample.request { $0.sourceAddress = nil }
        #expect(try AccessSample.allowing("{source_ip: ['0.0.0.0/0', '::/0']}").answers(request) == .deny)
    }

    /// Swift holds them to be equal; an account database, a principal and we do not.
    @Test func twoSpellingsOfALetterAreTwoTexts() throws {
        let composed = "{groups: {has: \"caf\u{e9}\"}}"
        let decomposed = try AccessSample.request {
            $0.person = try AccessSample.person(groups: ["cafe\u{301}"], claims: ["cafe\u{301}": .text("x")])
        }
        #expect(try AccessSample.allowing(composed).answers(decomposed) == .deny)
        #expect(try AccessSample.allowing("{groups: {has: \"cafe\u{301}\"}}").answers(decomposed) == .allow)
        #expect(try AccessSample.allowing("{\"claim/caf\u{e9}\": x}").answers(decomposed) == .deny)
        #expect(try AccessSample.allowing("{\"claim/cafe\u{301}\": x}").answers(decomposed) == .allow)
    }

    @Test func aLoginThatIsTooOldOrInTheFutureHasToBeMadeAgain() throws {
        let policy = try AccessSample.allowing("{authentication_age: {max: 8h}}")
        func answer(age: UInt64) throws -> AccessTest.Expectation {
            try policy.answers(AccessSample.request { $0.person = try AccessSample.person(age: age) })
        }
        #expect(try answer(age: 28_800) == .allow)
        #expect(try answer(age: 28_801) == .login)
        // The provider's clock may be ahead, but not by any time.
        for (seconds, expected) in [(60, .allow), (61, .login)] as [(UInt64, AccessTest.Expectation)] {
            let ahead = try AccessSample.request {
                $0.person = try AccessSample.person(age: 0)
                $0.now = AccessSample.now.subtractingOrEpoch(seconds)
            }
            #expect(policy.answers(ahead) == expected)
        }
    }

    @Test func anotherProviderIsAskedForWhereItWouldLetIn() throws {
        let request = try AccessSample.request()
        #expect(try AccessSample.allowing("{provider: github}").answers(request) == .login)
        let inverted = try AccessSample.policy(
            "- {name: r, hosts: [{any: true}], logins: ['*'], allow: {not: [{provider: github}]}}\n")
        #expect(inverted.answers(request) == .allow)
        let denied = try AccessSample.policy(
            """
            - {name: r, hosts: [{any: true}], logins: ['*'], allow: {and: [{authenticated_user: true}]}}
            - {name: d, hosts: [{any: true}], deny: {or: [{provider: github}]}}

            """)
        #expect(denied.answers(request) == .allow)
    }

    @Test(arguments: [
        "email: {}", "email: []", "email: {is: ''}", "email: {matches: x}", "email: {in: x}",
        "email: {in: []}",
        "groups: {in: [sre]}", "claim: x", "claim/: x", "claim/a/b/c/d/e/f: x", "host_label: x",
        "host_label/: x",
        "ssh_username_matches_email: false", "ssh_username_matches_claim: a/", "key_type: dsa",
        "key_type: []",
        "ssh_publickey: x", "ssh_publickey: []", "source_ip: 10.0.0.1/8", "source_ip: '::ffff:10.0.0.1'",
        "source_ip: web", "source_ip: []", "date: {}", "date: {after: 2026-02-30}", "date: {after: tomorrow}",
        "date: {after: 2026-01-05, before: 2026-01-05}", "day_of_week: someday", "day_of_week: []",
        "day_of_week: mon-fri-sun", "day_of_week: {timezone: UTC}", "time_of_day: {}",
        "time_of_day: {after: 25:00}",
        "time_of_day: {after: '8:00'}", "time_of_day: {after: '24:00'}", "time_of_day: {timezone: UTC}",
        "time_of_day: {after: '08:00', before: '08:00'}",
        "time_of_day: {after: '08:00', timezone: Mars/Base}",
        "time_of_day: {after: '08:00', timezone: ../../etc/passwd}",
        "time_of_day: {after: '08:00', timezone: '+15:00'}",
        "authentication_age: 8h", "authentication_age: {max: 0}", "authentication_age: {}",
        "authenticated_user: yes",
        "accept: true", "record: x", "Email: x", "email: \"a\\u202eb\"", "a: 1, b: 2", "",
    ])
    func aCriterionThatSaysNothingClearIsRefused(criterion: String) {
        #expect(throws: CertAuthorityError.self) { try AccessSample.allowing("{\(criterion)}") }
    }
}
