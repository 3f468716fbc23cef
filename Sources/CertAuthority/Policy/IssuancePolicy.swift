// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What the operator of a CA lets be issued. Only ``review(_:by:revokedKeys:at:nonce:)`` makes an ``ApprovedIssuance``.
public struct IssuancePolicy: Sendable, Hashable {
    /// The bounds for one kind of certificate.
    public struct Bounds: Sendable, Hashable {
        /// The lifetime of a certificate that was asked for without one, in seconds.
        public var defaultLifetime: UInt64
        /// The longest lifetime, in seconds.
        public var maximumLifetime: UInt64

        public init(defaultLifetime: UInt64, maximumLifetime: UInt64) {
            self.defaultLifetime = defaultLifetime
            self.maximumLifetime = maximumLifetime
        }
    }

    /// User certificates: 8 hours unless asked, 24 hours at most.
    public var user = Bounds(defaultLifetime: 8 * 3_600, maximumLifetime: 24 * 3_600)
    /// Host certificates: 30 days unless asked, 90 days at most.
    public var host = Bounds(defaultLifetime: 30 * 86_400, maximumLifetime: 90 * 86_400)
    /// The permissions that may be asked for.
    public var permissions: Set<Permission> = Set(Permission.allCases)
    /// Whether host certificates may hold `*` and `?`.
    public var allowsHostWildcards = false
    /// How far the start of a certificate is set back against clocks that are late, in seconds.
    public var backdate: UInt64 = 60
    /// How far ahead a certificate may start, in seconds.
    public var maximumPostdate: UInt64 = 30 * 86_400

    public init() {}

    /// Decides over a request.
    ///
    /// - Parameters:
    ///   - authority: the public key of the CA that would sign.
    ///   - revokedKeys: keys that nothing is issued for, nor by, any more.
    ///   - now: the time by which the request is judged.
    ///   - nonce: fresh random bytes for the certificate, 32 of them.
    public func review(
        _ request: IssuanceRequest, by authority: PublicKey, revokedKeys: Set<PublicKey> = [],
        at now: UnixTime,
        nonce: [UInt8]
    ) -> IssuanceDecision {
        let bounds = request.kind == .user ? user : host
        var reasons: [String] = []
        for key in [request.key, authority] where revokedKeys.contains(key) {
            reasons.append("key \(key.fingerprint): it is revoked")
        }
        if request.key == authority { reasons.append("key \(request.key.fingerprint): it is the CA's own") }
        let lifetime = request.lifetime ?? bounds.defaultLifetime
        if lifetime > bounds.maximumLifetime {
            reasons.append(
                "validity of \(spell(lifetime)): at most \(spell(bounds.maximumLifetime)) are allowed for "
                    + "\(request.kind.name) certificates")
        }
        let start = request.validFrom ?? now
        guard let end = start.adding(lifetime) else {
            return .refused(
                reasons + ["validity: \(lifetime) seconds from \(start) is after the end of time"])
        }
        if end <= now { reasons.append("validity: ends at \(end), which is past (now is \(now))") }
        if let latest = now.adding(maximumPostdate), start > latest {
            reasons.append("validity: starts at \(start), at most \(spell(maximumPostdate)) ahead is allowed")
        }
        var options = (critical: [CertificateOption](), extensions: [CertificateOption]())
        if case .user(let wanted) = request.subject {
            if !wanted.permissions.isSubset(of: permissions) {
                let names = wanted.permissions.subtracting(permissions).map(\.rawValue).sorted().joined(
                    separator: ", ")
                reasons.append("permission \(names): not allowed by policy")
            }
            options = (wanted.criticalOptions, wanted.allExtensions)
        }
        guard reasons.isEmpty else { return .refused(reasons) }
        return .approved(
            ApprovedIssuance(
                request: request, validAfter: request.validFrom ?? now.subtractingOrEpoch(backdate),
                validBefore: end,
                criticalOptions: options.critical, extensions: options.extensions, authority: authority,
                nonce: nonce))
    }
}

/// What policy says to a request.
public enum IssuanceDecision: Sendable {
    case approved(ApprovedIssuance)
    /// Each reason names the rule, its limit and what was asked.
    case refused([String])
}

/// A request that policy approved. Its serial is not known yet, and nothing about it is recorded.
public final class ApprovedIssuance: Sendable {
    let request: IssuanceRequest
    let validAfter: UnixTime
    let validBefore: UnixTime
    let criticalOptions: [CertificateOption]
    let extensions: [CertificateOption]
    let authority: PublicKey
    let nonce: [UInt8]

    fileprivate init(
        request: IssuanceRequest, validAfter: UnixTime, validBefore: UnixTime,
        criticalOptions: [CertificateOption], extensions: [CertificateOption], authority: PublicKey,
        nonce: [UInt8]
    ) {
        self.request = request
        self.validAfter = validAfter
        self.validBefore = validBefore
        self.criticalOptions = criticalOptions
        self.extensions = extensions
        self.authority = authority
        self.nonce = nonce
    }

    /// Names the identity and the serial, so that sshd's own log line says who came in and by which certificate.
    private func keyID(serial: UInt64) -> ExactText { ExactText("\(request.identity.text.string)#\(serial)") }

    /// The certificate's content under `serial`.
    ///
    /// - Throws: `.invalidRequest` for what no certificate can hold.
    func certificate(serial: UInt64) throws(CertAuthorityError) -> UnsignedCertificate {
        do {
            return try UnsignedCertificate(
                CertificateFields(
                    nonce: nonce, key: request.key, serial: serial, kind: request.kind,
                    keyID: keyID(serial: serial), principals: request.principals.names,
                    validAfter: validAfter,
                    validBefore: validBefore, criticalOptions: criticalOptions, extensions: extensions,
                    signatureKey: authority))
        } catch {
            throw CertAuthorityError(.invalidRequest, error.reason)
        }
    }

    /// True when `fields` are what was approved, with a serial that is not 0.
    func isApproval(of fields: CertificateFields) -> Bool {
        fields.serial != 0 && fields.nonce == nonce && fields.key == request.key
            && fields.kind == request.kind
            && fields.keyID == keyID(serial: fields.serial) && fields.principals == request.principals.names
            && fields.validAfter == validAfter && fields.validBefore == validBefore
            && fields.criticalOptions == criticalOptions && fields.extensions == extensions
            && fields.reserved.isEmpty && fields.signatureKey == authority
    }
}
