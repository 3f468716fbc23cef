// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Synchronization

@testable import CertAuthority

/// Signs what it is given, with a key in plain memory.
struct HonestSigner: LocalSigner {
    let publicKey: PublicKey
    private let key: SampleKey

    init(_ key: SampleKey) throws {
        self.key = key
        publicKey = try key.publicKey
    }

    func sign(_ messages: [[UInt8]]) throws(CertAuthorityError) -> [Signature] {
        messages.map { Signature(.ed25519, blob: key.signature(over: $0)) }
    }
}

/// Remembers what it was asked to sign.
final class CountingSigner: LocalSigner {
    let publicKey: PublicKey
    private let honest: HonestSigner
    private let seen = Mutex<[[UInt8]]>([])

    init(_ honest: HonestSigner) {
        self.honest = honest
        publicKey = honest.publicKey
    }

    var messages: [[UInt8]] { seen.withLock { $0 } }

    func sign(_ messages: [[UInt8]]) throws(CertAuthorityError) -> [Signature] {
        seen.withLock { $0 += messages }
        return try honest.sign(messages)
    }
}

/// Has an honest key's public half and does as it likes.
struct LyingSigner: LocalSigner {
    let publicKey: PublicKey
    private let answer: @Sendable ([[UInt8]]) throws(CertAuthorityError) -> [Signature]

    init(
        honest: HonestSigner,
        answer: @escaping @Sendable ([[UInt8]]) throws(CertAuthorityError) -> [Signature]
    ) {
        publicKey = honest.publicKey
        self.answer = answer
    }

    func sign(_ messages: [[UInt8]]) throws(CertAuthorityError) -> [Signature] { try answer(messages) }
}

/// A disk without room.
struct FailingLedger: Ledger {
    func append(
        _ drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) -> [LedgerReceipt] {
        throw CertAuthorityError(.storeFull, "no room")
    }
}

/// Records what it is given and says something else.
struct LyingLedger: Ledger {
    let ledger = InMemoryLedger()
    let change: @Sendable ([LedgerReceipt]) -> [LedgerReceipt]

    func append(
        _ drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) -> [LedgerReceipt] {
        change(try await ledger.append(drafts, at: milliseconds))
    }
}
