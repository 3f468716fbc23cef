// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

/// Real logins: a stock ssh, a stock sshd, and certificates that `daypass` issued for both.
@Suite("Logins with certificates", .enabled(if: Running.withSSHD, "needs an OpenSSH server"))
struct LoginTests {
    /// A CA, a user's key, a host with a certificate, and a client that trusts hosts only by the CA.
    private final class Scene {
        let ca: TestCA
        let server: PrivateSSHD
        let key: String
        let knownHosts: String
        /// The name under which the host is known.
        static let host = "web1.example"

        init(_ type: String = "ed25519", principals: [String] = ["alice"], revoked: Bool = false) throws {
            ca = try LoginTests.makeCA(type)
            key = try Self.makeKey("user", in: ca.folder)
            let hostKey = try Self.makeKey("host", in: ca.folder)
            try ca.run(["issue", "host", "--key", "\(hostKey).pub", "--hostname", Self.host]).orThrow(
                "issue host")
            if revoked { try ca.run(["krl", "build", "-o", ca.folder.path("krl")]).orThrow("krl build") }
            server = try PrivateSSHD(
                .init(
                    trustedUserCAKeys: ca.userAuthority, revokedKeys: revoked ? ca.folder.path("krl") : nil,
                    hostKey: hostKey, hostCertificate: "\(hostKey)-cert.pub",
                    authorizedPrincipalsFile: ca.folder.write(
                        principals.joined(separator: "\n") + "\n", to: "principals")))
            knownHosts = try ca.folder.write(
                "@cert-authority \(Self.host) \(try ca.publicKey("host").text)\n", to: "known_hosts")
        }

