// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import TestSupport
import Testing

/// Grants beside a real sshd, PAM, sudo and stock clients, on a host of the test's own.
@Suite(
    "Logins by grants", .enabled(if: Running.asRoot, "needs root"),
    .enabled(if: Running.withSSHD, "needs an OpenSSH server"), .enabled(if: Running.withSudo, "needs sudo"),
    .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
struct GrantLoginTests {
    private let host: GrantHost

    init() throws { host = try GrantHost() }

    @Test func aGrantLetsInWithSudoAndItsEndEndsTheSession() throws {
        try host.start()
        let until = UInt64(Date().timeIntervalSince1970) + 15
        let key = try host.publicKey("user")
        try host.perform(
            "grant",
            "{\"id\":\"r.1\",\"user\":\"carol\",\"keys\":[\"\(key)\"],\"sudo\":true,\"until\":\(until)}"
        ).orThrow("grant")
        let said = try host.login("carol", "id -un && sudo -n -l && sudo -n id -un")
        #expect(said.stdoutText.hasPrefix("carol\n"), "\(said)")
        #expect(said.stdoutText.contains("NOPASSWD: ALL"), "\(said)")
        #expect(said.stdoutText.hasSuffix("\nroot\n"), "\(said)")

        let client = try host.loginBeside("carol", "sleep 600")
        try host.wait("the session") { try host.events(.open).count >= 2 }
        // Nobody says anything: the host's own clock does.
        try host.wait("the end of the session") { !client.isRunning }
        #expect(UInt64(Date().timeIntervalSince1970) >= until)
        try host.wait("the files to go") {
            !host.system.folder.contains("etc/sudoers.d/daypass-r+1")
                && !host.system.folder.contains("etc/daypass/granted_keys/carol")
        }
        let kill = try #require(try host.events(.kill).first)
        #expect(kill.reason == "grant r.1: its time is over")
        let refused = try host.login("carol", "true")
        #expect(refused.status == 255)
        #expect(refused.stderrText.contains("Permission denied"), "\(refused)")
        // The account was made for the grant: it is locked.
        try host.wait("the account to be locked") {
            try host.system.folder.readText("etc/shadow").split(separator: "\n").contains {
                $0.hasPrefix("carol:") && $0.hasSuffix(":1:")
            }
        }
    }

    @Test func revokingEndsItsOwnSessionAndNoOther() throws {
        try host.system.run(["useradd", "--create-home", "--password", "*", "dave"]).orThrow("useradd")
        try host.start()
        for (id, key) in [("mine", "user"), ("theirs", "other")] {
            let line = try host.publicKey(key)
            let until = UInt64(Date().timeIntervalSince1970) + 600
            try host.perform(
                "grant", "{\"id\":\"\(id)\",\"user\":\"dave\",\"keys\":[\"\(line)\"],\"until\":\(until)}"
            ).orThrow("grant")
        }
        let mine = try host.loginBeside("dave", "sleep 600")
        let theirs = try host.loginBeside("dave", key: "other", "sleep 600")
        try host.wait("the sessions") { try host.events(.open).count >= 2 }
        let revoked = try host.perform("revokeGrant", "{\"id\":\"mine\"}")
        #expect(revoked.stdoutText.contains("\"message\":\"revoked: mine\""), "\(revoked)")
        try host.wait("the end of the session", seconds: 5) { !mine.isRunning }
        #expect(theirs.isRunning)
        #expect(try host.login("dave", "true").status == 255)
        #expect(try host.login("dave", key: "other", "true").succeeded)
        let dave = try host.system.folder.readText("etc/passwd")
        #expect(dave.contains("\ndave:"))
    }

    @Test func aCertificateLogsInByThePrincipalsOfItsGrantAlone() throws {
        try host.start()
        let until = UInt64(Date().timeIntervalSince1970) + 600
        let alice = try host.certificate("alice")
        let bob = try host.certificate("bob")
        #expect(try host.login("carol", certificate: alice, "true").status == 255)
        try host.perform(
            "grant", "{\"id\":\"r\",\"user\":\"carol\",\"principals\":[\"alice\"],\"until\":\(until)}"
        ).orThrow("grant")
        let said = try host.login("carol", certificate: alice, "id -un")
        #expect(said.stdoutText == "carol\n", "\(said)")
        #expect(try host.login("carol", certificate: bob, "true").status == 255)
        try host.perform("revokeGrant", "{\"id\":\"r\"}").orThrow("revoke")
        #expect(try host.login("carol", certificate: alice, "true").status == 255)
    }
}
