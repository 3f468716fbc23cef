// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@Suite("daypass ca init: the folder")
struct CLIInitTests {
    private static let modes: [(String, mode_t)] = [
        ("user_ca", 0o600), ("host_ca", 0o600), ("log_key", 0o600), ("config.yaml", 0o600),
        ("ledger.sqlite", 0o600), ("user_ca.pub", 0o644), ("host_ca.pub", 0o644), ("log_key.pub", 0o644),
        ("checkpoint", 0o644),
    ]

    private func expectCA(_ tools: CLITools, in name: String, _ location: SourceLocation = #_sourceLocation)
        throws
    {
        #expect(try tools.names(in: name) == Set(Self.modes.map(\.0)), sourceLocation: location)
        #expect(try tools.folder.mode(of: name) == 0o700, sourceLocation: location)
        for (file, mode) in Self.modes {
            #expect(try tools.folder.mode(of: "\(name)/\(file)") == mode, "\(file)", sourceLocation: location)
        }
    }

    @Test func everythingLandsInTheFolderOfTheOption() throws {
        let tools = try CLITools()
        let result = try tools.daypass(["ca", "init", "--no-passphrase", "--home", "ca"])
        #expect(result.status == 0, "\(result)")
        try expectCA(tools, in: "ca")
        #expect(try tools.names() == ["ca"])
    }

    @Test func theVariableNamesTheFolderAndTheOptionWinsOverIt() throws {
        let tools = try CLITools()
        let variable = ["DAYPASS_HOME": tools.folder.path("one")]
        #expect(try tools.daypass(["ca", "init", "--no-passphrase"], environment: variable).status == 0)
        try expectCA(tools, in: "one")
        let other = ["ca", "init", "--no-passphrase", "--home", "two"]
        #expect(try tools.daypass(other, environment: variable).status == 0)
        try expectCA(tools, in: "two")
        #expect(try tools.names() == ["one", "two"])
    }

    @Test func withoutBothItIsInTheHome() throws {
        let tools = try CLITools()
        let environment = ["DAYPASS_HOME": ""]
        #expect(try tools.daypass(["ca", "init", "--no-passphrase"], environment: environment).status == 0)
        try expectCA(tools, in: ".daypass")
    }

    @Test func withoutAHomeItSaysWhatToGive() throws {
        let tools = try CLITools()
        expectFailure(
            try tools.daypass(["ca", "list"], environment: ["HOME": ""]), 64,
            "neither --home nor DAYPASS_HOME nor HOME is set", hint: "use --home DIR")
        expectFailure(try tools.daypass(["ca", "list", "--home", ""]), 64, "--home: an empty path")
    }

    @Test(arguments: ["0000", "0022", "0077"])
    func modesDontDependOnTheUmask(_ umask: String) throws {
        let tools = try CLITools()
        let script = "umask \(umask); exec \"$0\" ca init --no-passphrase --home ca"
        try tools.run("sh", ["-c", script, try BuiltProduct.path("daypass")])
        try expectCA(tools, in: "ca")
    }

    @Test func anExistingCAIsRefusedAndLeftAsItIs() throws {
        let tools = try CLITools.withCA()
        let before = try tools.authorityFiles()
        expectFailure(
            try tools.daypass(["ca", "init", "--no-passphrase"]), 1,
            "there is a CA in \(tools.folder.path(".daypass")) already",
            hint: "use another folder with --home; a CA is never overwritten")
        #expect(try tools.authorityFiles() == before)
    }

    /// Whatever else of a CA is lost, its keys are what can't be made again.
    @Test(arguments: ["user_ca", "host_ca", "log_key", "ledger.sqlite", "config.yaml"])
    func whatIsLeftOfACAIsNeverOverwritten(_ left: String) throws {
        let tools = try CLITools.withCA()
        for name in try tools.names(in: ".daypass") where name != left {
            try FileManager.default.removeItem(atPath: tools.folder.path(".daypass/\(name)"))
        }
        let before = try tools.authorityFiles()
        expectFailure(
            try tools.daypass(["ca", "init", "--no-passphrase"]), 1,
            "there is a CA in \(tools.folder.path(".daypass")) already",
            hint: "use another folder with --home; a CA is never overwritten")
        #expect(try tools.authorityFiles() == before)
    }

    /// `--home /tmp` by root would else take the machine's temporary folder from everybody.
    @Test func aFolderThatIsInUseForOtherThingsIsNotTaken() throws {
        let tools = try CLITools()
        try tools.folder.makeFolder("shared", mode: 0o755)
        try tools.folder.write("notes", to: "shared/notes", mode: 0o644)
        expectFailure(
            try tools.daypass(["ca", "init", "--no-passphrase", "--home", "shared"]), 1,
            "shared: there are other files in it, and its mode 0755 lets others in",
            hint: "use a folder of its own with --home")
        #expect(try tools.folder.mode(of: "shared") == 0o755)
        #expect(try tools.names(in: "shared") == ["notes"])
        // An empty one is made fit.
        try tools.folder.makeFolder("empty", mode: 0o755)
        #expect(try tools.daypass(["ca", "init", "--no-passphrase", "--home", "empty"]).status == 0)
        try expectCA(tools, in: "empty")
    }

    @Test func aPlaceThatIsNoFolderIsRefused() throws {
        let tools = try CLITools()
        try tools.folder.write("x", to: "file")
        try tools.folder.makeFolder("real")
        try FileManager.default.createSymbolicLink(
            atPath: tools.folder.path("link"), withDestinationPath: "real")
        for name in ["file", "link"] {
            expectFailure(
                try tools.daypass(["ca", "init", "--no-passphrase", "--home", name]), 1,
                "\(name): not a folder")
        }
        expectFailure(
            try tools.daypass(["ca", "init", "--no-passphrase", "--home", "no/where"]), 1,
            "cannot make the folder no/where: no such file or directory",
            hint: "make the folder that it lies in first")
        #expect(try tools.names(in: "real").isEmpty)
    }

    @Test(.disabled(if: Running.underThreadSanitizer, "it starts no program under a limit on files"))
    func anInitThatFailsLeavesNothingBehind() throws {
        let tools = try CLITools()
        for more in [["--origin", "a b"], ["--import", "nowhere"], ["--ca-agent", "SHA256:x"]] {
            let result = try tools.daypass(["ca", "init", "--no-passphrase"] + more)
            #expect(result.status != 0 && result.stderrText.hasPrefix("error: "), "\(result)")
            #expect(!tools.folder.contains(".daypass"), "\(more)")
        }
        // The folder can't take the database's files: what was made by then goes again.
        let script = "ulimit -f 16; exec \"$0\" ca init --no-passphrase"
        let full = try Tool.run(
            "sh", ["-c", script, try BuiltProduct.path("daypass")], environment: tools.environment)
        #expect(full.status == 1 && full.stderrText.hasPrefix("error: "), "\(full)")
        #expect(try tools.names(in: ".daypass").isEmpty)
        #expect(try tools.daypass(["ca", "init", "--no-passphrase"]).status == 0)
    }

    @Test func thatKeysAreNotEncryptedIsSaidTwice() throws {
        let tools = try CLITools()
        let result = try tools.daypass(["ca", "init", "--no-passphrase"])
        #expect(
            result.stderrText
                == "warning: the CA's keys are not encrypted: whoever reads \(tools.folder.path(".daypass")) can be anybody\n"
        )
        #expect(result.stdoutText.contains("\n  keys are NOT encrypted (--no-passphrase)\n"))
        for name in ["user_ca", "host_ca", "log_key"] {
            try tools.run("ssh-keygen", ["-y", "-P", "", "-f", ".daypass/\(name)"])
        }
    }

