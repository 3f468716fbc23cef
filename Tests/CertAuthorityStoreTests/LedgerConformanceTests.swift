// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import Testing
import TransparencyLog

/// What every ledger promises; a new one is added to ``kinds``.
@Suite("Every ledger", .serialized)
struct LedgerConformanceTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    /// A ledger, its content and its root.
    struct Subject: Sendable {
        let ledger: any Ledger
        let entries: @Sendable () async throws -> [[UInt8]]
        let root: @Sendable () async throws -> Hash
        let folder: TemporaryFolder?

        init(_ kind: Kind, order: SerialSequence.Order = .sequential) throws {
            switch kind {
            case .memory:
                let memory = InMemoryLedger(serials: order)
                ledger = memory
                entries = { await memory.entries }
                root = { await memory.root }
                folder = nil
            case .sqlite:
                let folder = try TemporaryFolder()
                let sqlite = try Sample.database(in: folder, order: order)
                ledger = sqlite
                entries = { try CertAuthorityStoreTests.entries(sqlite) }
                root = { try sqlite.root(size: try sqlite.size()) }
                self.folder = folder
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func anEmptyLedgerHasTheEmptyTree(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.entries().isEmpty)
        #expect(try await subject.root() == MerkleHash.emptyRoot)
        #expect(try await subject.ledger.append([], at: sampleNow).isEmpty)
        #expect(try await subject.root() == MerkleHash.emptyRoot)
    }

    @Test(arguments: Kind.allCases)
    func receiptsCountFromZeroAndHoldWhatIsInTheLog(kind: Kind) async throws {
        let subject = try Subject(kind)
        let drafts = [
            try Sample.draft("alice"), try Sample.revocation(5), try Sample.draft("bob"),
            LedgerDraft.authority(
                AuthorityRecord(change: .created, role: .log, key: try Sample.logKey.publicKey),
                requester: try Identity("root")),
        ]
        var receipts = try await subject.ledger.append(drafts, at: sampleNow)
        receipts += try await subject.ledger.append([try Sample.draft("carol")], at: sampleNow + 1)
        #expect(receipts.map(\.index) == Array(0..<5))
        #expect(
            receipts.map(\.entry.milliseconds) == [UInt64](repeating: sampleNow, count: 4) + [sampleNow + 1])
        #expect(
            receipts.map(\.entry.requester.description) == [
                "operator", "operator", "operator", "root", "operator",
            ])
        let entries = try await subject.entries()
        #expect(try entries.map { try logEntry($0) } == receipts.map(\.entry))
        #expect(try entries == receipts.map { try $0.entry.encoded() })
    }

    @Test(arguments: Kind.allCases, Sample.orders)
    func serialsAreUniqueAndNeverZero(kind: Kind, order: SerialSequence.Order) async throws {
        let subject = try Subject(kind, order: order)
        var seen: Set<UInt64> = []
        // Forward, in the same second, backward, at the start of time.
        for milliseconds in [sampleNow, sampleNow, sampleNow + 999, sampleNow - 60_000, 0, sampleNow] {
            let drafts = try (0..<50).map { _ in try Sample.draft() }
            seen.formUnion(serials(try await subject.ledger.append(drafts, at: milliseconds)))
        }
        #expect(seen.count == 300)
        #expect(!seen.contains(0))
    }

    @Test(arguments: Kind.allCases)
    func whatCannotBeRecordedLeavesNoTrace(kind: Kind) async throws {
        let subject = try Subject(kind)
        let first = serials(try await subject.ledger.append([try Sample.draft()], at: sampleNow))
        let root = try await subject.root()
        let drafts = [try Sample.draft(), try Sample.oversizedDraft(), try Sample.draft()]
        #expect(
            try await refusalCode { _ = try await subject.ledger.append(drafts, at: sampleNow) }
                == .invalidRequest)
        #expect(try await subject.entries().count == 1)
        #expect(try await subject.root() == root)
        // Not even a serial is spent.
        let next = serials(try await subject.ledger.append([try Sample.draft()], at: sampleNow))
        #expect(next == [first[0] + 1])
    }

    @Test(arguments: Kind.allCases)
    func callersThatShareAStepFailByThemselves(kind: Kind) async throws {
        let subject = try Subject(kind)
        let good = try Sample.draft()
        let bad = try Sample.oversizedDraft()
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<60 {
                group.addTask {
                    let isBad = number % 3 == 0
                    do throws(CertAuthorityError) {
                        let drafts = isBad ? [good, bad] : [good]
                        let receipts = try await subject.ledger.append(drafts, at: sampleNow)
                        return !isBad && receipts.count == 1
                    } catch {
                        return isBad && error.code == .invalidRequest
                    }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(outcomes == [Bool](repeating: true, count: 60))
        #expect(try await subject.entries().count == 40)
    }

    @Test(arguments: Kind.allCases)
    func manyCallersAtOnceEachGetTheirOwnPlaces(kind: Kind) async throws {
        let subject = try Subject(kind)
        let receipts = try await withThrowingTaskGroup(of: [LedgerReceipt].self) { group in
            for task in 0..<64 {
                group.addTask {
                    var mine: [LedgerReceipt] = []
                    for number in 0..<50 {
                        let name = "task-\(task)-\(number)"
                        let got = try await subject.ledger.append(
                            [try Sample.draft(name), try Sample.revocation(UInt64(number + 1))], at: sampleNow
                        )
                        guard got.count == 2, got[1].index == got[0].index + 1,
                            case .issuance(let record) = got[0].entry.event,
                            record.fields.keyID.string.hasPrefix(name + "#")
                        else { throw TestSupportError("\(name) got another's receipt") }
                        mine += got
                    }
                    return mine
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(receipts.map(\.index).sorted() == Array(0..<6_400))
        #expect(Set(serials(receipts)).count == 3_200)
        let entries = try await subject.entries()
        #expect(entries.count == 6_400)
        for receipt in receipts {
            #expect(try receipt.entry.encoded() == entries[Int(receipt.index)])
        }
        #expect(try await subject.root() == treeHead(entries).root)
    }

    @Test(arguments: [1, 2, 3, 255, 256, 257, 600])
    func bothKindsAgreeOnEveryRoot(count: Int) async throws {
        let memory = try Subject(.memory)
        let sqlite = try Subject(.sqlite)
        for number in 0..<count {
            let draft =
                try number % 5 == 4 ? Sample.revocation(UInt64(number)) : Sample.draft("user-\(number)")
            if number % 100 == 0 || number + 3 > count {
                _ = try await memory.ledger.append([draft], at: sampleNow)
                _ = try await sqlite.ledger.append([draft], at: sampleNow)
                #expect(try await memory.root() == sqlite.root())
            } else {
                _ = try await memory.ledger.append([draft], at: sampleNow + 1)
                _ = try await sqlite.ledger.append([draft], at: sampleNow + 1)
            }
        }
        #expect(try await memory.entries() == sqlite.entries())
        #expect(try await memory.root() == treeHead(try await memory.entries()).root)
    }
}
