// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import SSHWire
import TestSupport
import Testing
import TransparencyLog

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `kill -9` at random moments of a bulk `daypass issue`: whatever anybody received is in the log.
///
/// `DAYPASS_KILL_ROUNDS` sets how many times (default 60), `DAYPASS_KILL_SEED` repeats a run's moments.
@Suite("Issuing that is killed") struct KillTests {
    private static let keyCount = 400

    private static func setting(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Numbers that are the same for the same seed (SplitMix64).
    private struct Moments: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }

    /// The parts of `daypass log list --format json` that say what was issued.
    private struct LoggedEntry: Decodable {
        let index: UInt64
        let event: String
        let serial: String?
        let keyID: String?
        let fingerprint: String?

        enum CodingKeys: String, CodingKey {
            case index, event, serial, fingerprint
            case keyID = "key_id"
        }
    }

    /// What a run has seen, for the assertions that it was not in vain.
    private struct Tally {
        var killed = 0
        var withoutCertificates = 0
        var withSome = 0
        var certificates = 0
    }

    /// One CA through some rounds.
    private struct Victim {
        let ca: TestCA
        let keys: [String]
        let authority: PublicKey
        /// How many log entries have been looked at.
        var entries: UInt64 = 0
        /// Everything that was ever issued here, by serial.
        var logged: [UInt64: LoggedEntry] = [:]
        /// What the CA signed in each certificate that anybody received.
        var received: Set<[UInt8]> = []

        init() throws {
            ca = try TestCA()
            authority = try ca.publicKey("user")
            var keys: [String] = []
            for number in 0..<KillTests.keyCount {
                let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
                keys.append(try ca.folder.write(key.text + "\n", to: "\(number).pub"))
            }
            self.keys = keys
            try readLog()
        }

        var issuing: [String] {
            ["issue", "user", "--identity", "bulk", "--principal", "alice", "--key"] + keys
        }

        /// The numbers of the keys that have a certificate now.
        func delivered() throws -> [Int] { keys.indices.filter { ca.folder.contains("\($0)-cert.pub") } }

        func removeCertificates() throws {
            for number in try delivered() {
                try FileManager.default.removeItem(atPath: ca.folder.path("\(number)-cert.pub"))
            }
        }

        /// Reads what has come to the log, and looks for serials that were there before.
        mutating func readLog() throws {
            let said = try ca.run(["log", "list", "--from", "\(entries)", "--limit", "0", "--format", "json"])
                .orThrow("log list")
            let new = try JSONDecoder().decode([LoggedEntry].self, from: Data(said.stdout))
            for entry in new {
                #expect(entry.index == entries)
                entries += 1
                guard entry.event == "issued" else { continue }
                let serial = try #require(entry.serial.flatMap { UInt64($0) })
                #expect(serial != 0)
                #expect(logged.updateValue(entry, forKey: serial) == nil, "serial \(serial) is used twice")
            }
        }

        /// Checks every certificate that is there against its key, the CA and the log.
        mutating func checkCertificates() throws -> Int {
            let numbers = try delivered()
            for number in numbers {
                let certificate = try ca.certificate("\(number)-cert.pub")
                try certificate.verifySignature()
                let fields = certificate.fields
                let key = try PublicKeyLine(file: try ca.folder.read("\(number).pub")).content.plainKey("key")
                #expect(fields.key == key)
                #expect(fields.signatureKey == authority)
                let entry = logged[fields.serial]
                #expect(entry?.keyID == fields.keyID.string, "serial \(fields.serial) is not in the log")
                #expect(entry?.fingerprint == key.fingerprint)
                #expect(received.insert([UInt8](certificate.signedBytes)).inserted)
            }
            return numbers.count
        }

        /// Looks up what was signed, byte by byte, in the log as everybody can mirror it.
        func checkBytes() throws {
            let path = ca.folder.path("tiles")
            try ca.run(["log", "export", path]).orThrow("log export")
            var bytes: Set<[UInt8]> = []
            let layout = try TileLayout(size: entries)
            for index in 0... {
                guard let tile = layout.tile(.entries, index: UInt64(index)) else { break }
                let file = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(tile.path)"))
                let content = [UInt8](file)
                let bundle = try EntryBundle(tile, bytes: content.span)
                for entry in bundle.entries {
                    guard case .issuance(let record) = try LogEntry(encoded: entry.span).event else {
                        continue
                    }
                    #expect(bytes.insert(record.toBeSigned).inserted)
                }
            }
            #expect(bytes.count == logged.count)
            #expect(received.isSubset(of: bytes))
        }
    }

    /// Rounds with one CA: few enough that its log stays cheap to verify each time.
    private static let roundsWithOneCA: UInt64 = 25

    @Test func whateverAnybodyReceivedIsInTheLog() throws {
        let seed = Self.setting("DAYPASS_KILL_SEED") ?? UInt64.random(in: .min ... .max)
        let rounds = Self.setting("DAYPASS_KILL_ROUNDS") ?? 60
        var moments = Moments(state: seed)
        var tally = Tally()
        var first: UInt64 = 0
        while first < rounds {
            var victim = try Victim()
            let clock = ContinuousClock()
            let whole = try clock.measure { try victim.ca.run(victim.issuing).orThrow("issue") }
            try victim.readLog()
            #expect(try victim.checkCertificates() == Self.keyCount)
            for round in first..<min(first + Self.roundsWithOneCA, rounds) {
                let comment = Comment(
                    "round \(round), DAYPASS_KILL_SEED=\(seed) DAYPASS_KILL_ROUNDS=\(rounds)")
                do {
                    try killOnce(
                        &victim, after: whole * Double.random(in: 0..<1, using: &moments), &tally, comment)
                } catch {
                    Issue.record("\(comment): \(error)")
                    return
                }
            }
            try victim.checkBytes()
            first += Self.roundsWithOneCA
        }
        // The moments were all over the place: before the first certificate, between two, and late.
        let what = Comment("\(tally), DAYPASS_KILL_SEED=\(seed) DAYPASS_KILL_ROUNDS=\(rounds)")
        print("kill -9 during bulk issues: \(rounds) rounds, \(tally), seed \(seed)")
        #expect(tally.killed * 2 > Int(rounds), what)
        guard rounds >= 60 else { return }
        #expect(tally.withoutCertificates > 0 && tally.withSome > 0, what)
    }

    private func killOnce(
        _ victim: inout Victim, after delay: Duration, _ tally: inout Tally, _ comment: Comment
    ) throws {
        try victim.removeCertificates()
        let process = try victim.ca.start(victim.issuing)
        _ = process.wait(for: delay)
        process.signal(SIGKILL)
        if process.stop() == .signalled(SIGKILL) { tally.killed += 1 }

        try victim.readLog()
        let count = try victim.checkCertificates()
        tally.certificates += count
        if count == 0 { tally.withoutCertificates += 1 }
        if count > 0, count < Self.keyCount { tally.withSome += 1 }

        let verified = try victim.ca.run(["log", "verify"])
        #expect(verified.succeeded && verified.stdoutText.hasPrefix("verified"), comment)
        let next = try victim.ca.run(
            ["issue", "user", "--identity", "next", "--principal", "alice", "--key", victim.keys[0]])
        #expect(next.succeeded, comment)
        try victim.readLog()
        let fields = try victim.ca.certificate("0-cert.pub").fields
        #expect(victim.logged[fields.serial]?.keyID == fields.keyID.string, comment)
    }
}
