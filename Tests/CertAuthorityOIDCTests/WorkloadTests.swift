// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import CertAuthorityOIDC

/// Tokens that CI systems and clusters give their jobs.
@Suite struct WorkloadTests {
    let key: TestKey
    let fake: FakeProvider
    /// What GitHub's tokens look like.
    let job = TestClaims(members: [
        ("iss", #""https://id.example.com""#), ("aud", #""https://ca.example.com""#),
        ("sub", #""repo:acme/infra:ref:refs/heads/main""#), ("exp", "1800000300"), ("iat", "1800000000"),
        ("jti", #""4f2e""#), ("repository", #""acme/infra""#), ("ref", #""refs/heads/main""#),
        ("run_id", "42"),
    ])

    init() async throws {
        let key = try await TestKey.es256()
        self.key = key
        fake = FakeProvider { $0.keys = [key.published] }
    }

    private func issuer(
        _ rules: [WorkloadRule] = [
            WorkloadRule(claims: ["repository": ["acme/infra"]], groups: ["deployers"])
        ],
        identity: IdentityTemplate = .subject, spentTokens: any SpentTokens = InMemorySpentTokens(),
        maximumLifetime: UInt64 = 86_400
    ) throws -> WorkloadIssuer {
        WorkloadIssuer(
            try WorkloadIssuerConfiguration(
                name: "github", issuer: "https://id.example.com", audience: "https://ca.example.com",
                rules: rules, identity: identity, maximumLifetime: maximumLifetime),
            http: fake, spentTokens: spentTokens, clock: fake.clock)
    }

    private func refusal(_ issuer: WorkloadIssuer, _ token: String) async throws -> SignInError.Code? {
        do {
            _ = try await issuer.workload(token: token)
            return nil
        } catch { return error.code }
    }

    @Test func aJobIsSomebodyWithItsRulesGroups() async throws {
        let workload = try await issuer().workload(token: try key.sign(job))
        #expect(workload.identity.text == "ci/github/repo:acme/infra:ref:refs/heads/main")
        #expect(workload.provider == "github")
        #expect(workload.groups == ["deployers"])
        #expect(workload.claims[["ref"]] == .text("refs/heads/main"))
        #expect(workload.email == nil)
        #expect(workload.authenticatedAt == UnixTime(seconds: 1_800_000_000))
    }

    @Test func attack42_aTokenIsTakenOnce() async throws {
        let issuer = try issuer()
        let token = try key.sign(job)
        #expect(try await refusal(issuer, token) == nil)
        #expect(try await refusal(issuer, token) == .replay)
        // Signed again, it is another text with the same name.
        #expect(try await refusal(issuer, try key.sign(job)) == .replay)
        #expect(try await refusal(issuer, try key.sign(job.with("jti", #""4f2f""#))) == nil)
        fake.advance(359)
        #expect(try await refusal(issuer, token) == .replay)
        fake.advance(1)
        #expect(try await refusal(issuer, token) == .time)
    }

    @Test func attack42_ofManyUsesAtOnceOneIsTaken() async throws {
        let issuer = try issuer()
        let token = try key.sign(job)
        let taken = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<64 { group.addTask { (try? await issuer.workload(token: token)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken == 1)
    }

    @Test func attack42_aSecondSignatureMakesNoSecondToken() async throws {
        let issuer = try issuer()
        let nameless = job.with("jti", nil)
        let token = try key.sign(nameless)
        #expect(try await refusal(issuer, token) == nil)
        // With an ECDSA signature (r, s) everybody has (r, n - s).
        let parts = token.split(separator: ".").map(String.init)
        let signature = try Base64URL.decode("signature", parts[2])
        let twin =
            parts[0] + "." + parts[1] + "." + Base64URL.encode(signature[..<32] + negated(signature[32...]))
        #expect(twin != token)
        #expect(try await refusal(issuer, twin) == .replay)
        #expect(try await refusal(try self.issuer(), twin) == nil)
        #expect(try await refusal(issuer, try key.sign(nameless.with("run_id", "43"))) == nil)
    }

    /// P-256's order less `s`.
    private func negated(_ s: ArraySlice<UInt8>) -> [UInt8] {
        let order: [UInt8] = [
            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
            0xfa, 0xad,
            0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
        ]
        var borrow = 0
        var difference: [UInt8] = []
        for (one, other) in zip(order.reversed(), s.reversed()) {
            let value = Int(one) - Int(other) - borrow
            borrow = value < 0 ? 1 : 0
            difference.insert(UInt8(value & 0xff), at: 0)
        }
        return difference
    }

    @Test func attack42_aTokenIsForThisAuthorityAlone() async throws {
        let issuer = try issuer()
        for (audience, expected) in [
            (#""https://other.example.com""#, .audience), (#""daypass""#, .audience),
            (#"["https://ca.example.com","https://other.example.com"]"#, .audience),
            (#"["https://ca.example.com"]"#, nil),
        ] as [(String, SignInError.Code?)] {
            #expect(try await refusal(issuer, try key.sign(job.with("aud", audience))) == expected)
        }
        #expect(
            try await refusal(issuer, try key.sign(job.with("iss", #""https://evil.example""#))) == .issuer)
    }

    @Test func whatIsRefusedIsNotUsedUp() async throws {
        let spent = InMemorySpentTokens()
        let token = try key.sign(job)
        let other = try issuer([WorkloadRule(claims: ["repository": ["acme/web"]])], spentTokens: spent)
        #expect(try await refusal(other, token) == .identity)
        #expect(try await refusal(try issuer(spentTokens: spent), token) == nil)
        #expect(try await refusal(try issuer(spentTokens: spent), token) == .replay)
    }

    @Test func attack42_whatFindsNoRoomIsRefused() async throws {
        let issuer = try issuer(spentTokens: InMemorySpentTokens(capacity: 2))
        func token(_ number: Int, until end: Int = 1_800_000_300) throws -> String {
            try key.sign(job.with("jti", "\"\(number)\"").with("exp", "\(end)"))
        }
        #expect(try await refusal(issuer, try token(1)) == nil)
        #expect(try await refusal(issuer, try token(2, until: 1_800_000_100)) == nil)
        // Nothing that is good still is forgotten for it.
        #expect(try await refusal(issuer, try token(3)) == .store)
        #expect(try await refusal(issuer, try token(1)) == .replay)
        fake.advance(161)
        #expect(try await refusal(issuer, try token(3)) == nil)
        #expect(try await refusal(issuer, try token(1)) == .replay)
    }

    @Test func attack54_aTokenForALongTimeIsRefused() async throws {
        let issuer = try issuer(maximumLifetime: 3_600)
        #expect(try await refusal(issuer, try key.sign(job.with("exp", "1800003601"))) == .time)
        #expect(try await refusal(issuer, try key.sign(job.with("exp", "253402300799"))) == .time)
        #expect(try await refusal(issuer, try key.sign(job.with("exp", "1800003600"))) == nil)
    }

    @Test func aRuleNeedsEveryClaimToTheByte() async throws {
        let issuer = try issuer([
            WorkloadRule(claims: [
                "repository": ["acme/infra"], "ref": ["refs/heads/main", "refs/heads/release"],
            ]),
            WorkloadRule(claims: ["run_id": ["7"]], groups: ["seven"]),
        ])
        for (name, json, expected) in [
            ("ref", #""refs/heads/release""#, nil), ("ref", #""refs/heads/main2""#, .identity),
            ("ref", #""refs/heads/Main""#, .identity), ("ref", #"["refs/heads/main"]"#, .identity),
            ("ref", nil, .identity), ("repository", #""acme/infra2""#, .identity), ("run_id", "7", nil),
        ] as [(String, String?, SignInError.Code?)] {
            let token = try key.sign(job.with("jti", "\"\(name)\(json?.utf8.count ?? 0)\"").with(name, json))
            #expect(try await refusal(issuer, token) == expected, "\(name) \(json ?? "absent")")
        }
    }

    @Test func attack15_workloadsStayApart() async throws {
        let template = try IdentityTemplate("{repository}:{ref}")
        var identities: Set<String> = []
        for (repository, ref) in [
            ("acme/infra", "main"), ("acme", "infra:main"), ("acme:infra", "main"), ("acme%3Ainfra", "main"),
            ("acme/infra:main", "x"), ("acme/infra", "main:x"), ("Acme/infra", "main"),
            ("acme/infra", "main@x"),
            ("acme/infra", "main#1"), ("acme/infra", "m\\u00e4in"), ("acme/infra", "ma\\u0308in"),
        ] {
            let claims = job.with("repository", "\"\(repository)\"").with("ref", "\"\(ref)\"").with(
                "jti", nil)
            let rule = WorkloadRule(claims: ["run_id": ["42"]])
            let workload = try await issuer([rule], identity: template).workload(token: try key.sign(claims))
            #expect(workload.identity.text.string.hasPrefix("ci/github/"))
            #expect(identities.insert(workload.identity.text.string).inserted, "\(workload.identity)")
        }
        #expect(identities.contains("ci/github/acme/infra:main"))
        let missing = try issuer(identity: template)
        #expect(try await refusal(missing, try key.sign(job.with("ref", nil))) == .identity)
        #expect(try await refusal(missing, try key.sign(job.with("ref", #""""#))) == .identity)
    }

    @Test(arguments: [
        "", "static", "{}", "{a}{b}", "{a}-{b}", "{a", "a}", "{a} {b}", "A{a}", "{a}:{}", "{a}#{b}",
        "{a}@{b}",
    ])
    func aTemplateThatMixesClaimsIsRefused(_ template: String) {
        #expect(throws: CertAuthorityError(.configuration, "")) { try IdentityTemplate(template) }
    }

    @Test func settingsThatLetInEverybodyAreRefused() throws {
        func make(_ rules: [WorkloadRule], audience: String = "ca") throws {
            _ = try WorkloadIssuerConfiguration(
                name: "github", issuer: "https://id.example.com", audience: audience, rules: rules)
        }
        let refusal = CertAuthorityError(.configuration, "")
        #expect(throws: refusal) { try make([]) }
        #expect(throws: refusal) { try make([WorkloadRule(claims: [:])]) }
        #expect(throws: refusal) { try make([WorkloadRule(claims: ["sub": []])]) }
        #expect(throws: refusal) { try make([WorkloadRule(claims: ["sub": ["a"]], groups: ["a\n"])]) }
        #expect(throws: refusal) { try make([WorkloadRule(claims: ["sub": ["a"]])], audience: "") }
        try make([WorkloadRule(claims: ["sub": ["a"]])])
    }
}
