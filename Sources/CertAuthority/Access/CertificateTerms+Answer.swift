// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension CertificateTerms {
    /// What a request gets by these terms.
    enum Answer {
        case grant(AccessGrant)
        /// One line each: what does not fit, and how it would.
        case unfit([String])
    }

    func answer(_ request: borrowing AccessRequest, _ facts: borrowing AccessFacts) -> Answer {
        var reasons: [String] = []
        let lifetime = request.lifetime ?? defaultLifetime
        if lifetime == 0 {
            reasons.append("a lifetime of 0 seconds: ask for more, or for none in particular")
        }
        if lifetime > maximumLifetime {
            reasons.append(
                "a lifetime of \(spell(lifetime)): at most \(spell(maximumLifetime)), ask for that")
        } else if facts.now.adding(lifetime) == nil {
            reasons.append(
                "a lifetime of \(spell(lifetime)) from \(facts.now): it ends after the end of time")
        }
        if let asked = request.permissions, !asked.isSubset(of: permissions) {
            let names = asked.subtracting(permissions).map(\.rawValue).sorted().joined(separator: ", ")
            let given = permissions.map(\.rawValue).sorted().joined(separator: ", ")
            reasons.append("permission \(names): only \(given.isEmpty ? "none" : given) can be had")
        }
        if let forceCommand, let asked = request.forceCommand, !asked.utf8.elementsEqual(forceCommand.utf8) {
            reasons.append(
                "the command \"\(asked.escapedForTerminal)\": only \"\(forceCommand.escapedForTerminal)\" can be had, "
                    + "ask for none")
        }
        if verifyRequired, !request.key.keyType.isHardwareBacked {
            reasons.append(
                "a key of type \(request.key.keyType.rawValue): one in a FIDO authenticator is needed "
                    + "(ssh-keygen -t ed25519-sk -O verify-required)")
        }
        var addresses = blocks
        if case .client = sourceAddress {
            if let address = facts.sourceAddress, let block = try? AddressBlock("\(address)") {
                addresses = [block]
            } else {
                reasons.append(
                    "the address that the request comes from isn't known, and the certificate is tied to it")
            }
        }
        let names = names(facts, &reasons)
        guard reasons.isEmpty else { return .unfit(reasons) }
        do {
            let options =
                if let usualOptions, request.permissions == nil, request.forceCommand == nil {
                    usualOptions
                } else {
                    try options(
                        permissions: request.permissions ?? permissions, forceCommand: request.forceCommand,
                        addresses: addresses)
                }
            return .grant(
                AccessGrant(
                    principals: try PrincipalSet(users: names), lifetime: lifetime, options: options,
                    mayUseSudo: mayUseSudo))
        } catch {
            return .unfit([error.reason])
        }
    }

    /// The principals, each once; a reason is added for each that cannot be made.
    private func names(_ facts: borrowing AccessFacts, _ reasons: inout [String]) -> [String] {
        var names: [String] = []
        for template in principals {
            switch template.expand(facts) {
            case .needsLogin:
                reasons.append("principal \(template.text.escapedForTerminal): nobody has logged in")
            case .unfit(let reason):
                reasons.append("principal \(template.text.escapedForTerminal): \(reason)")
            case .text(let bytes):
                let name = String(decoding: bytes, as: UTF8.self)
                if !names.contains(where: { $0.utf8.elementsEqual(bytes) }) { names.append(name) }
            }
        }
        return names
    }
}
