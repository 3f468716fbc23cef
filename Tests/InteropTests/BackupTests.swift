// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// `daypassd backup` and `daypassd restore` as they are run, with `daypass` at the same time on the same folder.
@Suite("Backups of a control plane", .serialized)
struct BackupTests {
    /// A control plane in `plane`, and 40 keys to certify.
    private struct Scene {
        let folder: TemporaryFolder
        static let keyCount = 40

        init() throws {
            folder = try TemporaryFolder()
            for name in ["admin"] + (0..<Self.keyCount).map({ "\($0)" }) {
                guard name == "admin" else { continue }
                try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", folder.path(name)])
                    .orThrow("make a key")
            }
            let admin = try folder.read("admin.pub")
            for number in 0..<Self.keyCount { try folder.write(admin, to: "\(number).pub") }
            try daypassd([
                "init", "--home", "plane", "--name", "localhost", "--listen", "127.0.0.1:0", "--admin",
                "alice@example.com", "--admin-key", "admin.pub", "--no-passphrase",
            ]).orThrow("daypassd init")
        }

        func daypassd(_ arguments: [String]) throws -> ToolResult {
            try Tool.run(
                try BuiltProduct.path("daypassd"), arguments, environment: Tool.environment(),
                in: folder.path)
        }

        private func environment(_ home: String) -> [String: String] {
            Tool.environment(adding: ["DAYPASS_HOME": folder.path(home)])
        }

        func daypass(_ arguments: [String], home: String = "plane") throws -> ToolResult {
            try Tool.run(
                try BuiltProduct.path("daypass"), arguments, environment: environment(home), in: folder.path)
        }

        private var issuing: [String] {
            ["issue", "user", "--identity", "bulk", "--principal", "deploy", "--key"]
                + (0..<Self.keyCount).map { "\($0).pub" }
        }

        func issue(home: String = "plane") throws { try daypass(issuing, home: home).orThrow("issue") }

        /// Issues without being waited for.
        func startIssuing() throws -> ChildProcess {
            try ChildProcess(
                try BuiltProduct.path("daypass"), issuing, environment: environment("plane"),
                in: folder.path, log: folder.path("log"))
        }

        struct Entry: Decodable {
            let event: String
            let serial: String?
            let summary: String
        }

        func log(_ home: String) throws -> [Entry] {
            let said = try daypass(["log", "list", "--limit", "0", "--format", "json"], home: home).orThrow(
                "log list")
            return try JSONDecoder().decode([Entry].self, from: Data(said.stdout))
        }

        func serials(_ home: String) throws -> [String] { try log(home).compactMap(\.serial) }
    }

