// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What somebody wants to have certified: well-formed, approved by nobody.
///
/// A class, as are the forms that it takes on its way: they are handed on several times for each certificate, and a
/// reference costs one count where the fields would cost a dozen.
public final class IssuanceRequest: Sendable {
    /// User or host, with what only that kind has.
    public enum Subject: Sendable {
        case user(UserOptions)
        case host
    }

    /// The key to certify.
    public let key: PublicKey
    /// What it is certified as.
    public let subject: Subject
    /// Whom the certificate names in its key ID.
    public let identity: Identity
    /// What it is good for.
    public let principals: PrincipalSet
    /// When it starts to be valid; nil for now, less the policy's backdating.
    public let validFrom: UnixTime?
    /// For how long, in seconds; nil for the policy's default.
    public let lifetime: UInt64?
    /// Who asks.
    public let requester: Identity

    // What the subject asks for, where policy and certificate can reach it without a copy of the subject.
    let permissions: Set<Permission>
    let criticalOptions: [CertificateOption]
    let extensions: [CertificateOption]

    public init(
        key: PublicKey, subject: Subject, identity: Identity, principals: PrincipalSet,
        validFrom: UnixTime? = nil, lifetime: UInt64? = nil, requester: Identity
    ) throws(CertAuthorityError) {
        if let lifetime, lifetime == 0 {
            throw CertAuthorityError(.invalidRequest, "validity: 0 seconds, a positive time expected")
        }
        if case .user(let options) = subject, !key.keyType.isHardwareBacked {
            // sshd asks only authenticators for these: on any other key they would promise what nobody checks.
            guard !options.verifyRequired else {
                throw CertAuthorityError(
                    .invalidRequest,
                    "verify-required: \(key.keyType.rawValue) is no FIDO key, sshd would not check it")
            }
            guard !options.extensions.contains(where: { $0.name == .noTouchRequired }) else {
                throw CertAuthorityError(
                    .invalidRequest,
                    "no-touch-required: \(key.keyType.rawValue) is no FIDO key, it would say nothing")
            }
        }
        self.key = key
        self.subject = subject
        self.identity = identity
        self.principals = principals
        self.validFrom = validFrom
        self.lifetime = lifetime
        self.requester = requester
        switch subject {
        case .user(let options):
            permissions = options.permissions
            criticalOptions = options.criticalOptions
            extensions = options.allExtensions
        case .host: (permissions, criticalOptions, extensions) = ([], [], [])
        }
    }

    /// User or host.
    public var kind: CertificateKind {
        if case .user = subject { .user } else { .host }
    }
}
