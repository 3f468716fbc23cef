// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Decides whether a certificate is good for a purpose, by sshd's rules where sshd is strict and by stricter ones
/// where readers differ (`sshkey_cert_check_authority` in sshkey.c, `cert_option_list` in auth-options.c).
///
/// A judge without authorities trusts nobody. Nothing here reads a clock or a file: what is needed is passed in.
public struct CertificateJudge: Sendable {
    /// What the certificate is to be used for.
    public enum Purpose: Sendable, Hashable {
        /// To log in as `principal` from `address`; nil for the address when it isn't known, and then a certificate
        /// that is bound to addresses is refused.
        case login(principal: ExactText, address: IPAddress?)
        /// To prove that a host is `name`; host certificates may hold `*` and `?`.
        case host(name: ExactText)
    }

    /// The CA keys that are trusted.
    public var authorities: Set<PublicKey>
    /// The algorithms that a CA may have signed with.
    public var signatureAlgorithms: Set<SignatureAlgorithm>
    /// Says why a certificate is revoked, nil when it isn't.
    public var revocation: @Sendable (Certificate) -> String?

    /// Every algorithm but those of FIDO keys, as nobody needs a touch for each certificate.
    public static let defaultSignatureAlgorithms: Set<SignatureAlgorithm> = [
        .ed25519, .ecdsaP256, .ecdsaP384, .ecdsaP521, .rsaSHA256, .rsaSHA512,
    ]

    public init(
        authorities: Set<PublicKey>,
        signatureAlgorithms: Set<SignatureAlgorithm> = Self.defaultSignatureAlgorithms,
        revocation: @escaping @Sendable (Certificate) -> String? = { _ in nil }
    ) {
        self.authorities = authorities
        self.signatureAlgorithms = signatureAlgorithms
        self.revocation = revocation
    }

    /// Checks every rule and says which do not hold.
    public func judge(_ certificate: Certificate, for purpose: Purpose, at now: UnixTime) -> Verdict {
        var refusals: [Refusal] = []
        let fields = certificate.fields
        refusals += judgeAuthority(certificate)
        refusals += judgeWindow(fields, now)
        switch purpose {
        case .login(let principal, let address):
            refusals += judgeKind(fields, .user)
            if !fields.principals.contains(principal) {
                refusals.append(Refusal(.principal, Self.explain(principal, fields.principals)))
            }
            refusals += judgeUserOptions(fields, address)
        case .host(let name):
            refusals += judgeKind(fields, .host)
            if !fields.principals.contains(where: { HostPattern.matches($0, name) }) {
                refusals.append(Refusal(.principal, Self.explain(name, fields.principals)))
            }
            // OpenSSH knows no critical option for hosts (`cert_option_list` is for users only).
            refusals += fields.criticalOptions.map {
                Refusal(.criticalOption, "host certificates have none: \(quoted($0.name))")
            }
        }
        if let reason = revocation(certificate) { refusals.append(Refusal(.revoked, reason)) }
        return refusals.isEmpty ? .accepted(AcceptedCertificate(certificate)) : .refused(refusals)
    }

    private func judgeAuthority(_ certificate: Certificate) -> [Refusal] {
        let key = certificate.fields.signatureKey
        let algorithm = certificate.signature.algorithm
        var refusals: [Refusal] = []
        if !authorities.contains(key) {
            let trusted = authorities.map(\.fingerprint).sorted().joined(separator: ", ")
            refusals.append(
                Refusal(
                    .authority,
                    "signed by \(key.fingerprint), "
                        + (trusted.isEmpty ? "no authority is trusted" : "trusted are \(trusted)")))
        }
        if !signatureAlgorithms.contains(algorithm) {
            refusals.append(
                Refusal(.signatureAlgorithm, "\(algorithm.rawValue) is not allowed for authorities"))
        }
        do {
            try certificate.verifySignature()
        } catch {
            refusals.append(Refusal(.signature, error.reason))
        }
        return refusals
    }

    private func judgeWindow(_ fields: CertificateFields, _ now: UnixTime) -> [Refusal] {
        guard fields.validAfter < fields.validBefore else {
            return [
                Refusal(.window, "valid from \(fields.validAfter) to \(fields.validBefore), which is never")
            ]
        }
        if now < fields.validAfter {
            return [Refusal(.window, "valid from \(fields.validAfter), now is \(now)")]
        }
        if now >= fields.validBefore {
            return [Refusal(.window, "expired at \(fields.validBefore), now is \(now)")]
        }
        return []
    }

    private func judgeKind(_ fields: CertificateFields, _ wanted: CertificateKind) -> [Refusal] {
        fields.kind == wanted
            ? []
            : [Refusal(.kind, "a \(fields.kind.name) certificate, a \(wanted.name) certificate is needed")]
    }

    private func judgeUserOptions(_ fields: CertificateFields, _ address: IPAddress?) -> [Refusal] {
        var refusals: [Refusal] = []
        for option in fields.criticalOptions {
            do {
                switch option.name {
                case .forceCommand:
                    // sshd runs an empty command, others take it for none at all and give a shell.
                    if try option.value?.isEmpty ?? true {
                        refusals.append(Refusal(.criticalOption, "force-command without a command"))
                    }
                case .verifyRequired:
                    if !option.data.isEmpty {
                        refusals.append(Refusal(.criticalOption, "verify-required takes no data"))
                    }
                case .sourceAddress:
                    guard let value = try option.value else {
                        refusals.append(Refusal(.criticalOption, "source-address without an address"))
                        continue
                    }
                    let blocks = try AddressBlock.list(value.string)
                    guard let address else {
                        refusals.append(
                            Refusal(.sourceAddress, "bound to \(value), the client's address is not known"))
                        continue
                    }
                    if !blocks.contains(where: { $0.contains(address) }) {
                        refusals.append(
                            Refusal(.sourceAddress, "bound to \(value), the client comes from \(address)"))
                    }
                default:
                    refusals.append(Refusal(.criticalOption, "\(quoted(option.name)) is not known here"))
                }
            } catch {
                refusals.append(Refusal(.criticalOption, "\(option.name): \(error.reason)"))
            }
        }
        for option in fields.extensions where Permission.names.contains(option.name) && !option.data.isEmpty {
            refusals.append(Refusal(.extensionData, "\(option.name) takes no data"))
        }
        return refusals
    }

    private static func explain(_ wanted: ExactText, _ principals: [ExactText]) -> String {
        principals.isEmpty
            ? "no principals, so it is good for nobody; \(quoted(wanted)) is needed"
            : "good for \(principals.map { quoted($0) }.joined(separator: ", ")); \(quoted(wanted)) is needed"
    }
}

private func quoted(_ text: ExactText) -> String { "\"\(text.string.escapedForTerminal)\"" }
