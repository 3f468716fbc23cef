// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@Suite("Requests for approval") struct ApprovalTests {
    @Test func anApprovedRequestGivesCertificatesUntilItsTimeIsUp() async throws {
        let scene = try await ApprovalScene()
        let asked = try await scene.ask()
        #expect(asked.status(at: scene.authority.now) == .pending && asked.hosts == ["web1"])
        #expect(
            try await scene.issue { $0.reason = "now" }.refusal?.contains("somebody with groups has leads")
                == true)
        let granted = try scene.done(await scene.approve(asked, by: scene.bob))
        #expect(granted.status(at: scene.authority.now) == .approved)
        // The grant's reason stands in for the certificate's.
        let certificate = try #require(try await scene.issue().certificate)
        #expect(certificate.fields.principals.map(\.string) == ["root@web1", granted.principal])
        #expect(certificate.fields.validBefore.seconds == scene.parts.clock.seconds + 600)
        // It never outlives the grant.
        scene.parts.clock.advance(seconds: 1_700)
        let last = try #require(try await scene.issue().certificate)
        #expect(last.fields.validBefore.seconds == scene.parts.clock.seconds + 100)
        scene.parts.clock.advance(seconds: 100)
        #expect(try await scene.issue { $0.reason = "more" }.certificate == nil)
        #expect(
            try scene.authority.request(asked.id, for: scene.bob.session.session, from: nil)
                .status(at: scene.authority.now) == .ended)
    }

    @Test func theLogHasTheRequestTheSignedTextAndTheCertificate() async throws {
        let scene = try await ApprovalScene()
        let granted = try await scene.approved()
        _ = try await scene.issue()
        let events = try await scene.parts.ledger.events.suffix(4)
        let text = ExactText(granted.text(origin: "test.example"))
        guard case .request(let request) = events[events.startIndex],
            case .approval(let approval) = events[events.startIndex + 1],
            case .decision(let decision) = events[events.startIndex + 2],
            case .issuance = events[events.startIndex + 3]
        else { throw UnexpectedOutcome(what: "\(events)") }
        #expect(request.text == text && request.request.string == granted.id)
        #expect(approval.text == text && approval.change == .approved)
        #expect(approval.grantedUntil == granted.window?.until)
        try SSHSignature(encoded: approval.signature).verify(
            Array(text.string.utf8), namespace: "approval.daypass")
        #expect(decision.reasons.contains { $0.string.contains("approved by bob@example.com") })
    }

    @Test func nobodyApprovesTheirOwn() async throws {
        let scene = try await ApprovalScene()
        let asked = try await scene.ask()
        #expect(try await scene.approve(asked, by: scene.alice).refusal?.contains("your own") == true)
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        // That she tried is in the log.
        let refused = try await scene.parts.ledger.events.compactMap { event in
            if case .approval(let record) = event, record.change == .refused { record } else { nil }
        }
        #expect(refused.map(\.request.string) == [asked.id])
        #expect(refused.first?.reason.string.contains("your own") == true && refused.first?.text == "")
    }

    @Test func attack44_whatWasNotLetIsInTheLogHoweverLongItsReason() async throws {
        let name = String(repeating: "\u{1f511}", count: 60)
        let scene = try await ApprovalScene(
            policy: ApprovalScene.policy(
                approval: "{by: {or: [{groups: {has: leads}}, {groups: {has: \"\(name)\"}}]}, count: 1}"))
        let asked = try await scene.ask()
        let eve = try await scene.parts.person("eve@example.com", groups: ["sre"])
        for _ in 0..<2 {
            await #expect(throws: CertAuthorityError(.notFound, "")) {
                try await scene.authority.deny(
                    asked.id, reason: "no", by: eve.session.session, from: nil)
            }
        }
        _ = try scene.done(await scene.approve(asked, by: scene.bob))
        // Bob may see it for ever, and decide over it no more.
        try await scene.authority.use(
            try AccessPolicy(
                yaml: ApprovalScene.policy(approval: "{by: {or: [{groups: {has: \"\(name)\"}}]}}"),
                name: "policy"), by: try Identity("setup"))
        let outcome = try await scene.authority.takeBack(
            asked.id, reason: "", by: scene.bob.session.session, from: nil)
        #expect(outcome.refusal?.contains("you may not decide") == true)
        let refused = try await scene.parts.ledger.events.compactMap { event in
            if case .approval(let record) = event, record.change == .refused { record } else { nil }
        }
        #expect(refused.count == 1)
        #expect((refused.first?.reason.string.utf8.count ?? 0) <= 1_024)
    }

    @Test func twoPeopleAreTwoPeople() async throws {
        let scene = try await ApprovalScene(
            policy: ApprovalScene.policy(approval: "{by: {or: [{groups: {has: leads}}]}, count: 2}"))
        let asked = try await scene.ask()
        let first = try scene.done(await scene.approve(asked, by: scene.bob))
        #expect(first.status(at: scene.authority.now) == .pending)
        await #expect(throws: CertAuthorityError(.conflict, "")) {
            try await scene.approve(asked, by: scene.bob)
        }
        // Another key of the same person is no second person either.
        let key = try PrivateKey.generate(.ed25519, comment: "")
        try await scene.authority.enrol(
            try EnrolledKey(
                key: key.publicKey, identity: scene.bob.identity, groups: ["leads"],
                added: scene.authority.now),
            by: scene.bob.identity)
        await #expect(throws: CertAuthorityError(.conflict, "")) {
            try await scene.approve(asked, by: scene.bob, key: key)
        }
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        let second = try scene.done(await scene.approve(asked, by: scene.dora))
        #expect(second.status(at: scene.authority.now) == .approved)
        #expect(try await scene.issue().certificate != nil)
    }

    @Test func whoMayNotApproveMayNotEvenSee() async throws {
        let scene = try await ApprovalScene()
        let asked = try await scene.ask()
        let eve = try await scene.parts.person("eve@example.com", groups: ["sre"])
        await #expect(throws: CertAuthorityError(.notFound, "")) { try await scene.approve(asked, by: eve) }
        #expect(scene.authority.requests(.all, for: eve.session.session, from: nil).isEmpty)
        #expect(
            scene.authority.requests(.toApprove, for: scene.bob.session.session, from: nil).map(\.id) == [
                asked.id
            ])
        #expect(scene.authority.requests(.toApprove, for: scene.alice.session.session, from: nil).isEmpty)
        // An administrator sees it, and is no approver where the rule names others.
        let admin = try await scene.parts.person("admin@example.com")
        #expect(scene.authority.requests(.all, for: admin.session.session, from: nil).map(\.id) == [asked.id])
        #expect(
            try await scene.approve(asked, by: admin).refusal?.contains("asks for groups has leads") == true)
    }

    @Test func whereNobodyIsNamedAdministratorsApprove() async throws {
        let scene = try await ApprovalScene(policy: ApprovalScene.policy(approval: "true"))
        let asked = try await scene.ask()
        await #expect(throws: CertAuthorityError(.notFound, "")) {
            try await scene.approve(asked, by: scene.bob)
        }
        let admin = try await scene.parts.person("admin@example.com")
        #expect(try scene.done(await scene.approve(asked, by: admin)).window != nil)
    }

    @Test func aRequestIsAnsweredOnce() async throws {
        let scene = try await ApprovalScene()
        let denied = try await scene.ask()
        let outcome = try await scene.authority.deny(
            denied.id, reason: "not now", by: scene.bob.session.session, from: nil)
        #expect(try scene.done(outcome).status(at: scene.authority.now) == .denied)
        await #expect(throws: CertAuthorityError(.conflict, "")) {
            try await scene.approve(denied, by: scene.dora)
        }
        let withdrawn = try await scene.ask()
        #expect(withdrawn.id != denied.id)
        _ = try await scene.authority.takeBack(
            withdrawn.id, reason: "", by: scene.alice.session.session, from: nil)
        await #expect(throws: CertAuthorityError(.conflict, "")) {
            try await scene.approve(withdrawn, by: scene.bob)
        }
        let late = try await scene.ask()
        scene.parts.clock.advance(seconds: 3_600)
        await #expect(throws: CertAuthorityError(.conflict, "")) {
            try await scene.approve(late, by: scene.bob)
        }
        #expect(
            try scene.authority.request(late.id, for: scene.alice.session.session, from: nil)
                .status(at: scene.authority.now) == .expired)
    }

    @Test func askedTwiceItIsOneRequest() async throws {
        let scene = try await ApprovalScene()
        let first = try await scene.ask()
        scene.parts.clock.advance(seconds: 60)
        #expect(try await scene.ask().id == first.id)
        #expect(try await scene.ask(try scene.wish(reason: "another")).id != first.id)
    }

    @Test func onlySoManyAreOpen() async throws {
        let scene = try await ApprovalScene()
        for number in 0..<GrantRequest.maximumOpen {
            _ = try await scene.ask(try scene.wish(reason: "number \(number)"))
        }
        let code = await #expect(throws: CertAuthorityError.self) {
            try await scene.ask(try scene.wish(reason: "one more"))
        }?.code
        #expect(code == .full)
        // Those that nobody answered make room.
        scene.parts.clock.advance(seconds: 3_600)
        _ = try await scene.ask(try scene.wish(reason: "one more"))
    }

    @Test(
        arguments: [
            (7_201, "grants 2h at most"), (nil, nil), (7_200, nil),
        ] as [(UInt64?, String?)])
    func aGrantLastsAsLongAsTheRuleLets(duration: UInt64?, refusal: String?) async throws {
        let scene = try await ApprovalScene()
        let outcome = try await scene.authority.ask(
            try scene.wish(duration: duration), for: scene.alice.session.session, from: nil)
        if let refusal {
            #expect(outcome.refusal?.contains(refusal) == true)
        } else {
            #expect(try scene.done(outcome).duration == 7_200)
        }
    }

    @Test func labelsAreResolvedWhenItIsAskedAndStayWhatTheyWere() async throws {
        let scene = try await ApprovalScene()
        let setup = try Identity("setup")
        for id in ["web2", "web3"] {
            try await scene.authority.set(try ManagedHost(id: id, labels: ["team": "infra"]), by: setup)
        }
        try await scene.authority.set(try ManagedHost(id: "web4", labels: ["team": "other"]), by: setup)
        let granted = try await scene.approved(try scene.wish { $0.target = .labels(["team": "infra"]) })
        #expect(granted.hosts == ["web1", "web2", "web3"])
        try await scene.authority.set(try ManagedHost(id: "web5", labels: ["team": "infra"]), by: setup)
        #expect(try await scene.issue(host: "web3").certificate != nil)
        #expect(try await scene.issue(host: "web5") { $0.reason = "r" }.certificate == nil)
        await #expect(throws: CertAuthorityError(.notFound, "")) {
            try await scene.ask(try scene.wish { $0.target = .labels(["team": "nobody"]) })
        }
    }

    @Test func sudoIsAskedForOnlyWhereTheRuleGivesIt() async throws {
        let scene = try await ApprovalScene()
        let outcome = try await scene.authority.ask(
            try scene.wish { $0.wantsSudo = true }, for: scene.alice.session.session, from: nil)
        #expect(outcome.refusal?.contains("gives no sudo") == true)
    }

    @Test func whereNoApprovalIsNeededOrNothingHelpsThatIsSaid() async throws {
        let scene = try await ApprovalScene()
        await #expect(throws: CertAuthorityError(.notFound, "")) {
            try await scene.ask(try scene.wish(host: "nothing"))
        }
        let eve = try await scene.parts.person("eve@example.com")
        let outcome = try await scene.authority.ask(try scene.wish(), for: eve.session.session, from: nil)
        #expect(outcome.refusal?.contains("groups") == true)
        try await scene.authority.use(
            try AccessPolicy(
                yaml: ApprovalScene.policy(approval: "false"), name: "policy"), by: try Identity("setup"))
        await #expect(throws: CertAuthorityError(.conflict, "")) { try await scene.ask() }
    }
}
