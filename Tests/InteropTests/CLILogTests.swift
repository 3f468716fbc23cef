// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@Suite("daypass log: reading, proofs, export")
struct CLILogTests {
    private let tools: CLITools
    private let logKey: String

    init() throws {
        tools = try CLITools.withCA()
        try tools.issue().orThrow("issue")
        try tools.issue(["-o", "two.pub"]).orThrow("issue")
        logKey = try tools.daypass(["ca", "export", "log"]).orThrow("ca export").stdoutText
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs daypass where there is no CA.
    private func elsewhere(_ arguments: [String]) throws -> ToolResult {
        try tools.daypass(arguments, environment: ["HOME": tools.folder.path("nobody")])
    }

    @Test func entriesAreListedAndShown() throws {
        let entries = try tools.log()
        #expect(entries.map(\.index) == [0, 1, 2, 3, 4])
        #expect(entries.map(\.event) == ["key-created", "key-created", "key-created", "issued", "issued"])
        let some = try tools.daypass(["log", "list", "--from", "1", "--limit", "2", "--format", "json"])
        #expect(try tools.decode([LoggedEntry].self, some) == Array(entries[1...2]))
        let newest = try tools.daypass(["log", "list", "--limit", "2"])
        #expect(newest.stdoutText.split(separator: "\n").count == 3)
        #expect(newest.stderrText == "3 older entries: daypass log list --limit 0\n")
        for entry in entries {
            let shown = try tools.daypass(["log", "show", "\(entry.index)", "--format", "json"])
            #expect(try tools.decode(LoggedEntry.self, shown) == entry)
        }
        expectFailure(
            try tools.daypass(["log", "show", "5"]), 1, "the log has 5 entries, counted from 0; there is no 5"
        )
        #expect(try tools.daypass(["log", "show"]).stdout == tools.folder.read(".daypass/checkpoint"))
    }

    @Test func aProofIsCheckedWithoutTheCA() throws {
        let proof = try tools.daypass(["log", "prove", "--certificate", "id-cert.pub"]).orThrow("prove")
        try tools.folder.write(proof.stdout, to: "proof")
        let check = ["log", "prove", "--check", "proof", "--log-key", logKey, "--certificate"]
        let origin = logKey.prefix { $0 != "+" }
        let proven = try elsewhere(check + ["id-cert.pub"])
        #expect(proven.status == 0, "\(proven)")
        #expect(proven.stdoutText == "proven: entry 3 of 5 in \(origin) records this certificate\n")
        expectFailure(try elsewhere(check + ["two.pub"]), 3, "the proof is for another certificate")
        // With the log's key only, and the right one.
        let without = try elsewhere(["log", "prove", "--check", "proof", "--certificate", "id-cert.pub"])
        #expect(without.status == 1, "\(without)")
        let other = try CLITools()
        try other.daypass(["ca", "init", "--no-passphrase", "--origin", String(origin)]).orThrow("ca init")
        let otherKey = try other.daypass(["ca", "export", "log"]).stdoutText.trimmingCharacters(in: .newlines)
        let wrong = try elsewhere([
            "log", "prove", "--check", "proof", "--log-key", otherKey, "--certificate", "id-cert.pub",
        ])
        #expect(
            wrong.status == 3 && wrong.stderrText.hasPrefix("error: the proof does not hold: "), "\(wrong)")
    }

    /// In no line, in no byte.
    @Test func attack47_aProofThatWasChangedIsRefused() throws {
        let whole = try tools.daypass(["log", "prove", "3"]).orThrow("prove").stdout
        let positions = stride(from: 0, to: whole.count, by: max(1, whole.count / 24))
        for position in positions {
            var changed = whole
            changed[position] = changed[position] == UInt8(ascii: "B") ? UInt8(ascii: "C") : UInt8(ascii: "B")
            try tools.folder.write(changed, to: "proof")
            let result = try elsewhere([
                "log", "prove", "--check", "proof", "--log-key", logKey, "--certificate", "id-cert.pub",
            ])
            #expect([1, 3].contains(result.status) && result.stdout.isEmpty, "\(position): \(result)")
            #expect(result.stderrText.hasPrefix("error: "), "\(position): \(result)")
        }
    }

    @Test func aCertificateThatIsNotInTheLogHasNoProof() throws {
        // Made with the CA's own key, past the log.
        try tools.run(
            "ssh-keygen", ["-q", "-s", ".daypass/user_ca", "-I", "al", "-n", "root", "-z", "7", "id.pub"])
        expectFailure(
            try tools.daypass(["log", "prove", "--certificate", "id-cert.pub"]), 1,
            "serial 7: this certificate is not in the log",
            hint: "if this CA's key signed it, somebody else has that key")
    }

