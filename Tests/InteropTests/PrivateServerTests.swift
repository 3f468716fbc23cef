// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite("The tests' own footing: servers", .enabled(if: Running.withSSHD, "needs an OpenSSH server"))
struct PrivateServerTests {
    @Test func aKeyThatIsAuthorisedLogsIn() throws {
        try withTemporaryFolder { folder in
            let key = try makeKey("key", in: folder)
            let server = try PrivateSSHD(.init(authorizedKeysFile: "\(key).pub"))
            let result = try server.login(identity: key, command: "id -un; exit 7")
            #expect(result.status == 7, "\(result)\n\(server.log)")
            #expect(result.stdoutText == "\(Running.userName)\n")
            try server.waitForLog("Accepted publickey for \(Running.userName) ")
        }
    }

    @Test func aKeyThatIsNotAuthorisedIsRefused() throws {
        try withTemporaryFolder { folder in
            let authorised = try makeKey("authorised", in: folder)
            let other = try makeKey("other", in: folder)
            let server = try PrivateSSHD(.init(authorizedKeysFile: "\(authorised).pub"))
            let result = try server.login(identity: other)
            #expect(result.status == 255)
            #expect(result.stderrText.contains("Permission denied"), "\(result)")
            try server.waitForLog("Failed publickey for \(Running.userName) ")
        }
    }

    @Test func withoutAuthorisedKeysNobodyLogsIn() throws {
        try withTemporaryFolder { folder in
            let key = try makeKey("key", in: folder)
            let result = try PrivateSSHD().login(identity: key)
            #expect(result.status == 255)
            #expect(result.stderrText.contains("Permission denied"), "\(result)")
        }
    }

    @Test func aHostKeyThatIsNotKnownIsRefused() throws {
        try withTemporaryFolder { folder in
            let key = try makeKey("key", in: folder)
            let server = try PrivateSSHD(.init(authorizedKeysFile: "\(key).pub"))
            let nobody = try folder.write("", to: "known_hosts")
            let result = try server.login(identity: key, knownHosts: nobody)
            #expect(result.status == 255)
            #expect(result.stderrText.contains("Host key verification failed"), "\(result)")
        }
    }

    /// Certificates by ssh-keygen: the ground on which our own ones are judged.
    @Test(arguments: [("alice", 0), ("mallory", 255)] as [(String, Int32)])
    func aCertificateLogsInOnlyWithAnAuthorisedPrincipal(principal: String, status: Int32) throws {
        try withTemporaryFolder { folder in
            let authority = try makeKey("authority", in: folder)
            let key = try makeKey("key", in: folder)
            let hostKey = try makeKey("host", in: folder)
            try Tool.run("ssh-keygen", ["-q", "-s", authority, "-I", "u", "-n", principal, "\(key).pub"])
                .orThrow("sign the user's key")
            try Tool.run(
                "ssh-keygen", ["-q", "-s", authority, "-I", "h", "-h", "-n", "web1", "\(hostKey).pub"]
            )
            .orThrow("sign the host's key")
            let server = try PrivateSSHD(
                .init(
                    trustedUserCAKeys: "\(authority).pub", hostKey: hostKey,
                    hostCertificate: "\(hostKey)-cert.pub",
                    authorizedPrincipalsFile: folder.write("alice\n", to: "principals")))
            let known = try folder.write(
                "@cert-authority web1 \(folder.readText("authority.pub"))", to: "known")
            let result = try server.login(
                identity: key, certificate: "\(key)-cert.pub", knownHosts: known,
                extraOptions: ["-o", "HostKeyAlias=web1"])
            #expect(result.status == status, "\(result)\n\(server.log)")
        }
    }

    @Test func aRevokedKeyIsRefused() throws {
        try withTemporaryFolder { folder in
            let key = try makeKey("key", in: folder)
            try Tool.run("ssh-keygen", ["-q", "-k", "-f", folder.path("krl"), "\(key).pub"]).orThrow(
                "make a KRL")
            let server = try PrivateSSHD(
                .init(revokedKeys: folder.path("krl"), authorizedKeysFile: "\(key).pub"))
            #expect(try server.login(identity: key).status == 255)
            try server.waitForLog("revoked")
        }
    }

    @Test func aServerWithABrokenConfigurationShowsItsLog() {
        let error = #expect(throws: TestSupportError.self) {
            try PrivateSSHD(.init(extraLines: ["NoSuchKeyword yes"]))
        }
        #expect(error?.description.contains("NoSuchKeyword") == true)
    }

    @Test func serversRunBesideEachOther() throws {
        let servers = try (0..<4).map { _ in try PrivateSSHD() }
        #expect(Set(servers.map(\.port)).count == servers.count)
    }

    @Test func stoppingAServerEndsItsConnections() throws {
        try withTemporaryFolder { folder in
            let key = try makeKey("key", in: folder)
            let server = try PrivateSSHD(.init(authorizedKeysFile: "\(key).pub"))
            let client = try ChildProcess(
                Tool.find("ssh"),
                [
                    "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=\(server.knownHosts)",
                    "-o", "IdentityAgent=none", "-i", key, "-p", "\(server.port)",
                    "-l", Running.userName, PrivateSSHD.address, "echo pid $$; exec sleep 600",
                ], log: folder.path("client"))
            let deadline = ContinuousClock.now + .seconds(20)
            while try !folder.readText("client").hasSuffix("\n"), ContinuousClock.now < deadline {
                #expect(client.wait(for: .milliseconds(10)) == nil)
            }
            let said = try folder.readText("client").split { $0.isWhitespace }
            let session = try #require(said.last.flatMap { pid_t($0) }, "\(said)")
            #expect(kill(session, 0) == 0)
            server.stop()
            #expect(client.wait(for: .seconds(20)) == .exited(255))
            #expect(kill(server.pid, 0) == -1)
            #expect(ChildProcess.hasEnded(session))
        }
    }

    @Test func anAgentHoldsAKeyUntilItIsStopped() throws {
        try withTemporaryFolder { folder in
            let key = try makeKey("key", in: folder)
            let agent = try PrivateAgent()
            try Tool.run("ssh-add", ["-q", key], environment: agent.environment).orThrow("add a key")
            let listed = try Tool.run("ssh-add", ["-L"], environment: agent.environment)
            #expect(listed.stdoutText == (try folder.readText("key.pub")))
            agent.stop()
            #expect(try Tool.run("ssh-add", ["-L"], environment: agent.environment).status == 2)
            #expect(kill(agent.pid, 0) == -1)
        }
    }

    private func makeKey(_ name: String, in folder: TemporaryFolder) throws -> String {
        let path = folder.path(name)
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path]).orThrow(
            "make a key")
        return path
    }
}
