// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@Suite("What makes an approval void") struct ApprovalVoidTests {
    /// Everything in the text, one line changed after the other.
    @Test func attack42_anApprovalIsGoodForOneRequestAlone() async throws {
        let scene = try await ApprovalScene()
        let asked = try await scene.ask(
            try scene.wish(ticket: "OPS-1") {
                $0.key = scene.alice.key.publicKey; $0.forceCommand = "uptime"
            })
        let lines = asked.text(origin: "test.example").split(separator: "\n").map(String.init)
        #expect(lines.count >= 14)
        for index in lines.indices {
            for changed in [lines[index] + "x", String(lines[index].dropLast()), ""] {
                var other = lines
                other[index] = changed
                let text = other.joined(separator: "\n") + "\n"
                let refusal = try await scene.approve(asked, by: scene.bob, text: text).refusal
                #expect(refusal?.contains("not over this request") == true, "\(lines[index])")
            }
        }
        let another = try await scene.ask(try scene.wish(reason: "another"))
        let replayed = try await scene.approve(
            asked, by: scene.bob, text: another.text(origin: "test.example"))
        #expect(replayed.refusal?.contains("not over this request") == true)
        let elsewhere = try await scene.approve(
            asked, by: scene.bob, text: asked.text(origin: "other.example"))
        #expect(elsewhere.refusal != nil)
        #expect(try await scene.approve(asked, by: scene.bob, namespace: "login.daypass").refusal != nil)
        #expect(try scene.done(await scene.approve(asked, by: scene.bob)).window != nil)
    }

    @Test func attack25_onlyAKeyOfTheApproversOwnApproves() async throws {
        let scene = try await ApprovalScene()
        let asked = try await scene.ask()
        let stranger = try PrivateKey.generate(.ed25519, comment: "")
        for key in [stranger, scene.dora.key, scene.alice.key, scene.bob.session.key] {
            #expect(
                try await scene.approve(asked, by: scene.bob, key: key).refusal?.contains(
                    "not enrolled for you") == true)
        }
        #expect(try scene.done(await scene.approve(asked, by: scene.bob)).window != nil)
    }

    @Test func whoHasNoEnrolledKeySignsByTheirSession() async throws {
        let scene = try await ApprovalScene(
            policy: ApprovalScene.policy(approval: #"{by: {or: [{user: "olga@example.com"}]}}"#))
        let olga = try await scene.parts.session("olga@example.com", provider: "corp")
        let asked = try await scene.ask()
        let signature = try ApprovalScene.sign(asked.text(origin: "test.example"), olga.key)
        let granted = try scene.done(
            await scene.authority.approve(asked.id, by: signature, of: olga.session, from: nil))
        #expect(granted.window != nil)
        // It goes on when that session is over.
        try await scene.authority.endSession(
            olga.session.id, by: olga.session, isAdministrator: false, from: nil, reason: "logged out")
        #expect(try await scene.issue().certificate != nil)
    }

    @Test func anAPIKeyApprovesNothing() async throws {
        let scene = try await ApprovalScene()
        let (_, token) = try await scene.authority.createAPIKey(
            named: "bot", groups: ["leads"], by: try Identity("setup"))
        let bot = try #require(try await scene.parts.session(byAPIKey: token.text).session)
        let asked = try await scene.ask()
        let signature = try ApprovalScene.sign(asked.text(origin: "test.example"), bot.key)
        let outcome = try await scene.authority.approve(asked.id, by: signature, of: bot.session, from: nil)
        #expect(outcome.refusal?.contains("an API key approves nothing") == true)
    }

    /// Each field of what is kept, changed behind the authority's back.
    @Test(arguments: [
        "id", "person", "hosts", "login", "sudo", "permissions", "command", "key", "duration", "reason",
        "ticket",
        "rule", "created", "expires",
    ])
    func attack45_aGrantThatWasChangedInTheStoreOpensNothing(field: String) async throws {
        let scene = try await ApprovalScene()
        let good = try await scene.approved()
        let mallory = try await scene.parts.person("mallory@example.com", groups: ["sre"])
        try await scene.authority.set(
            try ManagedHost(id: "db1", labels: ["team": "infra"]), by: try Identity("setup"))
        var changed = GrantRequest(
            id: field == "id" ? String(repeating: "0", count: 32) : good.id,
            person: field == "person" ? mallory.identity : good.person,
            hosts: field == "hosts" ? ["db1", "web1"] : good.hosts,
            login: field == "login" ? "deploy" : good.login,
            wantsSudo: field == "sudo", permissions: field == "permissions" ? [.pty] : good.permissions,
            forceCommand: field == "command" ? "sh" : nil,
            key: field == "key" ? scene.bob.key.publicKey : nil,
            duration: field == "duration" ? 7_200 : good.duration,
            reason: field == "reason" ? "another" : good.reason, ticket: field == "ticket" ? "OPS-2" : nil,
            rule: field == "rule" ? "on-approval-2" : good.rule, isBreakGlass: false,
            created: field == "created" ? UnixTime(seconds: 1) : good.created,
            expires: field == "expires" ? UnixTime(seconds: 1_900_000_000) : good.expires)
        (changed.approvals, changed.window) = (good.approvals, good.window)
        await scene.parts.requests.kept.removeRequests([good.id])
        try await scene.parts.requests.save(changed)
        let again = try await scene.parts.reopened(policy: ApprovalScene.policy())
        let session = field == "person" ? mallory.session.session : scene.alice.session.session
        for (host, login) in [("web1", "root"), ("web1", "deploy"), ("db1", "root")] {
            var wish = try scene.parts.wish(login, host: host)
            wish.reason = "r"
            #expect(
                try await again.issue(wish, for: session, from: nil).certificate == nil, "\(host) \(login)")
        }
    }

    @Test func attack45_anApproverWhoLostTheRightVoidsWhatTheyApproved() async throws {
        let scene = try await ApprovalScene()
        _ = try await scene.approved()
        #expect(try await scene.issue().certificate != nil)
        let setup = try Identity("setup")
        let fingerprint = scene.bob.key.publicKey.fingerprint
        try await scene.authority.removeKey(fingerprint: fingerprint, by: setup, from: nil)
        #expect(
            try await scene.issue { $0.reason = "r" }.refusal?.contains("of its approvals 0 still count")
                == true)
        // The key again, in no group.
        try await scene.authority.enrol(
            try EnrolledKey(
                key: scene.bob.key.publicKey, identity: scene.bob.identity, added: scene.authority.now),
            by: setup)
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        try await scene.authority.removeKey(fingerprint: fingerprint, by: setup, from: nil)
        // Or for somebody else.
        try await scene.authority.enrol(
            try EnrolledKey(
                key: scene.bob.key.publicKey, identity: scene.alice.identity, groups: ["leads"],
                added: scene.authority.now), by: setup)
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        #expect(scene.authority.liveGrants.isEmpty)
    }

    @Test(arguments: [
        ApprovalScene.policy(approval: "{by: {or: [{groups: {has: directors}}]}}"),
        ApprovalScene.policy(approval: "{by: {or: [{groups: {has: leads}}]}, count: 2}"),
        ApprovalScene.policy(approval: "{by: {or: [{groups: {has: leads}}]}, grant: 1s}"),
        ApprovalScene.policy(certificate: "{permissions: [pty]}"),
        ApprovalScene.policy(certificate: "{force_command: uptime}"),
        ApprovalScene.policy().replacing("name: on-approval", with: "name: another"),
        ApprovalScene.policy().replacing("has: sre", with: "has: nobody"),
        ApprovalScene.policy().replacing("[deploy, root]", with: "[deploy]"),
    ])
    func attack45_aPolicyThatChangedCountsWhenTheGrantIsUsed(policy: String) async throws {
        let scene = try await ApprovalScene()
        _ = try await scene.approved()
        scene.parts.clock.advance(seconds: 2)
        try await scene.authority.use(
            try AccessPolicy(yaml: policy, name: "policy"), by: try Identity("setup"))
        #expect(try await scene.issue { $0.reason = "r" }.certificate == nil)
        try await scene.authority.use(
            try AccessPolicy(yaml: ApprovalScene.policy(), name: "policy"), by: try Identity("setup"))
        #expect(try await scene.issue().certificate != nil)
    }

    @Test func attack06_aGrantGivesWhatWasApprovedAndNoMore() async throws {
        let scene = try await ApprovalScene()
        _ = try await scene.approved(
            try scene.wish {
                $0.permissions = [.pty]; $0.key = scene.alice.key.publicKey
            })
        let key = scene.alice.key.publicKey
        #expect(try await scene.issue { $0.key = key }.certificate != nil)
        #expect(try await scene.issue { $0.reason = "r" }.refusal?.contains("it is for the key") == true)
        let more = try await scene.issue {
            $0.key = key; $0.permissions = [.pty, .portForwarding]; $0.reason = "r"
        }
        #expect(more.refusal?.contains("does not permit port-forwarding") == true)
        let command = try await scene.issue {
            $0.key = key; $0.forceCommand = "sh"; $0.reason = "r"
        }
        #expect(command.refusal?.contains("for another command") == true)
        let plain = try #require(try await scene.issue { $0.key = key }.certificate)
        #expect(plain.fields.extensions.map(\.name.string) == ["permit-pty"])
        #expect(
            try await scene.issue(login: "deploy") {
                $0.key = key; $0.reason = "r"
            }.certificate == nil)
    }
}
