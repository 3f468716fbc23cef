// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@Suite("Grants that end, and access without approval") struct GrantEndTests {
    @Test func aRevokedGrantGivesNothingAndTakesItsCertificatesBack() async throws {
        let scene = try await ApprovalScene()
        let granted = try await scene.approved()
        let certificate = try #require(try await scene.issue().certificate)
        let outcome = try await scene.authority.takeBack(
            granted.id, reason: "done", by: scene.bob.session.session, from: nil)
        #expect(try scene.done(outcome).status(at: scene.authority.now) == .revoked)
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        let events = try await scene.parts.ledger.events
        let revoked = events.compactMap { event in
            if case .revocation(let record) = event, case .serial(let serial, _) = record.target {
                serial
            } else {
                nil
            }
        }
        #expect(revoked == [certificate.fields.serial])
        // Nor after a restart.
        let again = try await scene.parts.reopened(policy: ApprovalScene.policy())
        #expect(try await scene.issue(by: again) { $0.reason = "r" }.certificate == nil)
    }

    @Test func attack45_aGrantThatIsRevokedWhileACertificateIsMadeCounts() async throws {
        let scene = try await ApprovalScene()
        let granted = try await scene.approved()
        scene.parts.signer.gate.shut()
        let issuing = Task { try await scene.issue() }
        await scene.parts.signer.gate.arrival()
        _ = try await scene.authority.takeBack(
            granted.id, reason: "", by: scene.alice.session.session, from: nil)
        scene.parts.signer.gate.open()
        await #expect(throws: CertAuthorityError(.conflict, "")) { _ = try await issuing.value }
    }

    @Test func attack44_whatCannotBeTakenBackInTheLogIsTakenAllTheSame() async throws {
        let scene = try await ApprovalScene()
        let granted = try await scene.approved()
        func takeBack() async throws -> GrantOutcome {
            try await scene.authority.takeBack(
                granted.id, reason: "lost laptop", by: scene.bob.session.session, from: nil)
        }
        scene.parts.ledger.fail(true)
        for _ in 0..<2 {
            await #expect(throws: CertAuthorityError(.storeFull, "")) { try await takeBack() }
            #expect(scene.authority.liveGrants.isEmpty)
        }
        scene.parts.ledger.fail(false)
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        // Whoever comes again once there is room ends it for good, and once.
        #expect(try scene.done(await takeBack()).status(at: scene.authority.now) == .revoked)
        await #expect(throws: CertAuthorityError(.conflict, "")) { try await takeBack() }
        let again = try await scene.parts.reopened(policy: ApprovalScene.policy())
        #expect(try await scene.issue(by: again) { $0.reason = "r" }.certificate == nil)
        let ends = try await scene.parts.ledger.events.filter { event in
            if case .approval(let record) = event { record.change == .revoked } else { false }
        }
        #expect(ends.count == 1)
    }

    @Test func attack44_whatCannotBeRecordedOrStoredIsNotGranted() async throws {
        let scene = try await ApprovalScene()
        let asked = try await scene.ask()
        scene.parts.ledger.fail(true)
        await #expect(throws: CertAuthorityError(.storeFull, "")) {
            try await scene.approve(asked, by: scene.bob)
        }
        scene.parts.ledger.fail(false)
        scene.parts.requests.fail(true)
        await #expect(throws: CertAuthorityError(.storeFull, "")) {
            try await scene.approve(asked, by: scene.bob)
        }
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        scene.parts.requests.fail(false)
        #expect(try scene.done(await scene.approve(asked, by: scene.bob)).window != nil)
    }

    @Test func aGrantOutlivesTheProcess() async throws {
        let scene = try await ApprovalScene()
        let granted = try await scene.approved()
        let again = try await scene.parts.reopened(policy: ApprovalScene.policy())
        #expect(again.liveGrants.map(\.id) == [granted.id])
        #expect(try await scene.issue(by: again).certificate != nil)
    }

    @Test func aPolicyThatGrantsLessEndsGrantsEarlier() async throws {
        let scene = try await ApprovalScene()
        let granted = try await scene.approved()
        var changes = scene.authority.grantChanges().makeAsyncIterator()
        try await scene.authority.use(
            try AccessPolicy(
                yaml: ApprovalScene.policy(approval: "{by: {or: [{groups: {has: leads}}]}, grant: 5m}"),
                name: "policy"), by: try Identity("setup"))
        let change = await changes.next()
        #expect(change?.kind == .reconsidered && change?.request.id == granted.id)
        let certificate = try #require(try await scene.issue().certificate)
        #expect(certificate.fields.validBefore.seconds == scene.parts.clock.seconds + 300)
        scene.parts.clock.advance(seconds: 300)
        #expect(try await scene.issue { $0.reason = "r" }.refusal?.contains("for so long any more") == true)
        #expect(scene.authority.liveGrants.isEmpty)
    }

    @Test func whoeverWatchesIsToldOfEachChange() async throws {
        let scene = try await ApprovalScene()
        var changes = scene.authority.grantChanges().makeAsyncIterator()
        let granted = try await scene.approved()
        #expect(await changes.next()?.kind == .asked)
        let change = await changes.next()
        #expect(change?.kind == .granted && change?.request.id == granted.id)
        scene.authority.sweepGrants()
        scene.parts.clock.advance(seconds: 1_800)
        scene.authority.sweepGrants()
        scene.authority.sweepGrants()
        let over = await changes.next()
        #expect(over?.kind == .over && over?.request.id == granted.id)
        _ = try await scene.ask(try scene.wish(reason: "another"))
        #expect(await changes.next()?.kind == .asked)
    }

    // MARK: Without approval

    private static let emergency = ApprovalScene.policy(
        breakGlass: "break_glass: {allow: {or: [{user: \"alice@example.com\"}]}, max: 15m}")

    @Test func inAnEmergencyItOpensAtOnceAndSomebodyElseMustLookAtIt() async throws {
        let scene = try await ApprovalScene(policy: Self.emergency)
        let wish = try scene.wish(duration: nil) { $0.isBreakGlass = true }
        let granted = try await scene.ask(wish)
        #expect(granted.status(at: scene.authority.now) == .approved && granted.duration == 900)
        #expect(try await scene.issue().certificate != nil)
        let bob = scene.bob.session.session
        #expect(scene.authority.openReviews(for: bob, from: nil).map(\.id) == [granted.id])
        // It stays open when the time is up, and over a restart.
        scene.parts.clock.advance(seconds: 900)
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        let again = try await scene.parts.reopened(policy: Self.emergency)
        #expect(again.requestCounts.reviews == 1)
        let own = try await scene.authority.acknowledgeReview(
            granted.id, note: "", by: scene.alice.session.session, from: nil)
        #expect(own.refusal?.contains("another person") == true)
        _ = try scene.done(
            await scene.authority.acknowledgeReview(granted.id, note: "seen", by: bob, from: nil))
        #expect(scene.authority.requestCounts.reviews == 0)
        await #expect(throws: CertAuthorityError(.conflict, "")) {
            try await scene.authority.acknowledgeReview(granted.id, note: "", by: bob, from: nil)
        }
        guard case .approval(let record)? = try await scene.parts.ledger.events.last else {
            throw UnexpectedOutcome(what: "no review in the log")
        }
        #expect(record.change == .reviewed && record.reason == "seen")
    }

    @Test func withoutTheRightNobodyPasses() async throws {
        let without = try await ApprovalScene()
        let outcome = try await without.authority.ask(
            try without.wish { $0.isBreakGlass = true }, for: without.alice.session.session, from: nil)
        #expect(outcome.refusal?.contains("only with approval") == true)
        let scene = try await ApprovalScene(policy: Self.emergency)
        let long = try await scene.authority.ask(
            try scene.wish(duration: 901) { $0.isBreakGlass = true }, for: scene.alice.session.session,
            from: nil)
        #expect(long.refusal?.contains("15m at most") == true)
        // The right is gone before the grant is used.
        _ = try await scene.ask(try scene.wish(duration: nil) { $0.isBreakGlass = true })
        try await scene.authority.use(
            try AccessPolicy(yaml: ApprovalScene.policy(), name: "policy"), by: try Identity("setup"))
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
    }
}
