// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import TestSupport
import Testing

/// Stories that are proven, with the built programs.
@Suite("A story's proof")
struct ChainProofTests {
    private static let rules = """
          - name: deployers
            hosts: [{id: "web*"}]
            logins: [deploy]
            allow:
              or:
                - user: "alice@example.com"
        """

    /// Alice, who has a certificate for web1.
    private struct Scene {
        let plane: PrivateControlPlane
        let alice: Laptop
        let certificate: String

        init() throws {
            plane = try PrivateControlPlane(rules: ChainProofTests.rules)
            let admin = try Laptop(withAgent: false)
            alice = try Laptop(withAgent: false)
            try admin.logIn(to: plane, key: plane.adminKey)
            try admin.daypass(["keys", "add", "--identity", "alice@example.com", "\(alice.key).pub"]).orThrow(
                "keys add")
            try admin.daypass(["hosts", "add", "web1"]).orThrow("hosts add")
            try alice.logIn(to: plane, key: alice.key)
            certificate = alice.folder.path("first-cert.pub")
            try certify(certificate)
        }

        func certify(_ path: String) throws {
            try alice.daypass([
                "certificate", "--host", "web1", "--login", "deploy", "--key", "\(alice.key).pub", "--output",
                path,
            ]).orThrow("certificate")
        }

        func why(_ more: String...) throws -> ToolResult { try alice.daypass(["why", certificate] + more) }
    }

    @Test(.enabled(if: PythonScript.isInstalled, "needs python3"))
    func attack47_anEntryThatWasChangedInTheStoreIsNotProven() throws {
        let scene = try Scene()
        // The newest entry would be missed at the server's start.
        try scene.certify(scene.alice.folder.path("second-cert.pub"))
        let told = try scene.why("--prove", "--format", "json").orThrow("why")
        let json = try JSONValue(parsing: Array(told.stdoutText.utf8.dropLast()), maximumBytes: 1 << 20)
        #expect(json["proven"]?["size"]?.number ?? 0 > 5)
        let steps = try #require(json["steps"]?.array).map { try ChainInfo.Step(json: $0) }
        let decision = try #require(steps.first { $0.step == "decision" })
        scene.plane.stop()
        let script = """
            import sqlite3, sys
            connection = sqlite3.connect(sys.argv[1])
            place = int(sys.argv[2])
            entry = connection.execute("SELECT entry FROM entries WHERE position = ?", (place,)).fetchone()[0]
            assert b"deployers" in entry
            entry = entry.replace(b"deployers", b"deployerz")
            connection.execute("UPDATE entries SET entry = ? WHERE position = ?", (entry, place))
            connection.commit()
            """
        try Tool.run(
            try PythonScript.program.get(),
            ["-c", script, "\(scene.plane.home)/ledger.sqlite", String(decision.index)]
        ).orThrow("sqlite3")
        try scene.plane.start()
        // The server says what its store says.
        #expect(try scene.why().orThrow("why").stdoutText.contains("rule deployerz"))
        let proof = try scene.why("--prove")
        #expect(proof.status == 3 && proof.stdout.isEmpty, "\(proof)")
        #expect(proof.stderrText.contains("entry \(decision.index) is not proven"), "\(proof)")
    }

    @Test func aLoginRefusesAnotherKeyOfTheLogThanTheFirst() throws {
        let scene = try Scene()
        let file = "\(scene.alice.state)/server.json"
        let real = try String(contentsOfFile: file, encoding: .utf8)
        let mark = try #require(real.range(of: #""logKey":""#))
        let key = real[mark.upperBound...].prefix { $0 != "\"" }
        try real.replacing(key, with: "other\(key)").write(toFile: file, atomically: true, encoding: .utf8)
        let login = try scene.alice.daypass(["login", "--key", scene.alice.key])
        #expect(!login.succeeded && login.stderrText.contains("another key of its log"), "\(login)")
        // By the fingerprint, which the operator gave, it is trusted anew.
        try scene.alice.logIn(to: scene.plane, key: scene.alice.key)
        try scene.why("--prove").orThrow("why")
    }

    @Test func withoutTheLogsKeyNothingIsProvenAndAnothersProvesNothing() throws {
        let scene = try Scene()
        let other = try TemporaryFolder()
        let home = other.path("ca")
        let daypass = try BuiltProduct.path("daypass")
        try Tool.run(daypass, ["ca", "init", "--home", home, "--no-passphrase"]).orThrow("ca init")
        let key = try Tool.run(daypass, ["ca", "export", "log", "--home", home]).orThrow("export").stdoutText
        let proof = try scene.why("--prove", "--log-key", key.trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(
            proof.status == 3 && proof.stderrText.contains("the log's checkpoint is not good"), "\(proof)")
        let own = try Tool.run(daypass, ["ca", "export", "log", "--home", scene.plane.home]).orThrow("export")
        try scene.why(
            "--prove", "--log-key", own.stdoutText.trimmingCharacters(in: .whitespacesAndNewlines)
        ).orThrow("why")
    }
}