    @Test func theFleetsRootsAndThePolicyComeAlongWhereverTheyLie() throws {
        let scene = try Scene()
        let root = try scene.folder.readText("admin.pub")
        try FileManager.default.createDirectory(
            atPath: scene.folder.path("etc"), withIntermediateDirectories: false)
        try scene.folder.write(root, to: "etc/roots")
        try FileManager.default.moveItem(
            atPath: scene.folder.path("plane/policy.yaml"), toPath: scene.folder.path("etc/policy"))
        let settings = try scene.folder.readText("plane/daypassd.yaml")
        try scene.folder.write(
            settings.replacing(/\n#? ?policy:[^\n]*/, with: "") + """

                policy: "\(scene.folder.path("etc/policy"))"
                fleet_roots: "\(scene.folder.path("etc/roots"))"

                """, to: "plane/daypassd.yaml")
        try scene.daypassd(["check", "--home", "plane"]).orThrow("check")
        try scene.daypassd(["backup", "backup", "--home", "plane", "--with-keys"]).orThrow("backup")
        let said = try scene.daypassd(["restore", "backup", "--home", "new"]).orThrow("restore")
        #expect(try scene.folder.readText("new/fleet_roots") == root)
        #expect(try !scene.folder.readText("new/policy.yaml").isEmpty)
        for name in ["etc/policy", "etc/roots"] {
            #expect(said.stderrText.contains("names \(scene.folder.path(name))"), "\(said)")
        }
    }

    @Test func attack61_serialsOfBeforeAndAfterARestoreNeverMeet() throws {
        let scene = try Scene()
        try scene.issue()
        try scene.daypassd(["backup", "backup", "--home", "plane", "--with-keys"]).orThrow("backup")
        try scene.issue()
        let all = try scene.serials("plane")
        // The machine is gone; what is left is the backup, and a checkpoint that somebody kept.
        try FileManager.default.moveItem(
            atPath: scene.folder.path("plane/checkpoint"), toPath: scene.folder.path("checkpoint"))
        try FileManager.default.moveItem(
            atPath: scene.folder.path("plane"), toPath: scene.folder.path("gone"))
        let said = try scene.daypassd(["restore", "backup", "--home", "new"]).orThrow("restore")
        #expect(said.stderrText.contains("40 entries are lost that a published checkpoint vouches for"))
        try scene.issue(home: "new")
        let log = try scene.log("new")
        #expect(log.filter { $0.event == "recovered" }.count == 1)
        let after = log.compactMap(\.serial).suffix(40)
        #expect(after.count == 40)
        #expect(Set(after).isDisjoint(with: all))
        let verified = try scene.daypass(["log", "verify"], home: "new")
        #expect(verified.succeeded, "\(verified)")
        // Whoever kept the old checkpoint sees the loss; the log itself says so too.
        #expect(try scene.daypass(["log", "verify", "--checkpoint", "checkpoint"], home: "new").status == 3)
        #expect(
            try scene.daypass(["log", "verify", "--checkpoint", "backup/checkpoint"], home: "new").succeeded)
    }

    @Test func aBackupUnderLoadIsOneStateThatTheLogContinues() throws {
        let scene = try Scene()
        for number in 0..<3 {
            let load = try scene.startIssuing()
            let taken = try scene.daypassd(["backup", "backup-\(number)", "--home", "plane", "--with-keys"])
            #expect(taken.succeeded, "\(taken)")
            #expect(load.wait(for: .seconds(60)) == .exited(0))
            // What was backed up is a beginning of what there is now.
            let verified = try scene.daypass(["log", "verify", "--checkpoint", "backup-\(number)/checkpoint"])
            #expect(verified.succeeded, "\(verified)")
            let restored = try scene.daypassd(["restore", "backup-\(number)", "--home", "new-\(number)"])
            #expect(restored.succeeded, "\(restored)")
            #expect(try scene.daypass(["log", "verify"], home: "new-\(number)").succeeded)
            #expect(try scene.daypassd(["check", "--home", "new-\(number)"]).succeeded)
        }
    }

    @Test func aBackupWithoutKeysIsCheckedBySha256sumAndNeedsThemToRun() throws {
        let scene = try Scene()
        let taken = try scene.daypassd(["backup", "backup", "--home", "plane"]).orThrow("backup")
        #expect(taken.stderrText.contains("no private key is in it"))
        #expect(try scene.folder.mode(of: "backup") == 0o700)
        #expect(try scene.folder.mode(of: "backup/ledger.sqlite") == 0o600)
        for name in ["user_ca", "host_ca", "log_key", "tls/root.key", "tls/server.key"] {
            #expect(!scene.folder.contains("backup/\(name)"))
        }
        let sums = try Tool.run(
            "sha256sum", ["--strict", "-c", "SHA256SUMS"], in: scene.folder.path("backup"))
        #expect(sums.succeeded, "\(sums)")
        let refused = try scene.daypassd(["restore", "backup", "--home", "new"])
        expectFailure(
            refused, 1, "the log's key is not in the backup, and the log can't go on without",
            hint: "name the folder with the keys with --keys")
        try scene.daypassd(["restore", "backup", "--home", "new", "--keys", "plane"]).orThrow("restore")
        #expect(try scene.daypassd(["check", "--home", "new"]).succeeded)
        #expect(try scene.folder.read("new/tls/root.key") == scene.folder.read("plane/tls/root.key"))
        try scene.issue(home: "new")
    }
}
