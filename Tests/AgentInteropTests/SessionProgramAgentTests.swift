// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// `daypass-session authorize` and the agent that it asks.
@Suite(
    "Online check", .enabled(if: Running.asRoot, "needs root"),
    .enabled(if: (try? Tool.find("setpriv")) != nil, "needs setpriv"))
struct SessionProgramAgentTests {
    /// A running agent, a CA that it trusts and a certificate.
    final class Host {
        let place: SessionProgramAuthorizeTests.Place
        let folder: TemporaryFolder
        let agent: ChildProcess

        init() throws {
            place = try SessionProgramAuthorizeTests.Place()
            folder = try TemporaryFolder()
            for name in ["ca", "user"] {
                try Tool.run(
                    "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder.path(name)]
                ).orThrow(name)
            }
            try Tool.run(
                "ssh-keygen",
                [
                    "-q", "-s", folder.path("ca"), "-I", "alice", "-n", "ops", "-z", "7",
                    folder.path("user.pub"),
                ]
            ).orThrow("sign")
            try folder.write(folder.read("ca.pub"), to: "user_ca_keys")
            try place.write("ops\n", to: "deploy")
            agent = try ChildProcess(
                BuiltProduct.path("daypass-agent"),
                [
                    "run", "--config-folder", folder.path, "--state-folder", folder.path("state"),
                    "--runtime-folder", "\(place.path)/run", "--authorize-account", "nobody",
                ], log: folder.path("log"))
            let deadline = ContinuousClock.now + .seconds(20)
            while !FileManager.default.fileExists(atPath: "\(place.path)/run-authorize/socket") {
                guard agent.isRunning, ContinuousClock.now < deadline else {
                    throw TestSupportError("the agent does not come up: \(try folder.readText("log"))")
                }
                usleep(2_000)
            }
        }

        deinit { agent.stop() }

        func ask(as account: String = "65534") throws -> ToolResult {
            let certificate = String(try folder.readText("user-cert.pub").split(separator: " ")[1])
            return try Tool.run(
                "setpriv",
                [
                    "--reuid", account, "--regid", account, "--clear-groups", place.program, "authorize",
                    "--socket", "\(place.path)/run-authorize/socket", "--principals", place.principals,
                    "--timeout", "5000", "deploy", certificate,
                ])
        }

        func revoke() throws {
            try folder.write("serial: 7\n", to: "spec")
            try Tool.run(
                "ssh-keygen",
                [
                    "-q", "-k", "-f", folder.path("revoked_keys"), "-s", folder.path("ca.pub"),
                    folder.path("spec"),
                ]
            ).orThrow("make a KRL")
        }
    }

    @Test func aRevokedCertificateIsRefusedAtOnce() throws {
        let host = try Host()
        let before = try host.ask()
        #expect(before.stdoutText == "ops\n")
        #expect(before.stderrText == "")
        try host.revoke()
        let after = try host.ask()
        #expect(after.status == 3)
        #expect(after.stdoutText == "")
    }

    @Test func otherAccountsAreNotAnswered() throws {
        let host = try Host()
        try host.revoke()
        let other = try host.ask(as: "65533")
        #expect(other.stdoutText == "ops\n")
        #expect(other.stderrText.contains("no agent"))
        #expect(try host.ask().status == 3)
    }

    @Test func whenTheAgentHasGoneTheFileDecides() throws {
        let host = try Host()
        try host.revoke()
        #expect(try host.ask().status == 3)
        host.agent.signal(SIGTERM)
        #expect(host.agent.wait(for: .seconds(10)) == .exited(0))
        #expect(try host.ask().stdoutText == "ops\n")
    }
}