    @Test(arguments: [
        ("ed25519", "ssh-ed25519"), ("ecdsa-p256", "ecdsa-sha2-nistp256"),
        ("ecdsa-p384", "ecdsa-sha2-nistp384"), ("ecdsa-p521", "ecdsa-sha2-nistp521"),
    ])
    func everyTypeMakesACAThatIssues(_ option: String, _ name: String) throws {
        let tools = try CLITools()
        try tools.daypass(["ca", "init", "--no-passphrase", "--type", option]).orThrow("ca init")
        #expect(try tools.folder.readText(".daypass/user_ca.pub").hasPrefix("\(name) "))
        #expect(try tools.folder.readText(".daypass/host_ca.pub").hasPrefix("\(name) "))
        #expect(try tools.folder.readText(".daypass/log_key.pub").hasPrefix("ssh-ed25519 "))
        try tools.makeKey("id")
        try tools.issue().orThrow("issue")
        #expect(try tools.certificateLines("id-cert.pub").contains("deploy"))
        let inspected = try tools.daypass(["inspect", "--principal", "deploy", "id-cert.pub"])
        #expect(inspected.status == 0, "\(inspected)")
    }

    @Test func anotherTypeIsRefused() throws {
        let tools = try CLITools()
        let result = try tools.daypass(["ca", "init", "--no-passphrase", "--type", "rsa"])
        expectFailure(
            result, 64,
            "the value 'rsa' is invalid for '--type <TYPE>'. Please provide one of 'ed25519', 'ecdsa-p256', 'ecdsa-p384' "
                + "or 'ecdsa-p521'.",
            hint: "daypass ca init --help lists what it takes")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test func theResultForProgramsNamesTheKeys() throws {
        struct Report: Decodable {
            struct Key: Decodable { let role, type, fingerprint, custody, publicKey: String }
            let home, origin: String
            let keys: [Key]
        }
        let tools = try CLITools()
        let made = try tools.daypass([
            "ca", "init", "--no-passphrase", "--format", "json", "--origin", "log.example",
        ])
        let report = try tools.decode(Report.self, made)
        #expect(report.origin == "log.example" && report.home == tools.folder.path(".daypass"))
        #expect(report.keys.map(\.role) == ["user", "host", "log"])
        #expect(report.keys.allSatisfy { $0.custody == "file" })
        for (key, file) in zip(report.keys, ["user_ca", "host_ca", "log_key"]) {
            #expect(try tools.folder.readText(".daypass/\(file).pub").hasPrefix(key.publicKey))
        }
        #expect(try tools.log().map(\.fingerprint) == report.keys.map(\.fingerprint))
        let listed = try tools.daypass(["ca", "list", "--format", "json"])
        #expect(listed.stdout == made.stdout)
    }

    @Test func aFolderWithoutACASaysHowToMakeOne() throws {
        let tools = try CLITools()
        expectFailure(
            try tools.daypass(["ca", "list"]), 1, "there is no CA in \(tools.folder.path(".daypass"))",
            hint: "make one with: daypass ca init")
        expectFailure(
            try tools.daypass(["ca", "list", "--home", "x"]), 1, "there is no CA in x",
            hint: "make one with: daypass ca init --home x")
    }

    @Test func attack39_aFolderWithAHostileNameIsEscaped() throws {
        let tools = try CLITools()
        for arguments in [["ca", "list"], ["ca", "init", "--no-passphrase"]] {
            let result = try tools.daypass(arguments + ["--home", "x\u{1b}[2J\u{202e}"])
            let text = result.stdoutText + result.stderrText
            #expect(!text.contains("\u{1b}") && !text.contains("\u{202e}"), "\(text)")
            #expect(text.contains("x\\u{1b}[2J\\u{202e}"), "\(text)")
        }
    }
}
