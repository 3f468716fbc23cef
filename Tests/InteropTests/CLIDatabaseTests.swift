// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Without a durable record there is no certificate, whatever is wrong with the database.
@Suite("daypass: a database that cannot be used")
struct CLIDatabaseTests {
    private let tools: CLITools
    private let database: String

    init() throws {
        tools = try CLITools.withCA()
        database = tools.folder.path(".daypass/ledger.sqlite")
    }

    private func expectNoCertificate(_ location: SourceLocation = #_sourceLocation) throws {
        #expect(try tools.names().isDisjoint(with: ["id-cert.pub"]), sourceLocation: location)
        #expect(
            !(try tools.names().contains { $0.hasSuffix(".tmp") }), sourceLocation: location)
    }

    @Test func attack44_oneThatIsGone() throws {
        try FileManager.default.removeItem(atPath: database)
        let hint = "make a CA with: daypass ca init; or put the database of this CA back"
        for arguments in [
            ["issue", "user", "--key", "id.pub", "--identity", "al", "--principal", "x"], ["log", "list"],
            ["krl", "build", "-o", "krl"],
        ] {
            expectFailure(
                try tools.daypass(arguments), 1, "there is no database at \(database)", hint: hint)
        }
        try expectNoCertificate()
        #expect(!tools.folder.contains("krl") && !tools.folder.contains(".daypass/ledger.sqlite"))
    }

    @Test func attack44_oneThatIsSomethingElse() throws {
        for content in ["", "no database at all, but long enough to be looked at by anybody who reads it"] {
            try tools.folder.write(content, to: ".daypass/ledger.sqlite")
            let result = try tools.issue()
            #expect(result.status == 1 && result.stderrText.hasPrefix("error: "), "\(result)")
            try expectNoCertificate()
            #expect(try tools.folder.readText(".daypass/ledger.sqlite") == content)
        }
    }

    @Test(.enabled(if: PythonScript.isInstalled, "needs python3"))
    func attack44_oneThatIsLockedByAnother() throws {
        let before = try tools.log()
        // Holds the lock while daypass waits for its ten seconds.
        let script = """
            import sqlite3, subprocess, sys
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            connection.execute("BEGIN EXCLUSIVE")
            ended = subprocess.run(sys.argv[2:], capture_output=True)
            connection.execute("ROLLBACK")
            sys.stdout.buffer.write(ended.stdout)
            sys.stderr.buffer.write(ended.stderr)
            sys.exit(ended.returncode)
            """
        let result = try tools.python(
            script,
            [
                database, try BuiltProduct.path("daypass"), "issue", "user", "--key", "id.pub", "--identity",
                "al",
                "--principal", "deploy",
            ])
        expectFailure(
            result, 1, "database \(database): database is locked",
            hint: "another program holds it; try again, or find it with: fuser \(database)")
        try expectNoCertificate()
        #expect(try tools.log() == before)
        #expect(try tools.daypass(["log", "verify"]).status == 0)
        #expect(try tools.issue().status == 0)
    }

    /// Root may write everywhere, so another account has to try.
    @Test(.enabled(if: Running.asRoot && (try? Tool.find("setpriv")) != nil, "needs root and setpriv"))
    func attack44_oneThatIsReadOnly() throws {
        for name in try tools.names(in: ".daypass") {
            try tools.run("chown", ["65534", ".daypass/\(name)"])
        }
        for name in [".", ".daypass"] { try tools.run("chown", ["65534", name]) }
        try tools.folder.setMode(0o400, of: ".daypass/ledger.sqlite")
        try tools.folder.setMode(0o500, of: ".daypass")
        // The built program lies where that account may not look.
        let program = tools.folder.path("daypass")
        try FileManager.default.copyItem(atPath: try BuiltProduct.path("daypass"), toPath: program)
        try tools.folder.setMode(0o755, of: "daypass")
        let result = try Tool.run(
            "setpriv",
            [
                "--reuid=65534", "--clear-groups", program, "issue", "user", "--key", "id.pub", "--identity",
                "al",
                "--principal", "deploy",
            ], environment: tools.environment, in: tools.folder.path)
        #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.hasPrefix("error: database \(database): "), "\(result)")
        #expect(
            result.stderrText.hasSuffix("\nhint: the database and its folder must be writable by you\n"),
            "\(result)")
        try expectNoCertificate()
        try tools.folder.setMode(0o700, of: ".daypass")
        try tools.folder.setMode(0o600, of: ".daypass/ledger.sqlite")
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }

    /// A limit on the size of files stands for a disk that is full: SQLite gets an error from write(2).
    @Test(.disabled(if: Running.underThreadSanitizer, "it starts no program under a limit on files"))
    func attack44_oneThatCannotGrow() throws {
        let before = try tools.log()
        var keys: [String] = []
        for number in 0..<200 {
            try tools.folder.write(try tools.freshPublicKey(), to: "k\(number).pub")
            keys.append("k\(number).pub")
        }
        // In blocks of 512 bytes; the keys of 200 entries don't fit into what is left.
        let script = "ulimit -f 96; exec \"$@\""
        let result = try Tool.run(
            "sh",
            [
                "-c", script, "sh", try BuiltProduct.path("daypass"), "issue", "user", "--identity", "al",
                "--principal",
                "deploy", "--key",
            ] + keys, environment: tools.environment, in: tools.folder.path)
        #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.hasPrefix("error: database \(database): "), "\(result)")
        #expect(
            result.stderrText.hasSuffix(
                "\nhint: the disk is full or fails: see df and dmesg; nothing was issued\n"), "\(result)")
        #expect(!(try tools.names().contains { $0.hasSuffix("-cert.pub") }))
        #expect(try tools.log() == before)
        #expect(try tools.daypass(["log", "verify"]).status == 0)
        #expect(try tools.issue().status == 0)
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }

    @Test func aKeyPairThatDoesNotMatchIsRefused() throws {
        let before = try tools.log()
        try tools.makeKey("other")
        for name in ["user_ca", "log_key"] {
            let right = try tools.folder.read(".daypass/\(name)")
            try tools.folder.write(try tools.folder.read("other"), to: ".daypass/\(name)")
            let path = tools.folder.path(".daypass/\(name)")
            expectFailure(
                try tools.issue(), 1, "\(path) is not the private half of \(path).pub",
                hint: "put the right pair back: certificates would come from a key that no host trusts")
            try tools.folder.write(right, to: ".daypass/\(name)")
        }
        try tools.folder.setMode(0o640, of: ".daypass/user_ca")
        let path = tools.folder.path(".daypass/user_ca")
        expectFailure(
            try tools.issue(), 1, "\(path): mode 0640, others than its owner can use this secret",
            hint: "chmod 600 \(path), and replace the key if somebody may have read it")
        #expect(try tools.log() == before)
    }
}
