// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

/// A control plane, a person's machine and a host, all real: daypassd, daypass, ssh, ssh-agent, sshd.
@Suite("Certificates from a control plane", .enabled(if: Running.withSSHD, "needs an OpenSSH server"))
struct ControlPlaneStoryTests {
    private func end(of path: String) throws -> UInt64 {
        let line = try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)
        guard case .certificate(let certificate) = try PublicKeyLine(line).content else { return 0 }
        return certificate.fields.validBefore.seconds
    }

    /// Waits until the certificate that lies there is good for nothing.
    private func expiry(of path: String) async throws {
        let left = Double(try end(of: path)) - Date().timeIntervalSince1970
        try await Task.sleep(for: .seconds(max(left, 0) + 1))
    }

    @Test func plainSSHGetsCertificatesUntilPolicyOrAnAdministratorSaysNo() async throws {
        let scene = try ControlScene(rules: ControlScene.rules(lifetime: "3s"))
        let user = Running.userName
        // Nothing is asked, nothing is said.
        let first = try scene.alice.ssh(["web1", "id -un; exit 7"])
        #expect(first.status == 7, "\(first)\n\(scene.server.log)\n\(scene.plane.log)")
        #expect(first.stdoutText == "\(user)\n")
        #expect(first.stderrText.isEmpty, "\(first)")
        try scene.server.waitForLog("Accepted publickey for \(user) ")
        #expect(scene.certificateLogins == 1)

        // It expires; the next ssh gets another one without a login.
        let file = try #require(scene.alice.certificates().first)
        let end = try end(of: file)
        #expect(Double(end) - Date().timeIntervalSince1970 <= 3)
        try await expiry(of: file)
        let second = try scene.alice.ssh(["web1", "true"])
        #expect(second.succeeded, "\(second)")
        #expect(scene.certificateLogins == 2)
        #expect(try self.end(of: file) > end)

        // Policy changes its mind: the rule is named, and ssh goes its other ways.
        try scene.plane.reload(
            rules: ControlScene.rules(
                lifetime: "3s",
                more: """
                      - name: freeze
                        hosts: [{any: true}]
                        deny:
                          or:
                            - groups: {has: sre}
                    """))
        // What was given lasts to its end: in the agent too, which ssh asks when it is told no.
        try await expiry(of: file)
        let refused = try scene.alice.ssh(["web1", "true"])
        #expect(refused.status == 255)
        #expect(refused.stderrText.contains("daypass: "), "\(refused)")
        #expect(refused.stderrText.contains("freeze"), "\(refused)")
        #expect(refused.stderrText.contains("hint: daypass status"), "\(refused)")
        #expect(refused.stderrText.contains("Permission denied"), "\(refused)")
        let publicKey = try String(contentsOfFile: "\(scene.alice.key).pub", encoding: .utf8)
        try scene.plane.folder.write(publicKey, to: "authorized_keys", mode: 0o644)
        let otherWay = try scene.alice.ssh(["web1", "true"])
        #expect(otherWay.succeeded, "\(otherWay)")
        #expect(scene.certificateLogins == 2)
        try scene.plane.folder.write("", to: "authorized_keys", mode: 0o644)

        // A policy that can't be read is not taken.
        try scene.plane.reload(rules: "  - name: [", expecting: "policy not reloaded")
        #expect(try scene.alice.ssh(["web1", "true"]).stderrText.contains("freeze"))
        try scene.plane.reload(rules: ControlScene.rules(lifetime: "3s"))
        #expect(try scene.alice.ssh(["web1", "true"]).succeeded)

        // An administrator ends the session.
        let listed = try scene.admin.daypass(["logins", "list", "--all"]).orThrow("logins list")
            .stdoutText
        let line = try #require(
            listed.split(separator: "\n").first { $0.contains("alice@example.com") }, "\(listed)")
        let session = try #require(line.split(separator: " ").first)
        try scene.admin.daypass(["logins", "end", String(session)]).orThrow("logins end")
        try await expiry(of: file)
        let ended = try scene.alice.ssh(["web1", "true"])
        #expect(ended.status == 255)
        #expect(ended.stderrText.contains("your session is over: an administrator ended it"), "\(ended)")
        #expect(ended.stderrText.contains("hint: log in again: daypass login"), "\(ended)")
        try scene.alice.daypass(["login"]).orThrow("login again")
        #expect(try scene.alice.ssh(["web1", "true"]).succeeded)
        // Every step is in the log, whole.
        let verified = try Tool.run(
            try BuiltProduct.path("daypass"), ["log", "verify", "--home", scene.plane.home])
        #expect(verified.succeeded, "\(verified)")
    }

    @Test func filesAreCopiedThroughIt() throws {
        let scene = try ControlScene()
        let folder = scene.alice.folder
        try folder.write("payload\n", to: "source")
        let copied = try scene.alice.ssh(
            [folder.path("source"), "web1:\(folder.path("by_scp"))"], program: "scp")
        #expect(copied.succeeded, "\(copied)")
        #expect(try folder.readText("by_scp") == "payload\n")
        try folder.write("get \(folder.path("source")) \(folder.path("by_sftp"))\n", to: "batch")
        let fetched = try scene.alice.ssh(["-b", folder.path("batch"), "web1"], program: "sftp")
        #expect(fetched.succeeded, "\(fetched)")
        #expect(try folder.readText("by_sftp") == "payload\n")
        // One certificate did for both.
        #expect(scene.alice.certificates().count == 1)
        #expect(scene.certificateLogins == 2)
    }

    @Test func withoutAnAgentTheKeyIsAFileUntilLogout() throws {
        let scene = try ControlScene(withAgent: false)
        let result = try scene.alice.ssh(["web1", "true"])
        #expect(result.succeeded, "\(result)\n\(scene.server.log)")
        let certificate = try #require(scene.alice.certificates().first)
        let name = "state/identities/\(certificate.split(separator: "/").last!.dropLast("-cert.pub".count))"
        #expect(try scene.alice.folder.mode(of: name) == 0o600)
        #expect(try scene.alice.folder.mode(of: "state") == 0o700)
        #expect(try scene.alice.folder.mode(of: "state/session.key") == 0o600)
        let out = try scene.alice.daypass(["logout"])
        #expect(out.stdoutText == "logged out\n", "\(out)")
        #expect(scene.alice.certificates().isEmpty)
        for gone in [name, "state/session.key", "state/session.json"] {
            #expect(!scene.alice.folder.contains(gone), "\(gone)")
        }
        let after = try scene.alice.ssh(["web1", "true"])
        #expect(after.status == 255)
        #expect(
            after.stderrText.contains("daypass: you are not logged in\nhint: daypass login\n"), "\(after)")
    }

    @Test func logoutTakesTheKeyOutOfTheAgent() throws {
        let scene = try ControlScene()
        try scene.alice.ssh(["web1", "true"]).orThrow("ssh")
        func held() throws -> String {
            try Tool.run("ssh-add", ["-L"], environment: scene.alice.environment).stdoutText
        }
        #expect(try held().contains("cert-v01@openssh.com"))
        try scene.alice.daypass(["logout"]).orThrow("logout")
        #expect(try !held().contains("cert-v01@openssh.com"))
        // The person's own key stays.
        #expect(try held().split(separator: "\n").count == 1)
        let again = try scene.alice.daypass(["logout"])
        #expect(again.stdoutText == "you were not logged in\n")
    }

    @Test func aCertificateIsUsedToItsEndWhileTheControlPlaneIsAway() async throws {
        let scene = try ControlScene(rules: ControlScene.rules(lifetime: "8s"))
        try scene.alice.ssh(["web1", "true"]).orThrow("ssh")
        let file = try #require(scene.alice.certificates().first)
        scene.plane.stop()
        let offline = try scene.alice.ssh(["web1", "true"])
        let left = Double(try end(of: file)) - Date().timeIntervalSince1970
        // On a slow machine the seconds may have passed meanwhile.
        #expect(offline.succeeded || left <= 0, "\(offline)")
        if offline.succeeded {
            #expect(
                offline.stderrText.contains("nobody listens there; going on with a certificate"), "\(offline)"
            )
        }
        try await Task.sleep(for: .seconds(max(left, 0) + 1))
        let expired = try scene.alice.ssh(["web1", "true"])
        #expect(expired.status == 255)
        #expect(
            expired.stderrText.contains("daypass: localhost:\(scene.plane.port): nobody listens there"),
            "\(expired)")
        #expect(expired.stderrText.contains("hint: is the control plane running"), "\(expired)")
        // It comes back, and knows the session.
        try scene.plane.start()
        let back = try scene.alice.ssh(["web1", "true"])
        #expect(back.succeeded, "\(back)")
        #expect(scene.plane.terminate() == .exited(0), "\(scene.plane.log)")
    }

    @Test func manyAtATimeGetTheirCertificates() async throws {
        let scene = try ControlScene()
        let alice = scene.alice
        try await withThrowingTaskGroup(of: ToolResult.self) { group in
            let (config, environment) = (alice.config, alice.environment)
            for _ in 0..<4 {
                group.addTask {
                    try Tool.run("ssh", ["-F", config, "web1", "true"], environment: environment)
                }
            }
            for try await result in group { #expect(result.succeeded, "\(result)\n\(scene.server.log)") }
        }
        // The first made it, the others found it.
        #expect(alice.certificates().count == 1)
        let log = try Tool.run(
            try BuiltProduct.path("daypass"), ["log", "list", "--home", scene.plane.home, "--limit", "0"])
        #expect(
            log.stdoutText.split(separator: "\n").count { $0.contains("alice@example.com#") } == 1, "\(log)")
    }

    @Test func attack64_theHostCASpeaksForItsNamesOnly() throws {
        let scene = try ControlScene()
        let known = try scene.alice.folder.readText("state/known_hosts")
        #expect(known.hasPrefix("@cert-authority *.example.com ssh-ed25519 "), "\(known)")
        #expect(known.split(separator: "\n").count == 1)
        // Under its certified name it needs no question; under another one the host CA does not speak for it.
        #expect(try scene.alice.ssh(["web1", "true"]).succeeded)
        let other = try scene.alice.ssh(["-o", "HostKeyAlias=web1.example.org", "web1", "true"])
        #expect(other.status == 255)
        #expect(other.stderrText.contains("Host key verification failed"), "\(other)")
    }
}
