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
        if !revokedKeys.isEmpty {
            for key in [request.key, authority] where revokedKeys.contains(key) {
                reasons.append("key \(key.fingerprint): it is revoked")
            }
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
        if !request.permissions.isSubset(of: permissions) {
            let names = request.permissions.subtracting(permissions).map(\.rawValue).sorted().joined(
                separator: ", ")
            reasons.append("permission \(names): not allowed by policy")
        }
        guard reasons.isEmpty else { return .refused(reasons) }
        return .approved(
            ApprovedIssuance(
                request: request, validAfter: request.validFrom ?? now.subtractingOrEpoch(backdate),
                validBefore: end, authority: authority, nonce: nonce))
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
    let authority: PublicKey
    let nonce: [UInt8]

    fileprivate init(
        request: IssuanceRequest, validAfter: UnixTime, validBefore: UnixTime, authority: PublicKey,
        nonce: [UInt8]
    ) {
        self.request = request
        self.validAfter = validAfter
        self.validBefore = validBefore
        self.authority = authority
        self.nonce = nonce
    }

    var criticalOptions: [CertificateOption] { request.criticalOptions }
    var extensions: [CertificateOption] { request.extensions }

    /// Names the identity and the serial, so that sshd's own log line says who came in and by which certificate.
    private func keyID(serial: UInt64) -> ExactText {
        // Bytes into place: this is made for each certificate, and interpolation takes four times as long.
        let text = request.identity.text.withBytes { identity in
            let count = identity.count + 1 + Self.digits(serial)
            return unsafe String(unsafeUninitializedCapacity: count) { buffer in
                // Every index is below `count`, for which there is room.
                for index in identity.indices { unsafe buffer[index] = identity[index] }
                unsafe buffer[identity.count] = UInt8(ascii: "#")
                var rest = serial
                for index in stride(from: count - 1, to: identity.count, by: -1) {
                    unsafe buffer[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                return count
            }
        }
        return ExactText(text)
    }

    /// How many decimal digits a number has.
    private static func digits(_ number: UInt64) -> Int {
        var count = 1
        var rest = number
        while rest > 9 {
            rest /= 10
            count += 1
        }
        return count
    }

    /// True when `text` is what ``keyID(serial:)`` makes, without making it again: this is asked of each certificate.
    private func isKeyID(_ text: ExactText, serial: UInt64) -> Bool {
        text.withBytes { text in
            request.identity.text.withBytes { identity in
                var end = text.count
                var digits = serial
                repeat {
                    end -= 1
                    guard end > identity.count,
                        text[end] == UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digits % 10)
                    else { return false }
                    digits /= 10
                } while digits > 0
                guard end == identity.count + 1, text[identity.count] == UInt8(ascii: "#") else {
                    return false
                }
                for index in identity.indices where text[index] != identity[index] { return false }
                return true
            }
        }
    }

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

    /// True when `certificate` says what was approved, with a serial that is not 0.
    func isApproval(of certificate: UnsignedCertificate) -> Bool {
        // Field by field from where they are: a copy of all of them would cost as much as the comparison.
        certificate.fields.serial != 0 && certificate.fields.nonce == nonce
            && certificate.fields.key == request.key && certificate.fields.kind == request.kind
            && isKeyID(certificate.fields.keyID, serial: certificate.fields.serial)
            && certificate.fields.principals == request.principals.names
            && certificate.fields.validAfter == validAfter && certificate.fields.validBefore == validBefore
            && certificate.fields.criticalOptions == criticalOptions
            && certificate.fields.extensions == extensions && certificate.fields.reserved.isEmpty
            && certificate.fields.signatureKey == authority
    }
}
