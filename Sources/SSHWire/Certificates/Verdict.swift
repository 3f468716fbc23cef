// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What a judge decided.
public enum Verdict: Sendable, Hashable {
    case accepted(AcceptedCertificate)
    /// At least one rule does not hold; in the order in which the rules are checked.
    case refused([Refusal])
}

/// A rule that a certificate does not meet, and with which values.
public struct Refusal: Sendable, Hashable, CustomStringConvertible {
    /// The rules.
    public enum Rule: String, Sendable, CaseIterable {
        case authority = "authority"
        case signatureAlgorithm = "signature-algorithm"
        case signature = "signature"
        case window = "validity"
        case kind = "type"
        case principal = "principal"
        case criticalOption = "critical-option"
        case sourceAddress = "source-address"
        case extensionData = "extension"
        case revoked = "revoked"
    }

    /// The rule.
    public let rule: Rule
    /// What was expected and what came, escaped for terminals.
    public let reason: String

    init(_ rule: Rule, _ reason: String) {
        self.rule = rule
        self.reason = reason
    }

    public var description: String { "\(rule.rawValue): \(reason)" }
}

/// What a user certificate may allow beside running commands, by its extension's name.
public enum Permission: String, Sendable, CaseIterable {
    case pty = "pty"
    case portForwarding = "port-forwarding"
    case agentForwarding = "agent-forwarding"
    case x11Forwarding = "x11-forwarding"
    case userRC = "user-rc"

    /// The extension that grants it.
    public var extensionName: ExactText {
        switch self {
        case .pty: .permitPTY
        case .portForwarding: .permitPortForwarding
        case .agentForwarding: .permitAgentForwarding
        case .x11Forwarding: .permitX11Forwarding
        case .userRC: .permitUserRC
        }
    }

    /// Every extension whose presence is all that it says.
    static let names: Set<ExactText> = Set(allCases.map(\.extensionName) + [.noTouchRequired])
}

/// A certificate that a judge accepted for the purpose that it was asked about. Only a judge makes one.
public struct AcceptedCertificate: Sendable, Hashable {
    /// The certificate.
    public let certificate: Certificate

    init(_ certificate: Certificate) { self.certificate = certificate }

    /// What a FIDO authenticator must vouch for when the key signs: whoever checks that signature passes this to
    /// ``PublicKey/verify(_:over:presence:)``. Read from where OpenSSH reads it: `verify-required` among the critical
    /// options, `no-touch-required` among the extensions, never the other way round.
    public var requiredPresence: UserPresence {
        if certificate.fields.criticalOptions.contains(where: { $0.name == .verifyRequired }) {
            return .verification
        }
        return certificate.fields.extensions.contains(where: { $0.name == .noTouchRequired })
            ? .notRequired : .touch
    }

    /// What the certificate allows.
    public var permissions: Set<Permission> {
        let names = Set(certificate.fields.extensions.map(\.name))
        return Set(Permission.allCases.filter { names.contains($0.extensionName) })
    }
}
