// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@Suite("daypass revoke, daypass krl")
struct CLIRevokeTests {
    private let tools: CLITools

    init() throws {
        tools = try CLITools.withCA()
        try tools.issue().orThrow("issue")
    }

    private struct BuildReport: Decodable {
        let file: String
        let bytes: Int
        let version: UInt64
        let revocations, expiredLeftOut: Int
    }

    private func revoke(_ arguments: [String]) throws -> ToolResult {
        try tools.daypass(["revoke", "--reason", "laptop lost"] + arguments)
    }

    @discardableResult
    private func build(_ more: [String] = []) throws -> BuildReport {
        let result = try tools.daypass(["krl", "build", "-o", "krl", "--format", "json"] + more)
        return try tools.decode(BuildReport.self, result.orThrow("krl build"))
    }

    /// What OpenSSH says, which is what sshd would do.
    private func isRevoked(_ name: String) throws -> Bool {
        let result = try Tool.run(
            "ssh-keygen", ["-Q", "-f", "krl", name], environment: tools.environment, in: tools.folder.path)
        #expect(
            result.stdoutText == "\(name) (\(comment(name))): \(result.succeeded ? "ok" : "REVOKED")\n",
            "\(result)")
        return !result.succeeded
    }

    private func comment(_ name: String) -> String {
        let line = (try? tools.folder.readText(name)) ?? ""
        return line.split(separator: " ", maxSplits: 2).last.map { $0.trimmingCharacters(in: .newlines) }
            ?? ""
    }

    /// Each way to say it, and whether that revokes the key with it.
    @Test(arguments: ["--serial", "--key-id", "--certificate", "--key"])
    func attack61_whatIsRevokedIsInTheListThatOpenSSHReads(_ option: String) throws {
        let issued = try #require(try tools.log().last)
        let value =
            switch option {
            case "--serial": try #require(issued.serial)
            case "--key-id": try #require(issued.keyId)
            case "--certificate": "id-cert.pub"
            default: "id.pub"
            }
        do {
            try build()
            #expect(try !isRevoked("id-cert.pub"))
        }
        let result = try revoke([option, value])
        #expect(result.status == 0, "\(result)")
        #expect(result.stdoutText.hasPrefix("revoked "))
        #expect(
            result.stderrText
                == "hint: hosts don't know yet: daypass krl build -o FILE, and install it as their RevokedKeys\n"
        )
        let entry = try #require(try tools.log().last)
        #expect(entry.event == "revoked" && entry.reasons == ["laptop lost"])
        #expect(try build().revocations == 1)
        #expect(try isRevoked("id-cert.pub"))
        #expect(try isRevoked("id.pub") == (option == "--key"))
        let tested = try tools.daypass(["krl", "test", "-f", "krl", "id-cert.pub"])
        #expect(tested.status == 3 && tested.stdoutText.hasPrefix("id-cert.pub: REVOKED ("), "\(tested)")
        // Another certificate on another key is not touched.
        try tools.makeKey("two")
        try tools.issue(key: "two.pub").orThrow("issue")
        #expect(try !isRevoked("two-cert.pub"))
        let other = try tools.daypass(["krl", "test", "-f", "krl", "two-cert.pub"])
        #expect(other.status == 0 && other.stdoutText == "two-cert.pub: ok\n")
        // Nothing more is issued for a key that is revoked itself; otherwise the next certificate is a new one.
        let again = try tools.issue()
        if option == "--key" {
            #expect(again.status == 2, "\(again)")
            #expect(again.stderrText.contains(": it is revoked\n"), "\(again)")
            #expect(try tools.log().last?.event == "refused")
        } else {
            #expect(again.status == 0, "\(again)")
            #expect(try isRevoked("id-cert.pub") == false)
        }
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }

    @Test func whatIsNotKnownIsRefusedAndNothingRecorded() throws {
        let before = try tools.log()
        let serial = try #require(before.last?.serial)
        expectFailure(
            try revoke(["--serial", "0"]), 64,
            "--serial 0: no sshd can revoke it, and this CA never issues it")
        expectFailure(
            try revoke(["--serial", "5"]), 1, "serial 5 was never issued here",
            hint: "if you have the certificate: --certificate FILE")
        expectFailure(try revoke(["--key-id", "nobody"]), 1, "key ID \"nobody\" was never issued here")
        expectFailure(
            try revoke(["--certificate", "id.pub"]), 64, "id.pub: a plain key, a certificate expected",
            hint: "use --key to revoke a key")
        expectFailure(
            try revoke(["--key", "id-cert.pub"]), 64,
            "id-cert.pub: a certificate, a plain public key is needed")
        expectFailure(
            try revoke([]), 64, "nothing to revoke: give --serial, --key-id, --key or --certificate",
            hint: "daypass revoke --help lists what it takes")
        // All or nothing.
        #expect(try revoke(["--serial", serial, "5"]).status == 1)
        for reason in ["", " ", "a\nb", String(repeating: "a", count: 5_000)] {
            let result = try tools.daypass(["revoke", "--serial", serial, "--reason", reason])
            #expect(result.status == 64 && result.stderrText.hasPrefix("error: reason"), "\(result)")
        }
        #expect(try tools.log() == before)
    }

    @Test func anotherCAsCertificateIsRefused() throws {
        try tools.makeKey("ca")
        try tools.run("ssh-keygen", ["-q", "-s", "ca", "-I", "al", "-n", "deploy", "-z", "7", "id.pub"])
        let before = try tools.log()
        let result = try revoke(["--certificate", "id-cert.pub"])
        #expect(result.status == 64 && result.stdout.isEmpty)
        #expect(result.stderrText.hasPrefix("error: id-cert.pub: signed by SHA256:"), "\(result)")
        #expect(result.stderrText.hasSuffix(", which is not this CA's user key\n"), "\(result)")
        #expect(try tools.log() == before)
    }

    @Test func expiredOnesAreLeftOutUnlessAskedFor() throws {
        let old = try #require(try tools.log().last?.serial)
        try tools.issue(["--valid", "1s", "-o", "short.pub"]).orThrow("issue")
        let short = try #require(try tools.log().last)
        try revoke(["--serial", old, try #require(short.serial)]).orThrow("revoke")
        // It ends within a second.
        let end = try #require(short.validBefore)
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let judged = try tools.daypass(["inspect", "short.pub", "--format", "json"]).stdoutText
            if judged.contains("\"status\" : \"expired\"") { break }
        }
        let report = try build()
        #expect(report.revocations == 1 && report.expiredLeftOut == 1, "\(end)")
        #expect(try isRevoked("id-cert.pub"))
        #expect(try !isRevoked("short.pub"))
        let whole = try build(["--include-expired"])
        #expect(whole.revocations == 2 && whole.expiredLeftOut == 0)
        #expect(try isRevoked("short.pub"))
    }

    @Test func aDashIsStandardOutputAndTheNumberGrows() throws {
        let first = try build()
        try revoke(["--key", "id.pub"]).orThrow("revoke")
        let result = try tools.daypass(["krl", "build", "-o", "-"]).orThrow("krl build")
        try tools.folder.write(result.stdout, to: "krl")
        #expect(try isRevoked("id.pub"))
        let last = try build()
        #expect(last.version > first.version)
        let shown = try tools.daypass(["krl", "show", "krl"])
        #expect(shown.status == 0, "\(shown)")
    }

    @Test func aListThatIsNoneIsAnError() throws {
        try tools.folder.write("nonsense", to: "krl")
        for arguments in [["krl", "show", "krl"], ["krl", "test", "-f", "krl", "id.pub"]] {
            let result = try tools.daypass(arguments)
            #expect(result.status == 1 && result.stderrText.hasPrefix("error: krl: "), "\(result)")
        }
        expectFailure(
            try tools.daypass(["krl", "test", "-f", "no", "id.pub"]), 1,
            "cannot open no: no such file or directory")
    }
}
