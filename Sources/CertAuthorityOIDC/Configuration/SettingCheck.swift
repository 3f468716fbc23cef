// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

/// Checks settings of a provider, and says which one is wrong.
struct SettingCheck {
    let provider: String

    func refusal(_ reason: String, hint: String? = nil) -> CertAuthorityError {
        CertAuthorityError(.configuration, "identity provider \(provider): \(reason)", hint: hint)
    }

    func issuer(_ text: String) throws(CertAuthorityError) -> ProviderURL {
        let url: ProviderURL
        do {
            url = try ProviderURL(text, field: "issuer")
        } catch {
            throw refusal(error.reason)
        }
        guard !url.hasQuery else { throw refusal("issuer: it must not have a query") }
        return url
    }

    /// Printable ASCII without spaces, quotes and backslashes: what scopes, ids and claims' names are made of (RFC 6749,
    /// appendix A).
    func word(_ text: String, setting: String) throws(CertAuthorityError) -> String {
        let isWord = text.utf8.allSatisfy { (0x21..<0x7f).contains($0) && $0 != 0x22 && $0 != 0x5c }
        guard isWord, (1...256).contains(text.utf8.count) else {
            throw refusal(
                "\(setting) \"\(String(text.prefix(64)).escapedForTerminal)\": 1 to 256 printable ASCII characters without spaces, \" and \\ expected"
            )
        }
        return text
    }

    /// What may stand in an identity between slashes.
    func plainWord(_ text: String, setting: String) throws(CertAuthorityError) -> String {
        guard isPlainWord(text) else {
            throw refusal(
                "\(setting) \"\(String(text.prefix(64)).escapedForTerminal)\": 1 to 32 of a to z, 0 to 9, - and _ expected, first a letter"
            )
        }
        return text
    }

    func algorithms(_ algorithms: Set<TokenAlgorithm>) throws(CertAuthorityError) -> Set<TokenAlgorithm> {
        guard !algorithms.isEmpty else { throw refusal("algorithms: one at least is expected") }
        return algorithms
    }

    func clockSkew(_ seconds: UInt64) throws(CertAuthorityError) -> UInt64 {
        let maximum = IdentityProviderConfiguration.maximumClockSkew
        guard seconds <= maximum else {
            throw refusal("clock skew: \(seconds) seconds, at most \(maximum) are allowed")
        }
        return seconds
    }
}

/// Checks what a provider is called here.
///
/// - Throws: `.configuration`.
func checkProviderName(_ name: String) throws(CertAuthorityError) -> String {
    guard isPlainWord(name), !Person.reservedProviders.contains(name) else {
        throw CertAuthorityError(
            .configuration,
            "identity provider \"\(String(name.prefix(64)).escapedForTerminal)\": a name of 1 to 32 of a to z, 0 to 9, - and _ expected, first a letter, and not \(Person.reservedProviders.sorted().joined(separator: " or "))"
        )
    }
    return name
}

private func isPlainWord(_ text: String) -> Bool {
    guard let first = text.utf8.first, (0x61...0x7a).contains(first), text.utf8.count <= 32 else {
        return false
    }
    return text.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }
}