        static func makeKey(_ name: String, in folder: TemporaryFolder) throws -> String {
            let path = folder.path(name)
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path]).orThrow(
                "make a key")
            return path
        }

        /// Issues a certificate for the user.
        func issue(_ options: [String] = [], principal: String = "alice") throws {
            try ca.run(
                [
                    "issue", "user", "--key", "\(key).pub", "--identity", "alice@example.org", "--principal",
                    principal,
                ]
                    + options
            ).orThrow("issue user")
        }

        func login(_ command: String = "true", options: [String] = [], knownHosts: String? = nil) throws
            -> ToolResult
        {
            try server.login(
                identity: key, certificate: "\(key)-cert.pub", knownHosts: knownHosts ?? self.knownHosts,
                extraOptions: ["-o", "HostKeyAlias=\(Self.host)"] + options, command: command)
        }

        /// What sshd says of a certificate: whom it names, and its serial.
        func keyID() throws -> String { try ca.certificate("user-cert.pub").fields.keyID.string }
    }

    private static func makeCA(_ type: String) throws -> TestCA {
        guard type == "rsa" else { return try TestCA(["--type", type]) }
        return try withTemporaryFolder { folder in
            let path = folder.path("rsa")
            try Tool.run("ssh-keygen", ["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", path]).orThrow(
                "make a key")
            return try TestCA(["--import", path, "--import", "host=\(path)"])
        }
    }

    private func expectRefused(_ result: ToolResult, _ scene: Scene, _ reason: String) throws {
        #expect(result.status == 255)
        #expect(result.stderrText.contains("Permission denied"), "\(result)")
        try scene.server.waitForLog(reason)
    }

    @Test(arguments: CertificateMatrixTests.authorities)
    func aCertificateLogsInUnderEveryTypeOfCA(type: String) throws {
        let scene = try Scene(type)
        try scene.issue()
        let result = try scene.login("id -un; exit 7")
        #expect(result.status == 7, "\(result)\n\(scene.server.log)")
        #expect(result.stdoutText == "\(Running.userName)\n")
        // Neither the host's plain key nor a question was needed, and sshd's own log names the person.
        #expect(!result.stderrText.contains("authenticity"))
        let keyID = try scene.keyID()
        #expect(keyID.hasPrefix("alice@example.org#"))
        let log = try scene.server.waitForLog("Accepted publickey for \(Running.userName) ")
        #expect(
            log.contains("ID \(keyID) (serial \(keyID.dropFirst("alice@example.org#".count))) CA"), "\(log)")
    }

    @Test func aPlainKeyWithoutItsCertificateIsRefused() throws {
        let scene = try Scene()
        let result = try scene.server.login(
            identity: scene.key, knownHosts: scene.knownHosts,
            extraOptions: ["-o", "HostKeyAlias=\(Scene.host)"])
        try expectRefused(result, scene, "Failed publickey for \(Running.userName)")
    }

    @Test func aCertificateLogsInUntilItExpires() throws {
        let scene = try Scene()
        try scene.issue(["--valid", "2s"])
        let end = try scene.ca.certificate("user-cert.pub").fields.validBefore.seconds
        let early = try scene.login()
        let afterwards = UInt64(Date().timeIntervalSince1970)
        // On a slow machine the two seconds may have passed meanwhile.
        #expect(early.succeeded || afterwards >= end, "\(early)")
        var result = early
        let deadline = ContinuousClock.now + .seconds(20)
        while result.succeeded, ContinuousClock.now < deadline { result = try scene.login() }
        #expect(UInt64(Date().timeIntervalSince1970) >= end)
        try expectRefused(result, scene, "Certificate invalid: expired")
        try scene.issue(["--valid", "1h"])
        #expect(try scene.login().succeeded)
    }

    @Test func attack13_aCertificateForLaterIsRefusedNow() throws {
        let scene = try Scene()
        try scene.issue(["--valid-from", "+1h"])
        try expectRefused(try scene.login(), scene, "Certificate invalid: not yet valid")
    }

    @Test func attack02_aCertificateLogsInOnlyAsItsPrincipals() throws {
        let scene = try Scene(principals: ["deploy"])
        try scene.issue(principal: "alice")
        try expectRefused(try scene.login(), scene, "Certificate does not contain an authorized principal")
        try scene.issue(principal: "deploy")
        #expect(try scene.login().succeeded)
    }

    @Test func aRevokedCertificateIsRefusedAndAnotherIsNot() throws {
        let scene = try Scene(revoked: true)
        try scene.issue()
        #expect(try scene.login().succeeded)
        let serial = try scene.ca.certificate("user-cert.pub").fields.serial
        try scene.ca.run(["revoke", "--serial", "\(serial)", "--reason", "lost"]).orThrow("revoke")
        // It takes a new list on the host.
        #expect(try scene.login().succeeded)
        try scene.ca.run(["krl", "build", "-o", scene.ca.folder.path("krl")]).orThrow("krl build")
        try expectRefused(try scene.login(), scene, "revoked by file")
        try scene.issue()
        #expect(try scene.login().succeeded)
    }

    @Test func aRevokedKeyIsRefusedWithEveryCertificate() throws {
        let scene = try Scene(revoked: true)
        try scene.issue()
        #expect(try scene.login().succeeded)
        try scene.ca.run(["revoke", "--key", "\(scene.key).pub", "--reason", "lost"]).orThrow("revoke")
        try scene.ca.run(["krl", "build", "-o", scene.ca.folder.path("krl")]).orThrow("krl build")
        try expectRefused(try scene.login(), scene, "revoked by file")
        let again = try scene.ca.run(
            ["issue", "user", "--key", "\(scene.key).pub", "--identity", "alice", "--principal", "alice"])
        #expect(again.status == 2, "\(again)")
    }

    @Test func anotherCAsCertificateIsRefused() throws {
        let scene = try Scene()
        let stranger = try TestCA()
        try stranger.run(
            ["issue", "user", "--key", "\(scene.key).pub", "--identity", "alice", "--principal", "alice"]
        ).orThrow("issue")
        try expectRefused(try scene.login(), scene, "Failed publickey for \(Running.userName)")
        try scene.issue()
        #expect(try scene.login().succeeded)
    }

    @Test func aForcedCommandIsTheOnlyOneThatRuns() throws {
        let scene = try Scene()
        try scene.issue(["--force-command", "echo forced \"$SSH_ORIGINAL_COMMAND\""])
        let result = try scene.login("echo free")
        #expect(result.stdoutText == "forced echo free\n", "\(result)")
        try scene.issue()
        #expect(try scene.login("echo free").stdoutText == "free\n")
    }

    @Test func attack26_aCertificateWorksOnlyFromItsAddresses() throws {
        let scene = try Scene()
        try scene.issue(["--source-address", "192.0.2.0/24", "::1"])
        try expectRefused(try scene.login(), scene, "not from a permitted source address")
        try scene.issue(["--source-address", "192.0.2.0/24", "127.0.0.0/8"])
        #expect(try scene.login().succeeded)
    }

    @Test func aTerminalIsGivenUnlessNothingIs() throws {
        let scene = try Scene()
        try scene.issue()
        #expect(
            try scene.login("test -t 0 && echo terminal", options: ["-tt"]).stdoutText.contains("terminal"))
        try scene.issue(["--permit", "none"])
        let refused = try scene.login(options: ["-tt"])
        #expect(refused.status == 255)
        #expect(refused.stderrText.contains("PTY allocation request failed"), "\(refused)")
        #expect(try scene.login().succeeded)
    }

    @Test func forwardingIsRefusedUnlessPermitted() throws {
        let scene = try Scene()
        // Remote forwarding answers before the command runs, so nothing has to be connected to.
        let options = ["-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:127.0.0.1:9"]
        try scene.issue()
        let refused = try scene.login(options: options)
        #expect(refused.status == 255, "\(refused)")
        #expect(refused.stderrText.contains("remote port forwarding failed"), "\(refused)")
        try scene.issue(["--permit", "port-forwarding"])
        let allowed = try scene.login(options: options)
        #expect(allowed.succeeded, "\(allowed)")
    }

    @Test func anAgentIsForwardedOnlyWhenPermitted() throws {
        let scene = try Scene()
        let agent = try PrivateAgent()
        func login() throws -> String {
            try scene.server.login(
                identity: scene.key, certificate: "\(scene.key)-cert.pub", knownHosts: scene.knownHosts,
                extraOptions: [
                    "-o", "HostKeyAlias=\(Scene.host)", "-o", "IdentityAgent=SSH_AUTH_SOCK", "-A",
                ],
                command: "test -S \"$SSH_AUTH_SOCK\" && echo agent || echo none",
                environment: agent.environment
            ).stdoutText
        }
        try scene.issue()
        #expect(try login() == "none\n")
        try scene.issue(["--permit", "agent-forwarding"])
        #expect(try login() == "agent\n")
    }

    // MARK: Hosts

    @Test func aHostWithoutTheCertificatesNameIsRefused() throws {
        let scene = try Scene()
        try scene.issue()
        let known = try scene.ca.folder.write(
            "@cert-authority *.example \(try scene.ca.publicKey("host").text)\n", to: "known_all")
        #expect(try scene.login(knownHosts: known).succeeded)
        let result = try scene.server.login(
            identity: scene.key, certificate: "\(scene.key)-cert.pub", knownHosts: known,
            extraOptions: ["-o", "HostKeyAlias=web2.example"])
        #expect(result.status == 255)
        #expect(result.stderrText.contains("name is not a listed principal"), "\(result)")
    }

    @Test func attack65_aHostOfAnotherCAIsRefusedWithoutAQuestion() throws {
        let scene = try Scene()
        try scene.issue()
        let stranger = try TestCA()
        let known = try scene.ca.folder.write(
            "@cert-authority \(Scene.host) \(try stranger.publicKey("host").text)\n", to: "known_stranger")
        let result = try scene.login(knownHosts: known)
        #expect(result.status == 255)
        #expect(result.stderrText.contains("Host key verification failed"), "\(result)")
        #expect(try scene.login().succeeded)
    }

    /// A CA whose user and host keys are one, so that only the certificate's type can tell.
    @Test func aUserCertificateIsNoHostCertificateAndTheOtherWayRound() throws {
        let ca = try Self.makeCA("rsa")
        let key = try Scene.makeKey("key", in: ca.folder)
        func certify(_ arguments: [String], as name: String) throws -> String {
            let path = ca.folder.path(name)
            try ca.run(["issue"] + arguments + ["--key", "\(key).pub", "-o", path]).orThrow("issue")
            return path
        }
        let user = try certify(["user", "--identity", "a", "--principal", Scene.host], as: "user-cert.pub")
        let host = try certify(["host", "--hostname", Scene.host], as: "host-cert.pub")
        let known = try ca.folder.write(
            "@cert-authority \(Scene.host) \(try ca.publicKey("host").text)\n", to: "known")
        func server(_ certificate: String) throws -> PrivateSSHD {
            try PrivateSSHD(
                .init(
                    trustedUserCAKeys: ca.userAuthority, hostKey: key, hostCertificate: certificate,
                    authorizedPrincipalsFile: ca.folder.write(Scene.host + "\n", to: "principals")))
        }
        func login(_ server: PrivateSSHD, _ certificate: String) throws -> ToolResult {
            try server.login(
                identity: key, certificate: certificate, knownHosts: known,
                extraOptions: ["-o", "HostKeyAlias=\(Scene.host)"])
        }
        let good = try server(host)
        let accepted = try login(good, user)
        #expect(accepted.succeeded, "\(accepted)\n\(good.log)")
        // The client itself would not offer a host's certificate from a file; from an agent it does.
        try ca.folder.write(try ca.folder.read("key"), to: "agent")
        try ca.folder.write(try ca.folder.read("host-cert.pub"), to: "agent-cert.pub")
        let agent = try PrivateAgent()
        try Tool.run("ssh-add", ["-q", ca.folder.path("agent")], environment: agent.environment).orThrow(
            "ssh-add")
        let offered = try good.login(
            identity: "/dev/null", knownHosts: known,
            extraOptions: [
                "-o", "HostKeyAlias=\(Scene.host)", "-o", "IdentityAgent=SSH_AUTH_SOCK", "-o",
                "IdentitiesOnly=no",
            ], environment: agent.environment)
        #expect(offered.status == 255)
        try good.waitForLog("Certificate invalid: not a user certificate")

        let bad = try server(user)
        let refused = try login(bad, user)
        #expect(refused.status == 255)
        #expect(
            refused.stderrText.contains("not a host certificate")
                || refused.stderrText.contains("Host key verification failed"), "\(refused)")
    }
}
