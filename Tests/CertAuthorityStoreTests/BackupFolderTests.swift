// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire
import TestSupport
import Testing
import TransparencyLog

@testable import CertAuthorityStore

@Suite("A backup and what is restored from it")
struct BackupFolderTests {
    /// A control plane in a folder, without the program.
    private struct Scene {
        let folder = try? TemporaryFolder()
        let home: CAHome
        let ledger: SQLiteLedger
        let logKey: PrivateKey
        private let root: TemporaryFolder

        init(passphrase: String? = nil, order: [String] = []) async throws {
            root = try TemporaryFolder()
            let authorities = try AuthorityRole.allCases.map { role in
                let key = try PrivateKey.generate(.ed25519, comment: "")
                return NewAuthority(role: role, change: .created, publicKey: key.publicKey, privateKey: key)
            }
            let secret = try passphrase.map { try Scene.secret($0) }
            try await CAHome.create(
                in: CAFolder(root.path("home")), authorities, CAConfiguration(origin: Sample.origin),
                passphrase: secret, requester: try Identity("root"), at: sampleNow,
                randomBytes: { [UInt8](repeating: 3, count: $0) })
            home = try CAHome(CAFolder(root.path("home")))
            logKey = try #require(authorities.first { $0.role == .log }?.privateKey)
            ledger = try home.ledger(signing: logKey)
        }

        static func secret(_ text: String) throws -> SecretBytes {
            try unsafe SecretBytes(count: text.utf8.count) { target throws(SSHWireError) in
                for (index, byte) in text.utf8.enumerated() { unsafe target[index] = byte }
            }
        }

        func path(_ name: String) -> String { root.path(name) }
        func read(_ name: String) throws -> [UInt8] { try root.read(name) }
        func write(_ bytes: [UInt8], to name: String) throws { try root.write(bytes, to: name) }
        func names(_ name: String) throws -> Set<String> {
            Set(try FileManager.default.contentsOfDirectory(atPath: path(name)))
        }

        @discardableResult
        func issue(_ count: Int, at milliseconds: UInt64 = sampleNow) async throws -> [UInt64] {
            let drafts = try (0..<count).map { _ in try Sample.draft() }
            return serials(try await ledger.append(drafts, at: milliseconds))
        }

        func backUp(to name: String = "backup", keys: Bool = true, at milliseconds: UInt64 = sampleNow) throws
            -> BackupFolder
        {
            try BackupFolder.write(
                to: path(name), home: home, elsewhere: [:], includingPrivateKeys: keys, at: milliseconds)
        }

        @discardableResult
        func restore(
            _ name: String = "backup", to target: String = "new", keys: String? = nil,
            checkpoints: [String] = [], at milliseconds: UInt64 = sampleNow + 60_000, passphrase: String = ""
        ) async throws -> BackupFolder.Restoration {
            try await BackupFolder(opening: path(name)).restore(
                to: CAFolder(path(target)), keys: keys.map(path), checkpoints: checkpoints.map(path),
                requester: try Identity("root"), at: milliseconds
            ) { try Scene.secret(passphrase) }
        }

        func reopened(_ name: String = "new") throws -> SQLiteLedger {
            try CAHome(CAFolder(path(name))).ledger(signing: logKey)
        }
    }

    @Test func attack61_whatWasGivenOutAfterTheBackupIsNeverGivenOutAgain() async throws {
        let scene = try await Scene()
        let before = try await scene.issue(100)
        _ = try scene.backUp()
        // More at once than the clock has positions for until the restoration, and a clock that stands still.
        let lost = try await scene.issue(3_000)
        try scene.home.publishCheckpoint(scene.ledger)
        let restored = try await scene.restore(checkpoints: ["home/checkpoint"], at: sampleNow + 1)
        #expect(restored.lost == 3_000)
        let ledger = try scene.reopened()
        let after = serials(
            try await ledger.append(try (0..<3_000).map { _ in try Sample.draft() }, at: sampleNow + 1))
        #expect(Set(before + lost + after).count == 6_100)
    }

