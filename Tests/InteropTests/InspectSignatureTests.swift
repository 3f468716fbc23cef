// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@Suite("daypass inspect: signatures and pictures")
struct InspectSignatureTests {
    @Test func aSignatureSaysByWhomAndForWhatItIs() throws {
        let tools = try InspectTools()
        try tools.makeKey("key")
        try tools.folder.write("a message", to: "message")
        try tools.keygen(["-Y", "sign", "-n", "file", "-f", "key", "message"])
        let result = try tools.daypass(["inspect", "message.sig"])
        let fingerprint = try tools.keygen(["-l", "-f", "key.pub"]).stdoutText.split(separator: " ")[1]
        #expect(result.status == 0)
        #expect(
            result.stdoutText == """
                message.sig: signature
                  namespace   "file"
                  signed by   ED25519 256 \(fingerprint)
                  algorithm   ssh-ed25519, sha512
                  checked     no, that takes the signed file: ssh-keygen -Y verify

                """)
        #expect(try tools.reports(["message.sig"]).map(\.kind) == ["signature"])
    }

    @Test func aSignatureByACertificateNamesIt() throws {
        let tools = try InspectTools()
        try tools.makeKey("key")
        try tools.keygen(["-q", "-s", "key", "-I", "al#7", "-z", "7", "-n", "al", "key.pub"])
        try tools.folder.write("a message", to: "message")
        try tools.keygen(["-Y", "sign", "-n", "file", "-f", "key-cert.pub", "message"])
        let text = try tools.daypass(["inspect", "message.sig"]).stdoutText
        #expect(text.contains("  key ID      \"al#7\"\n  serial      7\n"), "\(text)")
    }

    @Test func aDamagedSignatureIsRefused() throws {
        let tools = try InspectTools()
        try tools.folder.write(
            "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n", to: "sig")
        let result = try tools.daypass(["inspect", "sig"])
        #expect(result.status == 1 && result.stdout.isEmpty)
        #expect(result.stderrText.hasPrefix("error: sig: SSHSIG"), "\(result)")
    }

    @Test func thePictureIsSSHKeygens() throws {
        let tools = try InspectTools()
        try tools.makeKey("key")
        let lines = try tools.keygen(["-l", "-v", "-f", "key.pub"]).stdoutText.split(separator: "\n")
            .dropFirst()
        let text = try tools.daypass(["inspect", "--randomart", "key.pub"]).stdoutText
        let shown = text.split(separator: "\n").filter {
            $0.dropFirst(14).first == "+" || $0.dropFirst(14).first == "|"
        }
        #expect(lines.count == 11)
        #expect(shown.map { String($0.dropFirst(14)) } == lines.map(String.init))
        #expect(!(try tools.daypass(["inspect", "key.pub"]).stdoutText.contains("randomart")))
    }
}
