// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import SSHWire
import TestSupport
import Testing

@Suite(
    .enabled(if: Running.asRoot, "needs root"), .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
    .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
struct SessionKindTests {
    @Test func everyKindOfSessionLeavesACompleteRecord() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        let folder = scene.folder
        let file = try folder.write("content", to: "file")
        let common = [
            "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=\(scene.server.knownHosts)", "-o",
            "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i", scene.key,
        ]
        // exec; with a terminal; sftp and scp; a forwarded port without any session channel.
        try scene.login("true").orThrow("exec")
        try scene.login("tty", options: ["-tt"]).orThrow("terminal")
        try Tool.run("scp", common + ["-P", "\(scene.server.port)", "-O", file, "root@127.0.0.1:\(folder.path("scp"))"]).orThrow("scp")
        try Tool.run("sftp", common + ["-P", "\(scene.server.port)", "-b", "-", "root@127.0.0.1"], stdin: Array("get \(file) \(folder.path("sftp"))\n".utf8))
            .orThrow("sftp")
        let ssh = try ChildProcess(
            Tool.find("ssh"), common + ["-p", "\(scene.server.port)", "-N", "-L", "\(folder.path("forward")):127.0.0.1:1", "root@127.0.0.1"])
        try scene.wait(for: .open, count: 5)
        let live = try scene.run(["sessions", "--live"])
        #expect(live.stdoutText.contains("alice@example.org  7"), "\(live)")
        ssh.signal(SIGTERM)

        let closes = try scene.wait(for: .close, count: 5)
        let opens = try scene.events(.open)
        #expect(opens.count == 5)
        let certificate = try #require(
            try PublicKeyLine(file: folder.read("user-cert.pub")).content.asCertificate)
        for event in opens + closes {
            let use = try #require(event.certificate)
            #expect(use.type == "ssh-ed25519-cert-v01@openssh.com")
            #expect(use.kind == "user")
            #expect(use.serial == 7)
            #expect(use.keyID == "alice@example.org#7")
            #expect(use.identity == "alice@example.org")
            #expect(use.principals == [Running.userName])
            #expect(use.validBefore == certificate.fields.validBefore)
            #expect(use.extensions.map(\.name).contains("permit-pty"))
            #expect(use.keyFingerprint == certificate.fields.key.fingerprint)
            #expect(use.sha256 == hexadecimal(certificate.sha256))
            #expect(use.authority.isTrusted)
            #expect(use.authority.name == "ca key")
            #expect(use.authority.fingerprint == certificate.fields.signatureKey.fingerprint)
            #expect(event.account == Running.userName)
            #expect(event.source?.address == "127.0.0.1")
            #expect(event.destination == .init(address: "127.0.0.1", port: scene.server.port))
            #expect(event.via == .pam)
            #expect(event.service == scene.service.name)
        }
        #expect(Set(opens.compactMap(\.session)) == Set(closes.compactMap(\.session)))
        #expect(closes.allSatisfy { $0.durationMicroseconds != nil })
        scene.stopAgent()
        #expect(try scene.run(["sessions", "verify"]).succeeded)
    }

    @Test func aLoginByStaticKeySaysSo() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        try scene.login(key: scene.folder.path("static")).orThrow("log in")
        let open = try scene.wait(for: .open, count: 1)[0]
        let key = try PublicKeyLine(file: scene.folder.read("static.pub")).content.subject
        #expect(open.methods == [LoginMethod("publickey", .key(type: "ssh-ed25519", fingerprint: key.fingerprint))])
        #expect(open.certificate == nil)
    }

    @Test func aCertificateOfAnAuthorityThatIsNotListedIsRecordedAsNotTrusted() throws {
        let scene = try SessionScene()
        try scene.folder.write("# nobody\n", to: "etc/user_ca_keys.agent")
        try scene.startAgent(["--config-folder", scene.folder.path("elsewhere")])
        try scene.login().orThrow("log in")
        let authority = try #require(try scene.wait(for: .open, count: 1)[0].certificate?.authority)
        #expect(!authority.isTrusted)
        #expect(authority.name == nil)
    }

    /// Attack 39: the key ID of a certificate acts on the terminal of whoever lists sessions.
    @Test func attack39_aHostileKeyIDIsEscapedInListsAndRecords() throws {
        let scene = try SessionScene(keyID: "eve\u{1b}[2J\u{202e}#7")
        try scene.startAgent()
        try scene.login().orThrow("log in")
        try scene.wait(for: .close, count: 1)
        for arguments in [["sessions"], ["sessions", "--format", "json"]] {
            let listing = try scene.run(arguments).orThrow("list")
            #expect(listing.stdout.allSatisfy { $0 == 0x0a || $0 >= 0x20 && $0 < 0x7f })
            #expect(listing.stdoutText.contains("eve"))
        }
        #expect(try scene.events(.close)[0].certificate?.identity == "eve\u{1b}[2J\u{202e}")
    }
}

extension KeyOrCertificate {
    var asCertificate: Certificate? { if case .certificate(let certificate) = self { certificate } else { nil } }
}
