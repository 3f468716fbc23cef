// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("Issuance policy")
struct IssuancePolicyTests {
    private func review(
        _ request: IssuanceRequest, _ policy: IssuancePolicy = IssuancePolicy(), at now: UnixTime = sampleNow
    ) throws -> IssuanceDecision {
        policy.review(request, by: try Sample.userAuthority.publicKey, at: now, nonce: Sample.nonce)
    }

    private func reasons(_ decision: IssuanceDecision) -> [String]? {
        if case .refused(let reasons) = decision { reasons } else { nil }
    }

    private func approved(_ decision: IssuanceDecision) throws -> ApprovedIssuance {
        guard case .approved(let approved) = decision else {
            throw CertAuthorityError(.invalidRequest, "\(reasons(decision) ?? [])")
        }
        return approved
    }

    struct Window: CustomTestStringConvertible, Sendable {
        let name: String
        /// Seconds from now.
        let start: Int64?
        let lifetime: UInt64?
        let isAllowed: Bool
        var testDescription: String { name }

        var validFrom: UnixTime? {
            start.map { UnixTime(seconds: sampleNow.seconds &+ UInt64(bitPattern: $0)) }
        }
    }

    @Test(arguments: [
        Window(name: "default", start: nil, lifetime: nil, isAllowed: true),
        Window(name: "one second", start: nil, lifetime: 1, isAllowed: true),
        Window(name: "the longest", start: nil, lifetime: 86_400, isAllowed: true),
        Window(name: "a second over the longest", start: nil, lifetime: 86_401, isAllowed: false),
        Window(name: "ends a second from now", start: -3_600, lifetime: 3_601, isAllowed: true),
        Window(name: "ends now", start: -3_600, lifetime: 3_600, isAllowed: false),
        Window(name: "ended long ago", start: -1_000_000, lifetime: 3_600, isAllowed: false),
        Window(name: "the furthest start", start: 30 * 86_400, lifetime: 60, isAllowed: true),
        Window(name: "a second further", start: 30 * 86_400 + 1, lifetime: 60, isAllowed: false),
    ])
    func aWindowIsAllowedUpToItsBoundAndNotBeyond(window: Window) throws {
        let request = try Sample.userRequest(validFrom: window.validFrom, lifetime: window.lifetime)
        #expect((reasons(try review(request)) == nil) == window.isAllowed)
    }

    @Test func hostAndUserCertificatesHaveTheirOwnBounds() throws {
        let month: UInt64 = 30 * 86_400
        #expect(reasons(try review(try Sample.hostRequest(lifetime: month))) == nil)
        #expect(reasons(try review(try Sample.hostRequest(lifetime: 3 * month + 1)))?.count == 1)
        #expect(reasons(try review(try Sample.userRequest(lifetime: month)))?.count == 1)
    }

    @Test func aRefusalNamesTheRuleTheLimitAndWhatWasAsked() throws {
        let reason = try #require(reasons(try review(try Sample.userRequest(lifetime: 90_000)))?.first)
        #expect(reason.contains("validity"))
        #expect(reason.contains("1d1h"))
        #expect(reason.contains("1d "))
        #expect(reason.contains("user certificates"))
    }

    @Test func everyBrokenRuleIsNamed() throws {
        var policy = IssuancePolicy()
        policy.permissions = [.pty]
        let request = try Sample.userRequest(
            options: UserOptions(permissions: [.agentForwarding, .pty, .x11Forwarding]),
            validFrom: UnixTime(seconds: sampleNow.seconds + 31 * 86_400), lifetime: 86_401)
        let reasons = try #require(reasons(try review(request, policy)))
        #expect(reasons.count == 3)
        #expect(reasons.contains("permission agent-forwarding, x11-forwarding: not allowed by policy"))
    }

    @Test func attack13_noCertificateIsWithoutAnEnd() throws {
        var policy = IssuancePolicy()
        policy.user.maximumLifetime = .max
        // The end of time and the second before it.
        let rest = UInt64.max - sampleNow.seconds
        #expect(reasons(try review(try Sample.userRequest(lifetime: rest), policy))?.count == 1)
        let finite = try approved(try review(try Sample.userRequest(lifetime: rest - 1), policy))
        #expect(finite.validBefore == UnixTime(seconds: .max - 1))
        #expect(reasons(try review(try Sample.userRequest(lifetime: .max)))?.isEmpty == false)
        #expect(try refusalCode { _ = try Sample.userRequest(lifetime: 0) } == .invalidRequest)
    }

    static let edges: [UInt64] = [
        0, 1, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, .max - 1, .max,
    ]

    @Test(arguments: edges)
    func attack54_timesAtTheEdgesOfTheirTypeAreRefusedOrFinite(edge: UInt64) throws {
        for maximum in [86_400, UInt64.max] {
            var policy = IssuancePolicy()
            policy.user.maximumLifetime = maximum
            policy.backdate = edge
            policy.maximumPostdate = edge
            for now in [UnixTime(seconds: edge), sampleNow] {
                for start in [nil, UnixTime(seconds: edge)] {
                    for lifetime in [nil, 1, max(1, edge)] {
                        let request = try Sample.userRequest(validFrom: start, lifetime: lifetime)
                        switch try review(request, policy, at: now) {
                        case .refused(let reasons): #expect(!reasons.isEmpty)
                        case .approved(let approved):
                            #expect(approved.validAfter < approved.validBefore)
                            #expect(approved.validBefore != .forever)
                            #expect(approved.validBefore > now)
                        }
                    }
                }
            }
        }
    }

