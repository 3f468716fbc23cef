// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension TrustSettings.AuthorityKey {
    /// Reads the keys of a CA file: one plain public key a line, blank lines and comments between them.
    ///
    /// sshd skips a line that it cannot read without a word; here every line counts.
    ///
    /// - Throws: `.invalidRequest` with the line's number for anything else: a certificate, a private key, DSA, RSA under
    ///   2,048 bits, options in front, an empty file.
    public static func parse(_ content: [UInt8], name: String) throws(AgentError) -> [Self] {
        var keys: [Self] = []
        let shown = name.escapedForTerminal
        var number = 0
        for line in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            func refusal(_ reason: String) -> AgentError {
                AgentError(
                    .invalidRequest, "\(shown) line \(number): \(reason)",
                    hint: "a CA file holds public keys only, one a line")
            }
            guard let text = String(validating: line, as: UTF8.self) else { throw refusal("not UTF-8") }
            let trimmed = text.utf8.first { $0 != 0x20 && $0 != 0x09 }
            if trimmed == nil || trimmed == UInt8(ascii: "#") { continue }
            guard keys.count < TrustSettings.maximumAuthorities else {
                throw refusal("over \(TrustSettings.maximumAuthorities) keys")
            }
            do throws(SSHWireError) {
                let line = try PublicKeyLine(text)
                keys.append(Self(try line.content.plainKey("CA key"), comment: line.comment))
            } catch {
                throw refusal(error.reason)
            }
        }
        guard !keys.isEmpty else {
            throw AgentError(.invalidRequest, "\(shown): no CA key in it")
        }
        return keys
    }
}
