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
            control = try ControlScene(rules: ApprovalStoryTests.rules)
            bob = try Laptop()
            try control.admin.daypass([
                "keys", "add", "--identity", "bob@example.com", "--group", "leads", "\(bob.key).pub",
            ]).orThrow("keys add")
            try bob.logIn(to: control.plane)
        }

        var alice: Laptop { control.alice }

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

        // Over a restart it stays.
        scene.control.plane.stop()
        try scene.control.plane.start()
        let mine = try scene.alice.daypass(["requests"]).orThrow("requests")
        #expect(mine.stdoutText.contains("approved"), "\(mine)")
        try scene.bob.daypass(["revoke-grant", request.id, "--reason", "it is done"]).orThrow("revoke-grant")
        for certificate in scene.alice.certificates() {
            try FileManager.default.removeItem(atPath: certificate)
        }
        let again = try scene.enter(["--reason", "once more"])
        #expect(again.status == 2 && again.stderrText.contains("needs an approval"), "\(again)")

        let log = try Tool.run(
            try BuiltProduct.path("daypass"),
            ["log", "list", "--home", scene.control.plane.home, "--limit", "0"]
        ).orThrow("log list").stdoutText
        for event in ["access-requested", "access-approved", "access-revoked", "revoked"] {
            #expect(log.contains(event), "\(event): \(log)")
        }
        let krl = scene.control.plane.folder.path("krl")
        try Tool.run(
            try BuiltProduct.path("daypass"),
            ["krl", "build", "--home", scene.control.plane.home, "--output", krl]
        ).orThrow("krl build")
    }
}
