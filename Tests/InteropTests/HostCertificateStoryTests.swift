// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import Foundation
    import TestSupport
    import Testing

    @Suite(
        "A host's certificate keeps itself up to date", .serialized,
        .enabled(if: Running.asRoot, "accounts and namespaces are root's to make"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct HostCertificateStoryTests {
        @Test func attack65_stockSSHKnowsTheHostByItsCertificateAlsoAfterRenewals() throws {
            let scene = try FleetTrustScene()
            // A minute: 40 seconds and less from one to the next.
            scene.plane.stop()
            let file = "\(scene.plane.home)/config.yaml"
            let yaml = try String(contentsOfFile: file, encoding: .utf8)
            let host = try #require(yaml.range(of: "host:\n    default_lifetime: 30d"))
            try yaml.replacingCharacters(in: host, with: "host:\n    default_lifetime: 1m").write(
                toFile: file, atomically: true, encoding: .utf8)
            try scene.plane.start()
            try scene.admin.daypass(["hosts", "add", "web1", "--name", "web1.example.com"]).orThrow(
                "hosts add")
            try scene.trust([scene.ownCA]).orThrow("trust")
            let web1 = try scene.join("web1")
            try scene.wait("the certificate") { web1.hostCertificate != nil }
            let first = try #require(web1.hostCertificate)
            #expect(
                first.contains("web1.example.com")
                    && first.contains("Type: ssh-ed25519-cert-v01@openssh.com host"))
            let key = try scene.certify("web1")
            let known = try web1.system.folder.write(
                "@cert-authority *.example.com \(String(decoding: scene.plane.folder.read("plane/host_ca.pub"), as: UTF8.self))",
                to: "known_ca")
            func enter(_ name: String) throws -> ToolResult {
                try web1.login(key, as: name, knownHosts: known)
            }
            try scene.wait("the login") { try enter("web1.example.com").succeeded }
            // Not under a name that it was not given, nor outside of the domain of the CA.
            #expect(try !enter("web2.example.com").succeeded)
            #expect(try !enter("web1").succeeded)
            let shown = try web1.run(["host-certificate", "show"]).orThrow("show")
            #expect(shown.stdoutText.contains("web1, web1.example.com"), "\(shown)")
            #expect(shown.stdoutText.contains("next renewal"), "\(shown)")

            // Renewed before it ends, with a name more.
            try scene.admin.daypass([
                "hosts", "add", "web1", "--name", "web1.example.com", "--name", "www.example.com",
            ]).orThrow("hosts add")
            try scene.wait("the renewal", seconds: 90) {
                web1.hostCertificate?.contains("www.example.com") == true
            }
            try scene.wait("the login by the new name") { try enter("www.example.com").succeeded }
            #expect(try enter("web1.example.com").succeeded, "\(web1.logs)")

            // The control plane is away at the time of the next: the old one stays.
            scene.plane.stop()
            let second = try #require(web1.hostCertificate)
            usleep(45_000_000)
            #expect(web1.hostCertificate == second)
            try scene.plane.start()
            try scene.wait("the next one", seconds: 120) {
                web1.hostCertificate.map { $0 != second } ?? false
            }
            try scene.wait("the login after that") { try enter("web1.example.com").succeeded }
            // The proofs of all these changes were nobody's logins.
            let alerts = try scene.admin.daypass(["sessions", "--alerts"]).orThrow("sessions")
            #expect(!alerts.stdoutText.contains("other authority"), "\(alerts)")
        }

        @Test func attack46_aCertificateThatLacksANameIsNotInstalledAndTheOldOneStays() throws {
            let scene = try FleetTrustScene()
            try scene.admin.daypass(["hosts", "add", "web1", "--name", "web1.example.com"]).orThrow(
                "hosts add")
            try scene.trust([scene.ownCA]).orThrow("trust")
            let web1 = try scene.join("web1")
            try scene.wait("the certificate") { web1.hostCertificate != nil }
            let first = try #require(web1.hostCertificate)
            let key = web1.system.folder.path("ssh_host_ed25519_key.pub")
            let copy = web1.system.folder.path("other.pub")
            try FileManager.default.copyItem(atPath: key, toPath: copy)
            try Tool.run(
                BuiltProduct.path("daypass"),
                [
                    "issue", "host", "--home", scene.plane.home, "--key", copy, "--valid", "60d",
                    "--hostname", "web1",
                ]
            ).orThrow("issue host")
            let file = web1.system.path("other-cert.pub")
            try scene.wait("the tool says why") {
                try web1.run(["host-certificate", "install", file]).stderrText.contains(
                    "it lacks web1.example.com")
            }
            #expect(web1.hostCertificate == first)
            // Nothing is changed by looking.
            let plan = try web1.run([
                "host-certificate", "install", file, "--removed", "web1.example.com", "--dry-run",
            ]).orThrow("dry run")
            #expect(plan.stdoutText.contains("host_certificate"), "\(plan)")
            #expect(web1.hostCertificate == first)
            try web1.run(["host-certificate", "install", file, "--removed", "web1.example.com"]).orThrow(
                "install")
            #expect(web1.hostCertificate != first)
            // Trust that is installed anew leaves it where it is.
            let kept = web1.hostCertificate
            try web1.run([
                "trust", "install", "--ca-keys", scene.ownCA, "--no-session-hook", "--host-id", "web1",
                "--account", FleetHost.account, "--no-forwarding",
            ]).orThrow("trust install")
            #expect(web1.hostCertificate == kept)
            let verified = try web1.run(["trust", "verify"])
            #expect(verified.succeeded, "\(verified)")
        }
    }

    extension FleetHost {
        /// What ssh-keygen says of the certificate that is installed; nil without one.
        var hostCertificate: String? {
            guard system.folder.contains("etc/daypass/host_certificate") else { return nil }
            let said = try? Tool.run(
                "ssh-keygen", ["-L", "-f", system.folder.path("etc/daypass/host_certificate")])
            return said.flatMap { $0.succeeded ? $0.stdoutText : nil }
        }

        /// Logs in with strict checking of the host's name.
        func login(_ key: String, as name: String, knownHosts: String) throws -> ToolResult {
            try Tool.run(
                "ssh",
                [
                    "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o",
                    "UserKnownHostsFile=\(knownHosts)", "-o", "GlobalKnownHostsFile=/dev/null", "-o",
                    "HostKeyAlias=\(name)", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o",
                    "ControlPath=none", "-i", key, "-o", "CertificateFile=\(key)-cert.pub", "-p", "\(port)",
                    "-l",
                    Self.account, "127.0.0.1", "true",
                ])
        }
    }
#endif
