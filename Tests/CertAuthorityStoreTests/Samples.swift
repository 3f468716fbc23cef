// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import TransparencyLog

/// 2026-11-21 05:00:00 UTC in milliseconds, when most tests take place.
let sampleNow: UInt64 = 1_795_237_200_000

/// An Ed25519 key pair from a seed of equal bytes, in plain memory.
struct SampleKey: Sendable {
    let publicBytes: [UInt8]
    private let secretBytes: [UInt8]

    init(seed byte: UInt8) {
        var publicBytes = [UInt8](repeating: 0, count: 32)
        var secretBytes = [UInt8](repeating: 0, count: 64)
        _ = unsafe crypto_sign_seed_keypair(
            &publicBytes, &secretBytes, [UInt8](repeating: byte, count: 32))
        self.publicBytes = publicBytes
        self.secretBytes = secretBytes
    }

    var publicKey: PublicKey {
        get throws { try PublicKey(.ed25519(publicBytes)) }
    }

    func signature(over message: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        _ = unsafe crypto_sign_detached(&signature, nil, message, UInt64(message.count), secretBytes)
        return signature
    }
}

enum Sample {
    static let origin = "example.com/ca"
    static let logKey = SampleKey(seed: 1)
    static let authority = SampleKey(seed: 2)

    static var noteSigner: NoteSigner {
        get throws {
            try NoteSigner(name: try KeyName(origin), publicKey: logKey.publicBytes) {
                logKey.signature(over: $0)
            }
        }
    }

    static var noteVerifier: NoteVerifier {
        get throws {
            try NoteVerifier(name: try KeyName(origin), publicKey: logKey.publicBytes) {
                key, message, signature in
                unsafe crypto_sign_verify_detached(signature, message, UInt64(message.count), key) == 0
            }
        }
    }

    /// A certificate to record.
    static func draft(_ identity: String = "alice", lifetime: UInt64 = 3_600) throws -> LedgerDraft {
        let request = try IssuanceRequest(
            key: try SampleKey(seed: 100).publicKey, subject: .user(try UserOptions()),
            identity: try Identity(identity), principals: try PrincipalSet(users: ["alice"]),
            lifetime: lifetime, requester: try Identity("operator"))
        return try draft(request)
    }

    static func draft(_ request: IssuanceRequest) throws -> LedgerDraft {
        let decision = IssuancePolicy().review(
            request, by: try authority.publicKey, at: UnixTime(seconds: sampleNow / 1_000),
            nonce: [UInt8](repeating: 7, count: 32))
        guard case .approved(let approved) = decision else { throw TestSupportError("not approved") }
        return .issuance(approved)
    }

    /// A certificate that policy allows and whose entry is too long to record: 256 principals of 255 bytes.
    static func oversizedDraft() throws -> LedgerDraft {
        let names = (0..<256).map { number in
            "\(number)-" + String(repeating: "x", count: 254 - "\(number)".count)
        }
        return try draft(
            try IssuanceRequest(
                key: try SampleKey(seed: 100).publicKey, subject: .user(try UserOptions()),
                identity: try Identity("alice"), principals: try PrincipalSet(users: names),
                requester: try Identity("operator")))
    }

    /// An entry that isn't a certificate.
    static func revocation(_ serial: UInt64) throws -> LedgerDraft {
        .revocation(
            try RevocationRecord(
                target: .serial(serial, authority: try authority.publicKey), expires: nil, reason: "lost"),
            requester: try Identity("operator"))
    }

    /// Makes a database and opens it.
    static func database(
        in folder: TemporaryFolder, order: SerialSequence.Order = .sequential
    ) throws -> SQLiteLedger {
        let path = folder.path("ledger.sqlite")
        try SQLiteLedger.create(at: path, origin: origin, serials: order, signer: try noteSigner)
        return try SQLiteLedger(opening: path, signer: try noteSigner)
    }

    static let orders: [SerialSequence.Order] = [.sequential, .random(key: [UInt8](0..<16))]
}

/// The serials of the certificates among receipts, in order.
func serials(_ receipts: [LedgerReceipt]) -> [UInt64] {
    receipts.compactMap { receipt in
        if case .issuance(let record) = receipt.entry.event { record.fields.serial } else { nil }
    }
}

/// The code of the error that `body` throws, nil when it returns.
func refusalCode(_ body: () async throws -> Void) async throws -> CertAuthorityError.Code? {
    do {
        try await body()
        return nil
    } catch let error as CertAuthorityError {
        return error.code
    }
}

/// Parses an entry.
func logEntry(_ bytes: [UInt8]) throws(CertAuthorityError) -> LogEntry { try LogEntry(encoded: bytes.span) }

/// All entries of a database.
func entries(_ ledger: SQLiteLedger) throws -> [[UInt8]] {
    let collected = Collected()
    try ledger.forEachEntry { index, entry in
        guard index == UInt64(collected.entries.count) else {
            throw TestSupportError("entry \(index) is out of place")
        }
        collected.entries.append([UInt8](entry))
        return true
    }
    return collected.entries
}

/// Used by one closure at a time.
private final class Collected: @unchecked Sendable {
    var entries: [[UInt8]] = []
}

/// The head of a tree over these entries, computed by TransparencyLog alone.
func treeHead(_ entries: [[UInt8]]) throws -> TreeHead {
    var tree = MemoryTree()
    for entry in entries { try tree.append(entry: entry.span) }
    return tree.frontier.head
}
