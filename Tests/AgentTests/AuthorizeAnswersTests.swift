// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import SSHWire
import TestSupport
import Testing

@Suite("Answers to daypass-session authorize") struct AuthorizeAnswersTests {
    /// A host's folder with a trusted CA, and a user's certificate.
    struct Host {
        let folder: TemporaryFolder
        let answers: AuthorizeAnswers

        init() throws {
            folder = try TemporaryFolder()
            answers = AuthorizeAnswers(SystemFiles(), HostLayout(configuration: folder.path))
            for name in ["ca", "other", "user"] {
                try Tool.run(
                    "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder.path(name)]
                )
                .orThrow(name)
            }
            try folder.write(folder.readText("ca.pub"), to: "user_ca_keys")
        }

        /// The middle of a new certificate's line, sshd's `%k`.
        func certificate(_ options: [String] = ["-n", "deploy"], ca: String = "ca", serial: Int = 7) throws
            -> String
        {
            try Tool.run(
                "ssh-keygen",
                ["-q", "-s", folder.path(ca), "-I", "alice", "-z", "\(serial)"] + options + [
                    folder.path("user.pub")
                ]
            ).orThrow("sign")
            return String(try folder.readText("user-cert.pub").split(separator: " ")[1])
        }

        func ask(_ certificate: String, account: String = "deploy") throws -> String {
            String(
                decoding: answers.answer(
                    try AuthorizeRequest(account: account, certificate: certificate).encoded), as: UTF8.self)
        }

        func revoke(serial: Int) throws {
            try folder.write("serial: \(serial)\n", to: "spec")
            try Tool.run(
                "ssh-keygen",
                [
                    "-q", "-k", "-f", folder.path("revoked_keys"), "-s", folder.path("ca.pub"),
                    folder.path("spec"),
                ]
            ).orThrow("make a KRL")
        }
    }

    @Test func aCertificateOfATrustedAuthorityIsAllowed() throws {
        let host = try Host()
        #expect(try host.ask(host.certificate()) == "allow\0")
        #expect(try host.ask(host.certificate(ca: "other")).hasPrefix("deny\0signed by SHA256:"))
    }

    @Test func aRevocationCountsFromTheNextQuestionOn() throws {
        let host = try Host()
        let certificate = try host.certificate()
        #expect(try host.ask(certificate) == "allow\0")
        try host.revoke(serial: 7)
        #expect(try host.ask(certificate).hasPrefix("deny\0revoked: serial 7 "))
        #expect(try host.ask(host.certificate(serial: 8)) == "allow\0")
    }

    @Test func anAuthorityThatIsTakenAwayCountsFromTheNextQuestionOn() throws {
        let host = try Host()
        let certificate = try host.certificate()
        #expect(try host.ask(certificate) == "allow\0")
        try host.folder.write(host.folder.readText("other.pub"), to: "user_ca_keys")
        #expect(try host.ask(certificate).hasPrefix("deny\0"))
    }

    @Test func aHostsCertificateIsNoUsers() throws {
        let host = try Host()
        #expect(
            try host.ask(host.certificate(["-h", "-n", "deploy"])).hasPrefix("deny\0a host's certificate"))
    }

    @Test(arguments: ["", "SSHKRL\n", "SSHKRL\n\0\0\0\0\0"]) func aDamagedListDeniesLikeSSHD(content: String)
        throws
    {
        let host = try Host()
        try host.folder.write(content, to: "revoked_keys")
        #expect(try host.ask(host.certificate()).hasPrefix("deny\0"))
    }

    /// `trust install` takes lists up to sshd's own limit, which is more than files of other kinds may have: one that
    /// could not be read here would keep everybody out.
    @Test func aListMayBeAsLargeAsSSHDTakesIt() throws {
        let files = MemoryFiles(["/etc/daypass/user_ca_keys": ""])
        let answers = AuthorizeAnswers(files, HostLayout())
        _ = answers.answer(try AuthorizeRequest(account: "deploy", certificate: "AAAA").encoded)
        #expect(files.largestRead("/etc/daypass/revoked_keys") == Limits.krlBytes)
    }

    @Test(arguments: ["AAAA", "====", "user=root", "AAAAB3NzaC1yc2E"])
    func attack57_whatIsNoCertificateIsDenied(certificate: String) throws {
        #expect(try Host().ask(certificate).hasPrefix("deny\0"))
    }

    @Test func attack57_everyShorterOrChangedPacketGetsAnAnswerAndNoneAllows() throws {
        let host = try Host()
        let packet = try AuthorizeRequest(account: "deploy", certificate: host.certificate()).encoded
        #expect(host.answers.answer(packet) == Array("allow\0".utf8))
        for count in packet.indices {
            #expect(host.answers.answer(Array(packet[..<count])).starts(with: Array("deny\0".utf8)))
        }
        #expect(host.answers.answer(packet + Array("user=root\0".utf8)).starts(with: Array("deny\0".utf8)))
        #expect(host.answers.answer(packet + [0]).starts(with: Array("deny\0".utf8)))
    }

    @Test(arguments: ["", "a b", "a/b", "a\n", "dep\u{e9}", "a\"", "a\u{1b}"])
    func attack57_anAccountThatIsNoPlainNameIsRefused(account: String) {
        #expect(throws: ControlProtocolError(.invalidValue, "")) {
            try AuthorizeRequest(account: account, certificate: "AAAA")
        }
    }

    @Test func aReasonIsPrintableAndShort() {
        let answer = AuthorizeAnswer.deny("a\u{1b}[2J\0\n" + String(repeating: "x", count: 1_000)).encoded
        #expect(answer.count <= 512)
        #expect(answer.dropFirst(5).dropLast().allSatisfy { (0x20...0x7e).contains($0) })
    }
}
