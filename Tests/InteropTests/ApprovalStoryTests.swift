// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import TestSupport
import Testing

/// Approval from the refusal to the revocation, with the built programs, real ssh and sshd.
@Suite("Access that somebody else approves")
struct ApprovalStoryTests {
    private static let rules = """
          - name: on-approval
            hosts: [{id: "web*"}]
            logins: ["\(Running.userName)"]
            allow:
              or:
                - groups: {has: sre}
            requires:
              reason: true
              approval:
                by:
                  or:
                    - groups: {has: leads}
                count: 1
                waits: 1h
                grant: 30m
            break_glass:
              allow:
                or:
                  - groups: {has: on-call}
              max: 15m
            certificate: {max_lifetime: 10m}
        """

    /// Alice, who asks; bob, who may approve.
    private struct Scene {
        let control: ControlScene
        let bob: Laptop

        init(aliceGroups: [String] = ["sre"]) throws {
            control = try ControlScene(rules: ApprovalStoryTests.rules, groups: aliceGroups)
            bob = try Laptop()
            try control.admin.daypass([
                "keys", "add", "--identity", "bob@example.com", "--group", "leads", "\(bob.key).pub",
            ]).orThrow("keys add")
            try bob.logIn(to: control.plane)
        }

        var alice: Laptop { control.alice }

        /// Has alice's ssh wait in a process of its own, which writes into a file.
        func begin(_ more: [String], _ file: String) throws -> ChildProcess {
            try ChildProcess(
                try BuiltProduct.path("daypass"),
                ["ssh"] + more + ["web1", "-F", alice.config, "echo", "inside"],
                environment: alice.environment, in: alice.folder.path, log: alice.folder.path(file))
        }

        /// The request that waits for bob, once there is one.
        func waiting() throws -> AccessRequestInfo {
            let deadline = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < deadline {
                let list = try bob.daypass(["requests", "--to-approve", "--format", "json"]).orThrow(
                    "requests")
                let items = try JSONValue(parsing: list.stdout, maximumBytes: 1 << 20).array ?? []
                if let item = items.first { return try AccessRequestInfo(json: item) }
            }
            throw TestSupportError("nobody asks: \(control.plane.log)")
        }

        func enter(_ more: [String] = []) throws -> ToolResult {
            try alice.daypass(["ssh"] + more + ["web1", "-F", alice.config, "echo", "inside"])
        }
    }

    @Test func itOpensOnceSomebodySignedAndUntilItIsTakenBack() throws {
        let scene = try Scene()
        let refused = try scene.enter()
        #expect(refused.status == 2, "\(refused)")

        let asked = try scene.alice.daypass([
            "request", "web1", "--login", Running.userName, "--for", "20m", "--reason", "disk is full",
            "--ticket", "OPS-1", "--format", "json",
        ]).orThrow("request")
        let request = try AccessRequestInfo(
            json: try JSONValue(parsing: asked.stdout, maximumBytes: 64 << 10))
        #expect(request.status == "pending" && request.hosts == ["web1"], "\(asked)")
        let needing = try scene.enter(["--reason", "disk is full"])
        #expect(needing.status == 2 && needing.stderrText.contains("groups has leads"), "\(needing)")
        let own = try scene.alice.daypass(["approve", request.id, "--yes"])
        #expect(own.status == 2 && own.stderrText.contains("your own"), "\(own)")

        let waiting = try scene.bob.daypass(["requests", "--to-approve"]).orThrow("requests")
        #expect(waiting.stdoutText.contains("disk is full"), "\(waiting)")
        let unasked = try scene.bob.daypass(["approve", request.id])
        #expect(unasked.status == 1 && unasked.stderrText.contains("is not approved"), "\(unasked)")
        let approved = try scene.bob.daypass(["approve", String(request.id.prefix(8)), "--yes"])
        #expect(approved.succeeded, "\(approved)\n\(scene.control.plane.log)")
        #expect(approved.stderrText.contains("reason disk is full"), "\(approved)")

        let entered = try scene.enter()
        #expect(
            entered.succeeded && entered.stdoutText == "inside\n", "\(entered)\n\(scene.control.server.log)")