    @Test func anApprovedWindowIsFiniteNotEmptyAndWithinTheBounds() throws {
        var generator = SystemRandomNumberGenerator()
        let policy = IssuancePolicy()
        var approvals = 0
        for _ in 0..<2_000 {
            let start = UnixTime(
                seconds: sampleNow.seconds - 100_000 + .random(in: 0...3_000_000, using: &generator))
            let request = try Sample.userRequest(
                validFrom: Bool.random(using: &generator) ? start : nil,
                lifetime: .random(in: 1...100_000, using: &generator))
            guard case .approved(let approved) = try review(request) else { continue }
            approvals += 1
            #expect(approved.validAfter < approved.validBefore)
            #expect(approved.validBefore > sampleNow)
            let longest = policy.user.maximumLifetime + policy.backdate
            #expect(approved.validBefore.seconds - approved.validAfter.seconds <= longest)
        }
        #expect(approvals > 100)
    }

    @Test func theStartIsSetBackUnlessItWasAskedFor() throws {
        var policy = IssuancePolicy()
        policy.backdate = 300
        let plain = try approved(try review(try Sample.userRequest(lifetime: 60), policy))
        #expect(plain.validAfter.seconds == sampleNow.seconds - 300)
        #expect(plain.validBefore.seconds == sampleNow.seconds + 60)
        let exact = try approved(
            try review(try Sample.userRequest(validFrom: sampleNow, lifetime: 60), policy))
        #expect(exact.validAfter == sampleNow)
        policy.backdate = .max
        let early = try approved(try review(try Sample.userRequest(lifetime: 60), policy))
        #expect(early.validAfter == .always)
    }

    @Test(arguments: Permission.allCases)
    func aPermissionIsGivenOnlyWhenPolicyHasIt(permission: Permission) throws {
        let request = try Sample.userRequest(options: UserOptions(permissions: [permission]))
        var policy = IssuancePolicy()
        policy.permissions = [permission]
        let approved = try approved(try review(request, policy))
        #expect(approved.extensions == [.flag(permission.extensionName)])
        policy.permissions = Set(Permission.allCases).subtracting([permission])
        #expect(
            reasons(try review(request, policy)) == [
                "permission \(permission.rawValue): not allowed by policy"
            ])
    }

    @Test func restrictionsReachTheCertificateWhole() throws {
        let options = try UserOptions(
            forceCommand: "/usr/bin/backup --all",
            sourceAddresses: [try AddressBlock("192.0.2.0/24"), try AddressBlock("2001:db8::1")])
        let approved = try approved(try review(try Sample.userRequest(options: options)))
        let fields = try approved.certificate(serial: 5).fields
        #expect(
            fields.criticalOptions == [
                .text(.forceCommand, "/usr/bin/backup --all"),
                .text(.sourceAddress, "192.0.2.0/24,2001:db8::1"),
            ])
        #expect(fields.keyID == "alice@example.com#5")
    }

    @Test func hostCertificatesGetNoOptions() throws {
        let approved = try approved(try review(try Sample.hostRequest()))
        #expect(approved.criticalOptions.isEmpty)
        #expect(approved.extensions.isEmpty)
    }

    @Test func wildcardsForHostsNeedThePolicysWord() throws {
        #expect(try refusalCode { _ = try Sample.hostRequest(["*.example.com"]) } == .invalidRequest)
        let request = try Sample.hostRequest(["*.example.com"], allowWildcards: true)
        #expect(
            try approved(try review(request)).certificate(serial: 1).fields.principals == ["*.example.com"])
    }

    @Test(arguments: [1, 9, 10, 29_380_019_486_721, 999_999_999_999_999_999, UInt64.max])
    func theKeyIDThatWasMadeIsApprovedAndItsNeighboursAreNot(serial: UInt64) throws {
        let approved = try approved(try review(try Sample.userRequest()))
        let certificate = try approved.certificate(serial: serial)
        #expect(certificate.fields.keyID == ExactText("alice@example.com#\(serial)"))
        #expect(approved.isApproval(of: certificate))
        let neighbours = [
            "", "#", "\(serial)", "#\(serial)", "alice@example.com", "alice@example.com#",
            "alice@example.com#0\(serial)", "alice@example.com#\(serial)0", "alice@example.com#\(serial) ",
            "alice@example.com \(serial)", "alice@example.com##\(serial)", "alice@example.co#\(serial)",
            "alice@example.coM#\(serial)", "malice@example.com#\(serial)",
            "alice@example.com#\(serial == 1 ? 2 : serial - 1)",
            "alice@example.com#\("\(serial)".dropFirst())",
        ]
        for keyID in neighbours {
            var fields = certificate.fields
            fields.keyID = ExactText(keyID)
            #expect(!approved.isApproval(of: try UnsignedCertificate(fields)), "\(keyID)")
        }
    }
}
