// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Something about a key or certificate that its owner should know; no judgement.
struct InspectWarning: Encodable {
    /// A name for programs.
    let code: String
    /// The warning for people, escaped.
    let text: String

    init(_ code: String, _ text: String) {
        self.code = code
        self.text = text
    }
}

/// The modulus under which NIST SP 800-57 part 1, table 2 sees less than 128 bits of strength.
private let strongRSABits = 3_072

extension PublicKey {
    /// What is weak about the key.
    ///
    /// - Parameter name: what the key is here: "key", "CA key".
    func inspectWarnings(_ name: String) -> [InspectWarning] {
        guard keyType == .rsa, bits < strongRSABits else { return [] }
        return [
            InspectWarning(
                "small-rsa-key", "\(name): RSA of \(bits) bits, \(strongRSABits) or more are recommended")
        ]
    }
}

extension Certificate {
    /// What is unwise or odd about the certificate.
    var inspectWarnings: [InspectWarning] {
        fields.key.inspectWarnings("key") + fields.signatureKey.inspectWarnings("CA key")
            + validityWarnings + nameWarnings + optionWarnings + formWarnings
    }

    private var validityWarnings: [InspectWarning] {
        if fields.validAfter >= fields.validBefore {
            return [InspectWarning("never-valid", "it ends before it starts, so it is never valid")]
        }
        guard fields.validBefore == .forever else { return [] }
        return [InspectWarning("no-end", "it never ends: only revoking it or its CA stops it")]
    }

    private var nameWarnings: [InspectWarning] {
        var warnings: [InspectWarning] = []
        if fields.serial == 0 {
            warnings.append(InspectWarning("serial-zero", "serial 0: it can't be revoked by its serial"))
        }
        if fields.keyID.isEmpty {
            warnings.append(
                InspectWarning("empty-key-id", "the key ID is empty: sshd's log doesn't say whose it is"))
        }
        if fields.principals.isEmpty {
            warnings.append(
                InspectWarning(
                    "no-principals",
                    fields.kind == .user
                        ? "no principals: older sshd take it for every account where authorized_keys trusts its CA"
                        : "no principals: older ssh take it for every host"))
        }
        for principal in fields.principals.map(\.string) {
            let shown = "\"\(principal.escapedForTerminal)\""
            if principal.contains(",") {
                warnings.append(
                    InspectWarning(
                        "principal-with-comma", "principal \(shown): some sshd read two names in it"))
            }
            let isPattern = principal.contains("*") || principal.contains("?")
            if isPattern, fields.kind == .user {
                warnings.append(
                    InspectWarning(
                        "principal-with-wildcard", "principal \(shown): no pattern in a user certificate"))
            } else if isPattern, principal.allSatisfy({ "*?.".contains($0) }) {
                warnings.append(
                    InspectWarning("principal-for-all", "principal \(shown): good for every host"))
            }
        }
        if fields.keyID.string.holdsControlCharacters
            || fields.principals.contains(where: { $0.string.holdsControlCharacters })
        {
            warnings.append(
                InspectWarning(
                    "control-characters",
                    "the key ID or a principal holds control characters, shown as \\u{…}"))
        }
        return warnings
    }

    private var optionWarnings: [InspectWarning] {
        let known: Set<ExactText> =
            fields.kind == .user ? [.forceCommand, .sourceAddress, .verifyRequired] : []
        var warnings = fields.criticalOptions.filter { !known.contains($0.name) }.map {
            InspectWarning(
                "unknown-critical-option",
                "critical option \"\($0.name.string.escapedForTerminal)\": not known for \(fields.kind.name) "
                    + "certificates, so it is refused")
        }
        if fields.kind == .host, !fields.extensions.isEmpty {
            warnings.append(
                InspectWarning("host-extensions", "extensions mean nothing in a host certificate"))
        }
        return warnings
    }

    private var formWarnings: [InspectWarning] {
        var warnings: [InspectWarning] = []
        if fields.nonce.count < 16 {
            warnings.append(
                InspectWarning(
                    "short-nonce", "the nonce has \(fields.nonce.count) bytes, at least 16 are usual"))
        }
        if !fields.reserved.isEmpty {
            warnings.append(
                InspectWarning(
                    "reserved-field", "the reserved field has \(fields.reserved.count) bytes, none are usual")
            )
        }
        return warnings
    }
}