    @Test func theRestoredLogContinuesTheBackupsAndAdmitsWhatIsLost() async throws {
        let scene = try await Scene()
        try await scene.issue(300)
        let backup = try scene.backUp()
        let size = try scene.ledger.size()
        #expect(backup.statement.entries == size)
        try await scene.issue(7)
        try scene.home.publishCheckpoint(scene.ledger)
        let newest = try #require(try scene.home.publishedCheckpoint()).head
        let restored = try await scene.restore(checkpoints: ["home/checkpoint", "backup/checkpoint"])
        #expect(restored.entries == size)
        #expect(restored.lost == 7)
        let ledger = try scene.reopened()
        #expect(
            try entries(ledger).prefix(Int(size)).elementsEqual(try entries(scene.ledger).prefix(Int(size))))
        let entry = try logEntry(try #require(try ledger.entry(at: size)))
        #expect(
            entry.event
                == .recovery(RecoveryRecord(knownSize: newest.size, knownRoot: newest.root.bytes)))
        let verifier = try CAHome(CAFolder(scene.path("new"))).logVerifier()
        #expect(try ledger.verify(logKey: verifier).size == size + 1)
    }

    @Test func aRestorationAfterWhichNothingIsKnownToBeLostIsAdmittedToo() async throws {
        let scene = try await Scene()
        try await scene.issue(3)
        _ = try scene.backUp()
        let head = try await scene.ledger.publishedSize()
        #expect(try await scene.restore(checkpoints: ["backup/checkpoint"]).lost == 0)
        let entry = try logEntry(try #require(try scene.reopened().entry(at: head)))
        guard case .recovery(let record) = entry.event else {
            Issue.record("\(entry)")
            return
        }
        #expect(record.knownSize == head)
    }

    @Test func aCheckpointThatContradictsTheBackupIsNotPassedOver() async throws {
        let scene = try await Scene()
        try await scene.issue(3)
        _ = try scene.backUp()
        // Another history under the same key: the restored log, gone on differently.
        try await scene.restore(to: "fork")
        let fork = try scene.reopened("fork")
        try await scene.issue(5)
        _ = try scene.backUp(to: "later")
        try scene.write(try fork.checkpoint().bytes, to: "fork-checkpoint")
        let code = try await refusalCode {
            try await scene.restore("later", checkpoints: ["fork-checkpoint"])
        }
        #expect(code == .logInconsistent)
        #expect(try scene.names("new").isEmpty)
    }

    @Test func everySessionEndsAndTheLogSaysSo() async throws {
        let scene = try await Scene()
        let directory = SQLiteDirectory(scene.ledger)
        try await directory.add(try Sample.enrolledKey())
        try await directory.add(try Sample.apiKey())
        for number in 0..<300 { try await directory.add(try Sample.session("\(number)")) }
        _ = try scene.backUp()
        let size = try scene.ledger.size()
        #expect(try await scene.restore().endedSessions == 300)
        let ledger = try scene.reopened()
        #expect(try await SQLiteDirectory(ledger).sessions().isEmpty)
        #expect(try await SQLiteDirectory(ledger).enrolledKeys().count == 1)
        #expect(try await SQLiteDirectory(ledger).apiKeys() == [try Sample.apiKey()])
        var ended: Set<String> = []
        for bytes in try entries(ledger).dropFirst(Int(size) + 1) {
            guard case .login(let record) = try logEntry(bytes).event, record.change == .ended else {
                continue
            }
            ended.insert(record.session.string)
        }
        #expect(ended.count == 300)
    }

    @Test func withoutAskingNoPrivateKeyIsInIt() async throws {
        let scene = try await Scene()
        let backup = try scene.backUp(keys: false)
        #expect(
            try scene.names("backup") == [
                "SHA256SUMS", "backup.json", "checkpoint", "config.yaml", "ledger.sqlite", "user_ca.pub",
                "host_ca.pub", "log_key.pub",
            ])
        #expect(!backup.statement.privateKeys)
        #expect(try await refusalCode { try await scene.restore() } == .key)
        #expect(try scene.names("new").isEmpty)
        // With the keys from where they are kept, it is whole.
        let restored = try await scene.restore(keys: "home")
        #expect(restored.missingKeys == ["tls/root.key"])
        _ = try await scene.reopened().append([try Sample.draft()], at: sampleNow + 70_000)
    }

    @Test func keysStayEncryptedAsTheyWere() async throws {
        let scene = try await Scene(passphrase: "correct horse")
        _ = try scene.backUp()
        for name in ["user_ca", "host_ca", "log_key"] {
            #expect(try scene.read("backup/\(name)") == scene.read("home/\(name)"))
        }
        #expect(try await refusalCode { try await scene.restore(passphrase: "wrong") } == .passphrase)
        try await scene.restore(passphrase: "correct horse")
        #expect(try scene.read("new/log_key") == scene.read("home/log_key"))
    }

    @Test func anotherLogsKeyIsRefused() async throws {
        let scene = try await Scene()
        let other = try await Scene()
        _ = try scene.backUp(keys: false)
        try FileManager.default.copyItem(atPath: other.path("home"), toPath: scene.path("others"))
        #expect(try await refusalCode { try await scene.restore(keys: "others") } == .key)
        #expect(try scene.names("new").isEmpty)
    }

    @Test func aFileThatIsNotAsItWasWrittenIsNamedAndNothingIsRestored() async throws {
        let scene = try await Scene()
        try await scene.issue(10)
        _ = try scene.backUp()
        for name in try scene.names("backup") {
            let whole = try scene.read("backup/\(name)")
            for changed in [Array(whole.dropLast()), whole.dropLast() + [whole[whole.count - 1] ^ 1], []] {
                try scene.write(changed, to: "backup/\(name)")
                #expect(try await refusalCode { try await scene.restore() } != nil, "\(name)")
                #expect(!FileIO.exists(scene.path("new")))
            }
            try FileManager.default.removeItem(atPath: scene.path("backup/\(name)"))
            #expect(try await refusalCode { try await scene.restore() } != nil, "\(name)")
            try scene.write(whole, to: "backup/\(name)")
        }
        try await scene.restore()
    }

    @Test func sumsThatLackAFileAreNoticed() async throws {
        let scene = try await Scene()
        _ = try scene.backUp()
        let lines = String(decoding: try scene.read("backup/SHA256SUMS"), as: UTF8.self)
            .split(separator: "\n")
        for left in lines.indices {
            let rest = lines.indices.filter { $0 != left }.map { lines[$0] + "\n" }.joined()
            try scene.write(Array(rest.utf8), to: "backup/SHA256SUMS")
            #expect(try await refusalCode { try await scene.restore() } == .file, "\(lines[left])")
        }
        #expect(!FileIO.exists(scene.path("new")))
    }

    @Test(arguments: ["../../evil", "/etc/evil", "tls/../x", "run/signer.sock", "user_ca"])
    func sumsNameNothingThatABackupDoesNotHold(name: String) async throws {
        let scene = try await Scene()
        _ = try scene.backUp(keys: true)
        var sums = try scene.read("backup/SHA256SUMS")
        sums += Array((String(repeating: "0", count: 64) + "  \(name)\n").utf8)
        try scene.write(sums, to: "backup/SHA256SUMS")
        #expect(try await refusalCode { try await scene.restore() } == .file)
        #expect(!FileIO.exists(scene.path("new")))
    }

    @Test func aClockThatIsBehindTheBackupIsRefused() async throws {
        let scene = try await Scene()
        _ = try scene.backUp()
        #expect(try await refusalCode { try await scene.restore(at: sampleNow - 1) } == .rolledBack)
        #expect(!FileIO.exists(scene.path("new")))
        try await scene.restore(at: sampleNow)
    }

    @Test func aFolderWithAnythingInItIsLeftAsItIs() async throws {
        let scene = try await Scene()
        _ = try scene.backUp()
        let before = try scene.read("home/ledger.sqlite")
        #expect(try await refusalCode { try await scene.restore(to: "home") } == .unsafeFile)
        #expect(try scene.read("home/ledger.sqlite") == before)
        #expect(try await refusalCode { _ = try scene.backUp() } == .file)
        #expect(try await refusalCode { _ = try scene.backUp(to: "home") } == .file)
    }

    @Test func aBackupThatWasInterruptedIsNone() async throws {
        let scene = try await Scene()
        _ = try scene.backUp()
        try FileManager.default.removeItem(atPath: scene.path("backup/SHA256SUMS"))
        #expect(try await refusalCode { try await scene.restore() } == .notFound)
    }

    @Test func whileOthersWriteItIsOneStateOfTheLog() async throws {
        let scene = try await Scene()
        let ledger = scene.ledger
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<50 {
                        _ = try await ledger.append([try Sample.draft(), try Sample.draft()], at: sampleNow)
                    }
                }
            }
            group.addTask {
                for number in 0..<5 { _ = try scene.backUp(to: "backup-\(number)") }
            }
            try await group.waitForAll()
        }
        for number in 0..<5 {
            let restored = try await scene.restore("backup-\(number)", to: "new-\(number)")
            #expect(
                try scene.ledger.root(size: restored.entries)
                    == scene.reopened("new-\(number)").root(size: restored.entries))
        }
    }
}
