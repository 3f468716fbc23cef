// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Takes requests all the way: policy, record, signature, check.
///
/// The order is the only one that compiles: a signer gets a ``RecordedIssuance``, which only a ledger's durable step
/// makes, from an ``ApprovedIssuance``, which only policy makes.
public struct Issuer: Sendable {
    /// What may be issued.
    public let policy: IssuancePolicy
    /// Where it is recorded.
    public let ledger: any Ledger
    /// The CA keys by what they sign.
    public let signers: [CertificateKind: any CertificateSigner]
    private let revoked: RevokedKeys
    /// Milliseconds since 1970.
    public let clock: @Sendable () -> UInt64
    /// So many fresh random bytes.
    public let randomBytes: @Sendable (Int) -> [UInt8]

    /// The length of a certificate's nonce, in bytes; ssh-keygen's.
    static let nonceBytes = 32

    public init(
        policy: IssuancePolicy, ledger: any Ledger, signers: [CertificateKind: any CertificateSigner],
        revokedKeys: Set<PublicKey> = [],
        clock: @escaping @Sendable () -> UInt64, randomBytes: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.policy = policy
        self.ledger = ledger
        self.signers = signers
        revoked = RevokedKeys(revokedKeys)
        self.clock = clock
        self.randomBytes = randomBytes
    }

    /// Keys that nothing is issued for any more.
    public var revokedKeys: Set<PublicKey> { revoked.keys.withLock { $0 } }

    /// From here on nothing is issued for these keys.
    public func stop(keys: [PublicKey]) { revoked.keys.withLock { $0.formUnion(keys) } }

    /// What became of a request.
    public enum Outcome: Sendable {
        /// A certificate, and where the log has it.
        case issued(Certificate, index: UInt64)
        /// Policy said no; the refusal is in the log.
        case refused([String])
    }

    /// Issues what policy allows of `requests`, in order. All of them are recorded in one durable step, then signed.
    ///
    /// - Parameter preceding: what is recorded in the same step, before them.
    /// - Throws: when there is no key for a kind, nothing could be recorded, or a signature could not be made. Serials
    ///   that were recorded before a signature failed stay recorded and are never used again.
    public func issue(
        _ requests: [IssuanceRequest], after preceding: [LedgerDraft] = []
    ) async throws(CertAuthorityError) -> [Outcome] {
        let milliseconds = clock()
        let now = UnixTime(seconds: milliseconds / 1_000)
        let random = randomBytes(requests.count * Self.nonceBytes)
        var drafts = preceding
        var refusals: [Int: [String]] = [:]
        drafts.reserveCapacity(preceding.count + requests.count)
        var authority: (kind: CertificateKind, key: PublicKey)?
        for (number, request) in requests.enumerated() {
            let nonce = Array(random[(number * Self.nonceBytes)..<((number + 1) * Self.nonceBytes)])
            let key: PublicKey
            if let authority, authority.kind == request.kind {
                key = authority.key
            } else {
                key = try signer(request.kind).publicKey
                authority = (request.kind, key)
            }
            switch policy.review(request, by: key, revokedKeys: revokedKeys, at: now, nonce: nonce) {
            case .approved(let approved): drafts.append(.issuance(approved))
            case .refused(let reasons):
                refusals[number] = reasons
                drafts.append(.refusal(RefusalRecord(request, reasons), requester: request.requester))
            }
        }
        let recorded = try await ledger.record(drafts, at: milliseconds)
        let issued = try await sign(recorded)
        if refusals.isEmpty { return issued }
        var next = issued.makeIterator()
        return requests.indices.compactMap { number in
            if let reasons = refusals[number] { .refused(reasons) } else { next.next() }
        }
    }

    private func signer(_ kind: CertificateKind) throws(CertAuthorityError) -> any CertificateSigner {
        guard let signer = signers[kind] else {
            throw CertAuthorityError(.key, "there is no \(kind.name) CA key here, nothing can be issued")
        }
        return signer
    }

    /// Signs what was recorded, and compares what comes back with it before it leaves.
    private func sign(_ recorded: [RecordedIssuance]) async throws(CertAuthorityError) -> [Outcome] {
        var signed: [Outcome] = []
        signed.reserveCapacity(recorded.count)
        // Runs of one kind share one opening of the key.
        var start = recorded.startIndex
        while start < recorded.endIndex {
            let kind = recorded[start].certificate.fields.kind
            let end =
                recorded[start...].firstIndex { $0.certificate.fields.kind != kind } ?? recorded.endIndex
            let run = Array(recorded[start..<end])
            let signer = try signer(kind)
            let mustVerify = signer.signaturesNeedVerifying
            let signatures = try await signer.sign(run)
            guard signatures.count == run.count else {
                throw CertAuthorityError(
                    .signerMismatch, "\(signatures.count) signatures for \(run.count) certificates")
            }
            for (recorded, signature) in zip(run, signatures) {
                let certificate = try certificate(recorded.certificate, signature, verifying: mustVerify)
                signed.append(.issued(certificate, index: recorded.index))
            }
            start = end
        }
        return signed
    }

    /// Joins the record and its signature to a certificate, which must say what the record says.
    ///
    /// - Throws: `.signerMismatch`, naming the first field that differs, or when the signature does not verify.
    private func certificate(
        _ unsigned: UnsignedCertificate, _ signature: Signature, verifying: Bool
    ) throws(CertAuthorityError) -> Certificate {
        do {
            let certificate = try Certificate(expecting: unsigned, signature: signature)
            if verifying { try certificate.verifySignature() }
            return certificate
        } catch {
            throw CertAuthorityError(.signerMismatch, "certificate: \(error.reason)")
        }
    }
}

/// Shared by an issuer's copies.
private final class RevokedKeys: Sendable {
    let keys: Mutex<Set<PublicKey>>

    init(_ keys: Set<PublicKey>) { self.keys = Mutex(keys) }
}

extension RefusalRecord {
    fileprivate init(_ request: IssuanceRequest, _ reasons: [String]) {
        self.init(
            kind: request.kind, identity: request.identity,
            keyFingerprint: ExactText(request.key.fingerprint),
            principals: request.principals.names, reasons: reasons.map { ExactText($0) })
    }
}
