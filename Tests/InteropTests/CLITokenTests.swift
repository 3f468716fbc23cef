// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A CA key in a PKCS#11 token, as an HSM or a YubiKey is one, reached through a real ssh-agent.
///
/// The key is ECDSA: OpenSSH 9.2 takes no Ed25519 key from PKCS#11.
@Suite(
    "daypass: a CA key in a PKCS#11 token",
    .enabled(if: Token.isInstalled, "needs softhsm2: run scripts/setup"))
struct CLITokenTests {
    private let tools: CLITools
    private let token: Token

    init() throws {
        tools = try CLITools()
        try tools.makeKey("ca", ["-t", "ecdsa", "-b", "256", "-m", "PKCS8"])
        token = try Token(in: tools, holding: "ca")
        // From here on the token alone has it.
        try FileManager.default.removeItem(atPath: tools.folder.path("ca"))
        try tools.makeKey("id")
    }

    private func daypass(_ arguments: [String]) throws -> ToolResult {
        try tools.daypass(arguments, environment: token.variables)
    }

    private func issue() throws -> ToolResult {
        try daypass(["issue", "user", "--key", "id.pub", "--identity", "al", "--principal", "deploy"])
    }

    @Test func theTokenSigns() throws {
        try token.unlock().orThrow("ssh-add -s")
        try daypass(["ca", "init", "--no-passphrase", "--ca-agent", "ca.pub"]).orThrow("ca init")
        #expect(!(try tools.names(in: ".daypass").contains("user_ca")))
        try issue().orThrow("issue")
        let judge = ["inspect", "--ca", "ca.pub", "--principal", "deploy", "id-cert.pub"]
        #expect(try tools.daypass(judge).status == 0)
        let listed = try tools.certificateLines("id-cert.pub")
        #expect(listed.contains { $0.hasPrefix("Signing CA: ECDSA SHA256:") }, "\(listed)")
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }

    @Test func aTokenThatWasTakenOutSignsNothing() throws {
        try token.unlock().orThrow("ssh-add -s")
        try daypass(["ca", "init", "--no-passphrase", "--ca-agent", "ca.pub"]).orThrow("ca init")
        try token.takeOut().orThrow("ssh-add -e")
        let result = try issue()
        #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.hasPrefix("error: the ssh-agent could not sign with SHA256:"), "\(result)")
        #expect(!tools.folder.contains("id-cert.pub"))
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }

    @Test func aLockedTokenMakesNoCA() throws {
        #expect(try token.unlock(pin: "4321").status != 0)
        expectFailure(
            try daypass(["ca", "init", "--no-passphrase", "--ca-agent", "ca.pub"]), 1,
            "the ssh-agent does not hold ca.pub", hint: "ssh-add -l lists what it holds")
        #expect(!tools.folder.contains(".daypass"))
    }
}

/// A SoftHSM token in a test's own folder, and the ssh-agent that may use it.
private struct Token {
    /// Where Debian, other Linux systems and Homebrew put SoftHSM.
    private static let module = [
        "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ].first { FileManager.default.fileExists(atPath: $0) }

    static let isInstalled = module != nil && (try? Tool.find("softhsm2-util")) != nil

    /// What programs find agent and token by.
    let variables: [String: String]
    private let tools: CLITools
    private let agent: PrivateAgent
    private let module: String
    private static let pin = "1234"

    /// Makes a token and brings the private key in the file `key` into it.
    init(in tools: CLITools, holding key: String) throws {
        self.tools = tools
        // The agent compares names without links in them with those that it allows.
        module = URL(filePath: try #require(Self.module)).resolvingSymlinksInPath().path
        try FileManager.default.createDirectory(
            atPath: tools.folder.path("tokens"), withIntermediateDirectories: false)
        let configuration = tools.folder.path("softhsm2.conf")
        try tools.folder.write(
            "directories.tokendir = \(tools.folder.path("tokens"))\nlog.level = ERROR\n", to: "softhsm2.conf")
        let found = ["SOFTHSM2_CONF": configuration]
        try tools.run(
            "softhsm2-util",
            ["--init-token", "--free", "--label", "ca", "--pin", Self.pin, "--so-pin", "12345678"],
            environment: found)
        try tools.run(
            "softhsm2-util",
            ["--import", key, "--token", "ca", "--label", "ca", "--id", "01", "--pin", Self.pin],
            environment: found)
        agent = try PrivateAgent(options: ["-P", module], environment: found)
        variables = found.merging(["SSH_AUTH_SOCK": agent.socket]) { $1 }
    }

    /// Gives the agent the token's keys. It asks for the PIN by a program, as there is no terminal.
    func unlock(pin: String = Self.pin) throws -> ToolResult {
        try tools.folder.write("#!/bin/sh\necho \(pin)\n", to: "askpass", mode: 0o700)
        return try sshAdd(
            ["-s", module],
            ["SSH_ASKPASS": tools.folder.path("askpass"), "SSH_ASKPASS_REQUIRE": "force"])
    }

    /// Makes the agent forget the token.
    func takeOut() throws -> ToolResult { try sshAdd(["-e", module], [:]) }

    private func sshAdd(_ arguments: [String], _ added: [String: String]) throws -> ToolResult {
        try Tool.run(
            "ssh-add", arguments,
            environment: tools.environment.merging(variables) { $1 }.merging(added) { $1 },
            in: tools.folder.path)
    }
}
