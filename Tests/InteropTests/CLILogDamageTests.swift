// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Somebody with the right to write the database, without the log's key.
@Suite("daypass log: a database that was changed", .enabled(if: PythonScript.isInstalled, "needs python3"))
struct CLILogDamageTests {
    private let tools: CLITools

    private static let hint =
        "keep everything as it is, and compare with a backup and with published checkpoints"

    init() throws {
        tools = try CLITools.withCA()
        try tools.issue().orThrow("issue")
    }

    private func change(_ statements: String) throws {
        let script = """
            import sqlite3, sys
            connection = sqlite3.connect(sys.argv[1])
            connection.executescript(sys.argv[2])
            connection.commit()
            """
        try tools.python(script, [tools.folder.path(".daypass/ledger.sqlite"), statements]).orThrow("sqlite3")
    }

    /// Flips one byte of a blob in the row that `place` finds.
    private func flip(_ column: String, _ place: String) throws {
        let script = """
            import sqlite3, sys
            connection = sqlite3.connect(sys.argv[1])
            column, place = sys.argv[2:]
            blob = bytearray(connection.execute(f"SELECT {column} FROM {place}").fetchone()[0])
            blob[len(blob) // 2] ^= 1
            table, condition = place.split(" WHERE ")
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {condition}", (bytes(blob),))
            connection.commit()
            """
        try tools.python(script, [tools.folder.path(".daypass/ledger.sqlite"), column, place]).orThrow(
            "sqlite3")
    }

    private func expectDamage(_ reason: String, _ location: SourceLocation = #_sourceLocation) throws {
        let result = try tools.daypass(["log", "verify"])
        #expect(result.status == 3 && result.stdout.isEmpty, "\(result)", sourceLocation: location)
        #expect(
            result.stderrText.hasPrefix("error: the log does not verify: \(reason)"), "\(result)",
            sourceLocation: location)
        #expect(result.stderrText.hasSuffix("\nhint: \(Self.hint)\n"), sourceLocation: location)
        struct Report: Decodable { let verified: Bool; let reason: String? }
        let json = try tools.daypass(["log", "verify", "--format", "json"])
        let report = try tools.decode(Report.self, json)
        #expect(json.status == 3 && !report.verified, sourceLocation: location)
        #expect(report.reason?.hasPrefix(reason) == true, sourceLocation: location)
    }

    @Test(arguments: ["entry", "hash"]) func aChangedByteOfAnEntryIsNamed(column: String) throws {
        try flip(column, "entries WHERE position = 3")
        try expectDamage("entry 3: its hash is ")
    }

    @Test func aRevocationThatWasChangedMakesNoList() throws {
        try tools.daypass(["revoke", "--key", "id.pub", "--reason", "lost"]).orThrow("revoke")
        try flip("entry", "entries WHERE position = 4")
        let built = try tools.daypass(["krl", "build", "-o", "krl"])
        #expect(built.status == 1 && !tools.folder.contains("krl"), "\(built)")
        #expect(
            built.stderrText.hasPrefix("error: entry 4: its bytes are not what was recorded\n"), "\(built)")
    }

    @Test func aChangedHashOfAnEntryIsNoticedAndNothingIsIssued() throws {
        try flip("hash", "entries WHERE position = 3")
        let issued = try tools.issue()
        expectFailure(
            issued, 1, "the last entry's bytes are not what was recorded",
            hint:
                "nothing was changed: see how far it goes with daypass log verify, and restore a backup")
        let built = try tools.daypass(["krl", "build", "-o", "krl"])
        #expect(built.status == 1 && !tools.folder.contains("krl"), "\(built)")
    }

    @Test func aRevocationThatIsLookedUpNoMoreIsNoticed() throws {
        try tools.daypass(["revoke", "--key", "id.pub", "--reason", "lost"]).orThrow("revoke")
        try change("DELETE FROM revocations;")
        try expectDamage("table revocations: 0 rows, but 1 entries are about such")
    }

    @Test func anEntryThatIsGoneIsNamed() throws {
        try change("DELETE FROM entries WHERE position = 1;")
        try expectDamage("entry 1 is gone, the next one is 2")
        #expect(try tools.issue().status == 1)
    }

    @Test func newestEntriesThatAreGoneAreNoticed() throws {
        try change("DELETE FROM entries WHERE position = 3;")
        try expectDamage("")
        #expect(try tools.issue().status == 1)
    }

    @Test func anEntryThatWasAddedPastTheCheckpointIsNamed() throws {
        try change("INSERT INTO entries SELECT 4, hash, entry FROM entries WHERE position = 3;")
        try expectDamage("entry 4: the checkpoint knows 4 entries only")
    }

    @Test func aChangedTileIsNoticedAndTheEntryNamed() throws {
        var keys: [String] = []
        let line = try tools.folder.read("id.pub")
        for number in 0..<300 { keys.append(try tools.folder.write(line, to: "k\(number).pub")) }
        let command = ["issue", "user", "--identity", "al", "--principal", "deploy", "--key"]
        try tools.daypass(command + keys).orThrow("issue")
        #expect(try tools.daypass(["log", "verify"]).status == 0)
        try flip("hashes", "tiles WHERE level = 0 AND position = 0")
        let result = try tools.daypass(["log", "verify"])
        // Of 8,192 bytes the middle one: it belongs to entry 128.
        #expect(result.status == 3, "\(result)")
        #expect(
            result.stderrText.hasPrefix("error: the log does not verify: entry 128: its hash is "),
            "\(result)")
    }

    @Test func aChangedCheckpointIsNoticed() throws {
        try flip("checkpoint", "ledger WHERE id = 1")
        try expectDamage("the database's checkpoint: ")
    }
}