    @Test func theLogContinuesAnEarlierCheckpoint() throws {
        let earlier = try tools.daypass(["log", "show"]).stdout
        try tools.folder.write(earlier, to: "earlier")
        try tools.issue().orThrow("issue")
        let result = try tools.daypass(["log", "prove", "--since", "earlier"])
        #expect(
            result.stdoutText == "consistent: 5 entries then, 6 now, nothing was rewritten\n", "\(result)")
        let verified = try tools.daypass(["log", "verify", "--checkpoint", "earlier"])
        #expect(verified.status == 0 && verified.stdoutText.hasPrefix("verified: 6 entries, root "))
    }

    @Test func anExportedLogVerifiesWithItsKeyAloneAndGrows() throws {
        #expect(
            try tools.daypass(["log", "export", "out"]).orThrow("export").stdoutText
                == "out: 5 entries, 2 tiles written\n")
        let verify = ["log", "verify", "--tiles", "out", "--log-key", logKey]
        let first = try elsewhere(verify)
        #expect(first.status == 0 && first.stdoutText.hasPrefix("verified: 5 entries, root "), "\(first)")
        try tools.issue().orThrow("issue")
        try tools.daypass(["log", "export", "out"]).orThrow("export")
        let second = try elsewhere(verify)
        #expect(second.status == 0 && second.stdoutText.hasPrefix("verified: 6 entries, root "), "\(second)")
        // Others can read it, the CA's keys are not in it.
        #expect(try tools.folder.mode(of: "out/checkpoint") == 0o644)
        #expect(try tools.folder.mode(of: "out/tile/0") == 0o755)
        #expect(try tools.names(in: "out") == ["checkpoint", "tile"])
    }

    /// `log export /tmp` by root would else take the sticky bit from it.
    @Test func anExportLeavesTheModeOfAFolderThatIsThere() throws {
        try tools.folder.makeFolder("out", mode: 0o1777)
        try tools.daypass(["log", "export", "out"]).orThrow("export")
        #expect(try tools.folder.mode(of: "out") == 0o1777)
    }

    @Test func aChangedByteInAnyExportedFileIsNoticed() throws {
        try tools.daypass(["log", "export", "out"]).orThrow("export")
        let files = try tools.run("find", ["out", "-type", "f"]).stdoutText.split(separator: "\n").map {
            String($0.dropFirst("out/".count))
        }
        #expect(files.count == 3)
        let verify = ["log", "verify", "--tiles", "out", "--log-key", logKey]
        for file in files {
            let whole = try tools.folder.read("out/\(file)")
            for position in [0, whole.count / 2, whole.count - 3] {
                var changed = whole
                changed[position] ^= 1
                try tools.folder.write(changed, to: "out/\(file)")
                let result = try elsewhere(verify)
                #expect(result.status == 3 && result.stdout.isEmpty, "\(file) \(position): \(result)")
                #expect(result.stderrText.hasPrefix("error: the log does not verify: "), "\(result)")
                let name = file == "checkpoint" ? "checkpoint" : ": entry "
                #expect(result.stderrText.contains(name), "\(file) \(position): \(result)")
            }
            try FileManager.default.removeItem(atPath: tools.folder.path("out/\(file)"))
            let gone = try elsewhere(verify)
            #expect([1, 3].contains(gone.status) && gone.stderrText.contains(file), "\(gone)")
            try tools.folder.write(whole, to: "out/\(file)")
        }
        #expect(try elsewhere(verify).status == 0)
    }

    @Test(.disabled(if: Running.underThreadSanitizer, "so many certificates take it minutes"))
    func aLogOfMoreThanFiveThousandEntriesVerifies() throws {
        var keys: [String] = []
        // One key for all: the names make them different.
        let line = try tools.folder.read("id.pub")
        for number in 0..<5_100 { keys.append(try tools.folder.write(line, to: "k\(number).pub")) }
        let command = ["issue", "user", "--identity", "al", "--principal", "deploy", "--key"]
        let issued = try tools.daypass(command + keys).orThrow("issue")
        #expect(issued.stdoutText.hasPrefix("issued 5100 user certificates, serials "), "\(issued)")
        let verified = try tools.daypass(["log", "verify"])
        #expect(verified.status == 0 && verified.stdoutText.hasPrefix("verified: 5105 entries, root "))
        let proof = try tools.daypass(["log", "prove", "--certificate", "k5000-cert.pub"]).orThrow("prove")
        try tools.folder.write(proof.stdout, to: "proof")
        let check = [
            "log", "prove", "--check", "proof", "--log-key", logKey, "--certificate", "k5000-cert.pub",
        ]
        #expect(try elsewhere(check).status == 0)
        try tools.daypass(["log", "export", "out"]).orThrow("export")
        #expect(try elsewhere(["log", "verify", "--tiles", "out", "--log-key", logKey]).status == 0)
    }
}