        let copy = scene.alice.folder.path("copy-cert.pub")
        try FileManager.default.copyItem(atPath: try #require(scene.alice.certificates().first), toPath: copy)

        // Over a restart it stays.
        scene.control.plane.stop()
        try scene.control.plane.start()
        let mine = try scene.alice.daypass(["requests"]).orThrow("requests")
        #expect(mine.stdoutText.contains("approved"), "\(mine)")
        try scene.bob.daypass(["revoke-grant", request.id, "--reason", "it is done"]).orThrow("revoke-grant")
        // The certificate is still there, and is not used on.
        #expect(!scene.alice.certificates().isEmpty)
        let again = try scene.enter(["--reason", "once more"])
        #expect(again.status == 2 && again.stderrText.contains("needs an approval"), "\(again)")

        let log = try Tool.run(
            try BuiltProduct.path("daypass"),
            ["log", "list", "--home", scene.control.plane.home, "--limit", "0"]
        ).orThrow("log list").stdoutText
        for event in ["access-requested", "access-approved", "access-revoked", "revoked"] {
            #expect(log.contains(event), "\(event): \(log)")
        }
        // OpenSSH believes the approval that the log has, and no other text.
        let listed = try Tool.run(
            try BuiltProduct.path("daypass"),
            ["log", "list", "--home", scene.control.plane.home, "--limit", "0", "--format", "json"]
        ).orThrow("log list").stdout
        let entry = try #require(
            JSONValue(parsing: listed, maximumBytes: 1 << 20).array?.first { $0["signature"]?.string != nil })
        let folder = scene.control.plane.folder
        let signature = try folder.write(try #require(entry["signature"]?.string), to: "approval.sig")
        let key = try String(contentsOfFile: "\(scene.bob.key).pub", encoding: .utf8)
        let signers = try folder.write(
            "bob@example.com namespaces=\"approval.daypass\" \(key)", to: "allowed_signers")
        let text = try #require(entry["text"]?.string)
        for (message, isGood) in [(text, true), (text.replacing("disk", with: "disc"), false)] {
            let verified = try Tool.run(
                "ssh-keygen",
                [
                    "-Y", "verify", "-f", signers, "-I", "bob@example.com", "-n", "approval.daypass", "-s",
                    signature,
                ], stdin: Array(message.utf8))
            #expect(verified.succeeded == isGood, "\(verified)")
        }

        // Its certificate is in the next revocation list.
        let krl = scene.control.plane.folder.path("krl")
        try Tool.run(
            try BuiltProduct.path("daypass"),
            ["krl", "build", "--home", scene.control.plane.home, "-o", krl]
        ).orThrow("krl build")
        let tested = try Tool.run("ssh-keygen", ["-Q", "-f", krl, copy])
        #expect(tested.status == 1 && tested.stdoutText.contains("REVOKED"), "\(tested)")
    }

    /// ssh itself asks, waits, and goes on.
    @Test func sshGoesOnByItselfOnceSomebodyApproved() throws {
        let scene = try Scene()
        let first = try scene.begin(["--request", "--reason", "deploying", "--for", "5m"], "first")
        let request = try scene.waiting()
        #expect(request.reason == "deploying" && request.duration == 300)
        try scene.bob.daypass(["approve", request.id, "--key", scene.bob.key, "--yes"]).orThrow("approve")
        #expect(first.wait(for: .seconds(60)) == .exited(0))
        // Into a file it says nothing of its waiting.
        #expect(try scene.alice.folder.readText("first") == "inside\n")
        // Who is refused is told by whom and why.
        try scene.alice.daypass(["withdraw", request.id]).orThrow("withdraw")
        for certificate in scene.alice.certificates() {
            try FileManager.default.removeItem(atPath: certificate)
        }
        let second = try scene.begin(["--request", "--reason", "deploying again"], "second")
        let next = try scene.waiting()
        try scene.bob.daypass(["deny", next.id, "--reason", "not on a Friday"]).orThrow("deny")
        #expect(second.wait(for: .seconds(60)) == .exited(2))
        let said = try scene.alice.folder.readText("second")
        #expect(said.contains("denied by bob@example.com: not on a Friday"), "\(said)")
    }

    @Test func anEmergencyPassesAndStaysOpenUntilSomebodyLooks() throws {
        let scene = try Scene(aliceGroups: ["sre", "on-call"])
        let entered = try scene.enter(["--break-glass", "--reason", "the site is down"])
        #expect(entered.succeeded && entered.stdoutText == "inside\n", "\(entered)")
        #expect(entered.stderrText.contains("warning: this is without approval"), "\(entered)")
        #expect(scene.control.plane.log.contains("break-glass: access without approval"))
        let open = try scene.bob.daypass(["reviews", "list"]).orThrow("reviews")
        #expect(open.stdoutText.contains("BREAK-GLASS: the site is down"), "\(open)")
        let id = try #require(open.stdoutText.split(separator: "\n").dropFirst().first?.prefix(12))
        let own = try scene.alice.daypass(["reviews", "acknowledge", String(id)])
        #expect(own.status == 2 && own.stderrText.contains("another person"), "\(own)")
        try scene.bob.daypass(["reviews", "acknowledge", String(id), "--note", "it was"]).orThrow(
            "acknowledge")
        let none = try scene.bob.daypass(["reviews", "list", "--format", "json"]).orThrow("reviews")
        #expect(none.stdoutText == "[]\n", "\(none)")
        // Who is not on call needs approval all the same.
        let other = try Scene()
        let refused = try other.enter(["--break-glass", "--reason", "me too"])
        #expect(refused.status == 2 && refused.stderrText.contains("only with approval"), "\(refused)")
    }
}