@Suite("daypass log: an older database that was put back")
struct CLILogRollbackTests {
    private let tools: CLITools

    /// Issues one, keeps the database, issues and revokes more, and puts the old one back.
    init() throws {
        tools = try CLITools.withCA()
        try tools.issue().orThrow("issue")
        try tools.folder.makeFolder("backup")
        try copyDatabase(from: ".daypass", to: "backup")
        try tools.makeKey("lost")
        try tools.issue(key: "lost.pub").orThrow("issue")
        try tools.daypass(["revoke", "--key", "id.pub", "--reason", "laptop lost"]).orThrow("revoke")
        try copyDatabase(from: "backup", to: ".daypass")
    }

    private func copyDatabase(from source: String, to target: String) throws {
        for suffix in ["", "-wal", "-shm"] {
            let name = "ledger.sqlite\(suffix)"
            try? FileManager.default.removeItem(atPath: tools.folder.path("\(target)/\(name)"))
            if tools.folder.contains("\(source)/\(name)") {
                try FileManager.default.copyItem(
                    atPath: tools.folder.path("\(source)/\(name)"),
                    toPath: tools.folder.path("\(target)/\(name)"))
            }
        }
    }

    private let reason =
        "the database has 4 entries, but a checkpoint of 6 was published: an older database was put back"
    private let hint = "put the newest database back; if it is lost, admit it with: daypass log recover"

    @Test func itIsNamedAndNothingIsIssuedOrRevokedFromIt() throws {
        let before = try tools.names()
        expectFailure(try tools.issue(["-o", "new.pub"]), 1, reason, hint: hint)
        expectFailure(
            try tools.daypass(["revoke", "--key", "lost.pub", "--reason", "x"]), 1, reason, hint: hint)
        #expect(try tools.names() == before)
        #expect(try tools.log().count == 4)
        let verified = try tools.daypass(["log", "verify"])
        #expect(verified.status == 3 && verified.stdout.isEmpty, "\(verified)")
        #expect(verified.stderrText.contains("6") && verified.stderrText.contains("4"), "\(verified)")
    }

    /// The list would forget what was revoked since, and hosts would let it in again.
    @Test func attack60_noRevocationListIsMadeFromIt() throws {
        expectFailure(try tools.daypass(["krl", "build", "-o", "krl"]), 1, reason, hint: hint)
        expectFailure(try tools.daypass(["krl", "build", "-o", "-"]), 1, reason, hint: hint)
        #expect(!tools.folder.contains("krl"))
    }

    @Test func recoveringIsConfirmedAndLeavesATrace() throws {
        expectFailure(
            try tools.daypass(["log", "recover"]), 64, "the database has 4 entries, 6 were published",
            hint: "put the newest database back if there is one; else confirm the loss with --accept-loss")
        #expect(try tools.log().count == 4)
        let old = try tools.folder.read(".daypass/checkpoint")
        try tools.folder.write(old, to: "kept")
        let recovered = try tools.daypass(["log", "recover", "--accept-loss"])
        #expect(recovered.status == 0, "\(recovered)")
        #expect(recovered.stdoutText == "going on from 4 entries; the loss is entry 4\n")
        #expect(recovered.stderrText.hasPrefix("warning: "), "\(recovered)")
        #expect(recovered.stderrText.contains("revoke"), "\(recovered)")
        let last = try #require(try tools.log().last)
        #expect(last.event == "recovered" && last.summary == "going on from a backup; 6 entries were known")
        #expect(try tools.daypass(["log", "verify"]).status == 0)
        // Serials go on, none twice.
        try tools.issue(["-o", "new.pub"]).orThrow("issue")
        let used = try tools.log().compactMap(\.serial)
        let lost = try #require(
            try tools.certificateLines("lost-cert.pub").first { $0.hasPrefix("Serial: ") }
        ).dropFirst(8)
        #expect(!used.contains(String(lost)) && Set(used).count == used.count)
        // Whoever kept the old checkpoint sees it.
        let contradicted = try tools.daypass(["log", "verify", "--checkpoint", "kept"])
        #expect(contradicted.status == 3, "\(contradicted)")
        #expect(
            try tools.daypass(["log", "recover"]).stdoutText
                == "nothing is lost: the database has all 6 published entries\n")
    }

    /// Hosts take a list with a greater number only.
    @Test func attack60_theListsNumberGrowsOverALoss() throws {
        struct Report: Decodable { let version: UInt64 }
        // The list from before the loss could have had the number 6.
        try tools.daypass(["log", "recover", "--accept-loss"]).orThrow("recover")
        let built = try tools.daypass(["krl", "build", "-o", "krl", "--format", "json"]).orThrow("krl build")
        #expect(try tools.decode(Report.self, built).version > 6)
    }

    @Test func withoutTheCheckpointBesideItGoesUnnoticedUntilOneIsGiven() throws {
        try tools.folder.write(try tools.folder.read(".daypass/checkpoint"), to: "kept")
        try FileManager.default.removeItem(atPath: tools.folder.path(".daypass/checkpoint"))
        #expect(try tools.daypass(["log", "verify"]).status == 0)
        let result = try tools.daypass(["log", "verify", "--checkpoint", "kept"])
        #expect(result.status == 3, "\(result)")
        expectFailure(
            try tools.daypass(["log", "recover", "--accept-loss"]), 1,
            "no checkpoint was published beside the database, there is nothing to recover from")
        // The next command that records writes it anew.
        try tools.issue(["-o", "new.pub"]).orThrow("issue")
        #expect(tools.folder.contains(".daypass/checkpoint"))
    }
}
