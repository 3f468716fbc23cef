// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// The log, as the process that holds the CA keys sees it.
public protocol RecordedEntries: Sendable {
    /// The exact bytes of durable entries by their place, in the order asked for.
    ///
    /// - Throws: `.logInconsistent` when one of them isn't there.
    func recordedEntries(at indexes: [UInt64]) throws(CertAuthorityError) -> [[UInt8]]
}

/// Signs what the log records, and nothing else: the part of the control plane that holds the CA keys.
///
/// It is given places in the log, not certificates, and reads for itself what they hold. Whoever takes over the
/// process that talks to the network can get signed what it has recorded for all to see, within the bounds that are
/// checked here again, and can't get at the keys.
public struct SigningDesk: Sendable {
    private let entries: any RecordedEntries
    private let signers: [PublicKey: any LocalSigner]
    private let policy: IssuancePolicy

    /// The most certificates of one order.
    public static let maximumOrder = 1_024

    /// - Parameter policy: the CA's bounds, which hold here whatever an access policy says.
    public init(entries: any RecordedEntries, signers: [any LocalSigner], policy: IssuancePolicy) {
        self.entries = entries
        self.policy = policy
        self.signers = Dictionary(signers.map { ($0.publicKey, $0) }) { first, _ in first }
    }

    /// The signatures of the certificates that are recorded at these places, in order; all or none.
    ///
    /// - Throws: `.logInconsistent` for a place that records no certificate, `.invalidRequest` for a certificate that
    ///   is outside the CA's bounds, `.key` for one of another authority.
    public func sign(_ indexes: [UInt64], at now: UnixTime) throws(CertAuthorityError) -> [Signature] {
        guard indexes.count <= Self.maximumOrder else {
            throw CertAuthorityError(
                .invalidRequest,
                "\(indexes.count) certificates in one order, at most \(Self.maximumOrder) are allowed")
        }
        var messages: [PublicKey: [(place: Int, message: [UInt8])]] = [:]
        for (place, encoded) in try entries.recordedEntries(at: indexes).enumerated() {
            guard case .issuance(let certificate) = try LogEntry(encoded: encoded.span).event else {
                throw CertAuthorityError(.logInconsistent, "entry \(indexes[place]) records no certificate")
            }
            try policy.checkBounds(of: certificate, at: now)
            messages[certificate.fields.signatureKey, default: []].append((place, certificate.toBeSigned))
        }
        var signatures = [Signature?](repeating: nil, count: indexes.count)
        for (authority, group) in messages {
            guard let signer = signers[authority] else {
                throw CertAuthorityError(.key, "the key \(authority.fingerprint) is not here")
            }
            for (signature, item) in zip(try signer.sign(group.map(\.message)), group) {
                signatures[item.place] = signature
            }
        }
        let complete = signatures.compactMap { $0 }
        guard complete.count == indexes.count else {
            throw CertAuthorityError(.signerMismatch, "\(complete.count) signatures for \(indexes.count)")
        }
        return complete
    }
}

extension IssuancePolicy {
    /// Refuses a recorded certificate that this policy could not have approved about now.
    func checkBounds(of certificate: UnsignedCertificate, at now: UnixTime) throws(CertAuthorityError) {
        let fields = certificate.fields
        let bounds = fields.kind == .user ? user : host
        let longest = bounds.maximumLifetime.addingReportingOverflow(backdate)
        guard fields.serial != 0, !fields.principals.isEmpty, fields.validAfter < fields.validBefore,
            fields.validBefore != .forever,
            longest.overflow
                || fields.validBefore.seconds - fields.validAfter.seconds <= longest.partialValue,
            now < fields.validBefore
        else {
            throw CertAuthorityError(
                .invalidRequest,
                "certificate \(fields.serial): recorded, but outside the bounds of this CA: "
                    + "\(fields.validAfter) to \(fields.validBefore) for \(fields.principals.count) principals"
            )
        }
    }
}
