// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
public import SSHWire

/// Says whether a certificate is known as bad on this host. sshd has checked its form, signature, times and principals;
/// this knows what sshd's files say now, whatever sshd read when it started.
public struct AuthorizeJudge: Sendable {
    private let authorities: Set<PublicKey>
    private let revocations: KeyRevocationList?

    /// - Parameter revocations: nil where this host has no list.
    public init(authorities: Set<PublicKey>, revocations: KeyRevocationList?) {
        self.authorities = authorities
        self.revocations = revocations
    }

    public func judge(_ request: AuthorizeRequest) -> AuthorizeAnswer {
        let certificate: Certificate
        do throws(SSHWireError) {
            certificate = try Certificate(encoded: Base64.decode("certificate", request.certificate))
        } catch {
            return .deny(error.reason)
        }
        let fields = certificate.fields
        guard fields.kind == .user else {
            return .deny("a host's certificate, for account \(request.account)")
        }
        guard authorities.contains(fields.signatureKey) else {
            return .deny("signed by \(fields.signatureKey.fingerprint), which is not trusted here")
        }
        if let revocation = revocations?.revocation(of: certificate) {
            return .deny("revoked: \(revocation)")
        }
        return .allow
    }
}
