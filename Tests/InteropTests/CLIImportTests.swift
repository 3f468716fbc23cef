// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@Suite("daypass ca init: keys from elsewhere")
struct CLIImportTests {
    private let tools: CLITools

    init() throws { tools = try CLITools() }

    private func initialise(_ more: [String]) throws -> ToolResult {
        try tools.daypass(["ca", "init", "--no-passphrase"] + more)
    }

    /// The two words that a public key is.
    private func publicKey(_ name: String) throws -> [Substring] {
        Array(try tools.folder.readText(name).split(separator: " ").prefix(2))
    }

    @Test(arguments: [
        ["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"], ["-t", "ecdsa", "-b", "384", "-m", "PEM"],
        ["-t", "ecdsa", "-b", "521", "-m", "PKCS8"], ["-t", "rsa", "-b", "3072"],
        ["-t", "rsa", "-b", "2048", "-m", "PEM"],
    ])
    func aKeyOfSSHKeygenIsTakenAndSigns(_ options: [String]) throws {
        try tools.makeKey("ca", options)
        try initialise(["--import", "ca"]).orThrow("ca init")
        #expect(try publicKey(".daypass/user_ca.pub") == publicKey("ca.pub"))
        #expect(try tools.log().map(\.event) == ["key-imported", "key-created", "key-created"])
        try tools.makeKey("id")
        try tools.issue().orThrow("issue")
        let judged = try tools.daypass(["inspect", "--ca", "ca.pub", "--principal", "deploy", "id-cert.pub"])
        #expect(judged.status == 0, "\(judged)")
        // Not with SHA-1, and to the satisfaction of OpenSSH.
        let signer = try #require(
            try tools.certificateLines("id-cert.pub").first { $0.hasPrefix("Signing CA:") })
        #expect(!signer.contains("(using ssh-rsa)"), "\(signer)")
    }

    @Test func eachRoleTakesItsOwn() throws {
        for name in ["one", "two", "three"] { try tools.makeKey(name) }
        try initialise(["--import", "user=one", "--import", "host=two", "--import", "log=three"]).orThrow(
            "ca init")
        for (role, name) in [("user_ca", "one"), ("host_ca", "two"), ("log_key", "three")] {
            #expect(try publicKey(".daypass/\(role).pub") == publicKey("\(name).pub"))
        }
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }

    @Test func anEncryptedKeyIsOpenedWithTheNewPassphrase() throws {
        try tools.makeKey("ca", ["-t", "ed25519", "-a", "1"], passphrase: "correct horse")
        try tools.folder.write("correct horse\n", to: "phrase")
        try tools.daypass(["ca", "init", "--import", "ca", "--passphrase-file", "phrase"]).orThrow("ca init")
        #expect(try publicKey(".daypass/user_ca.pub") == publicKey("ca.pub"))
        try tools.run("ssh-keygen", ["-y", "-P", "correct horse", "-f", ".daypass/user_ca"])
    }

    @Test func anEncryptedKeyWithAnotherPassphraseAsksForItOnATerminal() throws {
        try tools.makeKey("ca", ["-t", "ed25519", "-a", "1"], passphrase: "correct horse")
        expectFailure(
            try initialise(["--import", "ca"]), 1, "no terminal to ask for a passphrase on",
            hint: "use --passphrase-file FILE")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test func aPublicKeyOrACertificateByMistakeIsNamed() throws {
        try tools.makeKey("ca")
        try tools.makeKey("id")
        try tools.run("ssh-keygen", ["-q", "-s", "ca", "-I", "x", "-n", "x", "id.pub"])
        try tools.folder.setMode(0o600, of: "ca.pub")
        try tools.folder.setMode(0o600, of: "id-cert.pub")
        for name in ["ca.pub", "id-cert.pub"] {
            let result = try initialise(["--import", name])
            #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
            #expect(result.stderrText.hasPrefix("error: \(name): "), "\(result)")
            #expect(result.stderrText.contains("private key"), "\(result)")
            #expect(!tools.folder.contains(".daypass"))
        }
    }

    @Test func aKeyThatOthersCanReadIsRefused() throws {
        try tools.makeKey("ca")
        try tools.folder.setMode(0o644, of: "ca")
        expectFailure(
            try initialise(["--import", "ca"]), 1,
            "ca: mode 0644, others than its owner can use this secret",
            hint: "chmod 600 ca, and replace the key if somebody may have read it")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test func theCommandInTheHintIsOneThatAShellCanRun() throws {
        try tools.makeKey("it's a key")
        try tools.folder.setMode(0o640, of: "it's a key")
        expectFailure(
            try initialise(["--import", "it's a key"]), 1,
            "it's a key: mode 0640, others than its owner can use this secret",
            hint: "chmod 600 'it'\\''s a key', and replace the key if somebody may have read it")
    }

    @Test func theLogsKeyMustBeEd25519() throws {
        try tools.makeKey("ca", ["-t", "ecdsa"])
        expectFailure(
            try initialise(["--import", "log=ca"]), 1,
            "log key: ecdsa-sha2-nistp256, checkpoints need Ed25519")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test(arguments: [
        (["--import", "a", "--import", "user=b"], "--import: two keys for the user CA"),
        (["--import", "a", "--ca-agent", "SHA256:x"], "the user CA key is both imported and in an agent"),
        (["--ca-agent", "log=SHA256:x"], "--ca-agent log=SHA256:x: not for the log key"),
    ])
    func contradictionsAreRefused(_ options: [String], _ reason: String) throws {
        expectFailure(try initialise(options), 64, reason)
        #expect(!tools.folder.contains(".daypass"))
    }
}

@Suite("daypass: a CA key in an ssh-agent")
struct CLIAgentTests {
    private let tools: CLITools
    private let agent: PrivateAgent
    private let variables: [String: String]

    init() throws {
        tools = try CLITools()
        agent = try PrivateAgent()
        variables = ["SSH_AUTH_SOCK": agent.socket]
    }

    private func makeCA(_ key: String = "ca.pub") throws -> ToolResult {
        try tools.makeKey("ca")
        try tools.run("ssh-add", ["-q", "ca"], environment: variables)
        return try tools.daypass(
            ["ca", "init", "--no-passphrase", "--ca-agent", key], environment: variables)
    }

    private func issue() throws -> ToolResult {
        try tools.daypass(
            ["issue", "user", "--key", "id.pub", "--identity", "al", "--principal", "deploy"],
            environment: variables)
    }

    @Test func theAgentSignsAndTheKeyIsNotInTheFolder() throws {
        try makeCA().orThrow("ca init")
        #expect(
            try tools.names(in: ".daypass") == [
                "user_ca.pub", "host_ca", "host_ca.pub", "log_key", "log_key.pub", "config.yaml",
                "ledger.sqlite", "checkpoint",
            ])
        #expect(try tools.log().map(\.event) == ["key-in-agent", "key-created", "key-created"])
        #expect(try tools.folder.readText(".daypass/config.yaml").contains("\n  user: agent\n  host: file\n"))
        try tools.makeKey("id")
        try issue().orThrow("issue")
        let fingerprint = try #require(
            try tools.run("ssh-keygen", ["-l", "-f", "ca.pub"]).stdoutText.split(separator: " ").dropFirst()
                .first)
        #expect(
            try tools.certificateLines("id-cert.pub").contains(
                "Signing CA: ED25519 \(fingerprint) (using ssh-ed25519)"))
        let judged = try tools.daypass(["inspect", "--ca", "ca.pub", "--principal", "deploy", "id-cert.pub"])
        #expect(judged.status == 0, "\(judged)")
    }

    @Test func aFingerprintNamesTheKeyToo() throws {
        try tools.makeKey("other")
        try tools.run("ssh-add", ["-q", "other"], environment: variables)
        let listed = try tools.run("ssh-keygen", ["-l", "-f", "other.pub"]).stdoutText
        let fingerprint = String(try #require(listed.split(separator: " ").dropFirst().first))
        let result = try makeCA("user=\(fingerprint)")
        #expect(result.status == 0, "\(result)")
        #expect(result.stdoutText.contains("  user  ssh-ed25519 \(fingerprint) (in the ssh-agent)\n"))
    }

    @Test func aKeyThatTheAgentDoesNotHoldIsRefused() throws {
        try tools.makeKey("other")
        expectFailure(
            try makeCA("other.pub"), 1, "the ssh-agent does not hold other.pub",
            hint: "ssh-add -l lists what it holds")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test func withoutAnAgentNothingIsMadeOrRecorded() throws {
        try makeCA().orThrow("ca init")
        try tools.makeKey("id")
        let before = try tools.log()
        let hint = "start ssh-agent and add the key with ssh-add"
        let reason = "this CA's key is in an ssh-agent, but SSH_AUTH_SOCK is not set"
        expectFailure(try tools.issue(), 1, reason, hint: hint)
        expectFailure(
            try tools.daypass(["ca", "init", "--no-passphrase", "--home", "new", "--ca-agent", "ca.pub"]), 1,
            reason, hint: hint)
        #expect(try tools.log() == before)
        #expect(!tools.folder.contains("id-cert.pub") && !tools.folder.contains("new"))
    }

    /// Record, then act: the serial stays in the log, and there is no certificate.
    @Test func anAgentThatLostTheKeyLeavesARecordAndNoCertificate() throws {
        try makeCA().orThrow("ca init")
        try tools.makeKey("id")
        try tools.run("ssh-add", ["-q", "-D"], environment: variables)
        let result = try issue()
        #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.hasPrefix("error: the ssh-agent could not sign with SHA256:"), "\(result)")
        #expect(result.stderrText.hasSuffix("\nhint: ssh-add -l lists what the agent holds\n"), "\(result)")
        #expect(!tools.folder.contains("id-cert.pub"))
        #expect(try tools.log().map(\.event).suffix(1) == ["issued"])
        #expect(try tools.daypass(["log", "verify"]).status == 0)
        // What was recorded is published, too: an older database that is put back would be noticed.
        #expect(try tools.folder.readText(".daypass/checkpoint").split(separator: "\n")[1] == "4")
        // The next one has a serial of its own.
        try tools.run("ssh-add", ["-q", "ca"], environment: variables)
        try issue().orThrow("issue")
        let serials = try tools.log().compactMap(\.serial)
        #expect(serials.count == 2 && Set(serials).count == 2)
    }

    @Test func anAgentThatIsGoneIsNamed() throws {
        try makeCA().orThrow("ca init")
        try tools.makeKey("id")
        agent.stop()
        let result = try issue()
        #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.contains("ssh-agent"), "\(result)")
        #expect(!tools.folder.contains("id-cert.pub"))
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }
}
