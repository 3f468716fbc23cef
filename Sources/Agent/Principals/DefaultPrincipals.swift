// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
public import SSHWire

/// A host's name and labels, by which certificates are made for one host or a group of them.
public struct HostNames: Sendable, Hashable {
    /// What people write behind `account@`: by default the host's name.
    public let id: String
    /// `team=infra` and the like, in their order, each once.
    public let labels: [String]

    /// sshd compares each principal of a certificate with each line.
    static let maximumLabels = 64

    /// - Throws: `.invalidRequest` for an id of other characters than lower-case letters, digits and `.-_`, and for
    ///   labels that are not `key=value` of such a key and a value that may have capitals, `/`, `+` and `:` too.
    public init(id: String, labels: [String] = []) throws(AgentError) {
        guard Self.isWord(id), id.utf8.count <= 253 else {
            throw AgentError(
                .invalidRequest,
                "host id \"\(id.escapedForTerminal)\": lower-case letters, digits and .-_ expected",
                hint: "--host-id names this host as policies do")
        }
        var unique: [String] = []
        for label in labels {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, Self.isWord(String(parts[0])), Self.isValue(parts[1]),
                label.utf8.count <= 255
            else {
                throw AgentError(
                    .invalidRequest, "label \"\(label.escapedForTerminal)\": key=value expected",
                    hint: "a key of lower-case letters, digits and .-_, a value of letters, digits and .-_/+:"
                )
            }
            if !unique.contains(label) { unique.append(label) }
        }
        guard unique.count <= Self.maximumLabels else {
            throw AgentError(
                .invalidRequest, "\(unique.count) labels, at most \(Self.maximumLabels) are allowed")
        }
        self.id = id
        self.labels = unique
    }

    /// The host's own name (gethostname(2)), in lower case.
    public static func systemID() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, 255) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .lowercased()
    }

    /// The principals that enter an account unless somebody says otherwise: its name, the name at this host, and the
    /// name at each of the host's labels.
    ///
    /// - Throws: `.invalidRequest` for an account with `@` in its name: the principal that is its name could be meant
    ///   for another account on another host.
    public func defaultPrincipals(of account: AccountName) throws(AgentError) -> [ExactText] {
        guard !account.text.utf8.contains(UInt8(ascii: "@")) else {
            throw AgentError(
                .invalidRequest, "account \(account): with @ in its name it has no default principals",
                hint: "name its principals: daypass-agent principals set \(account) PRINCIPAL…")
        }
        return ([account.text] + ([id] + labels).map { "\(account.text)@\($0)" }).map { ExactText($0) }
    }

    private static func isWord(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || ".-_".utf8.contains($0)
            }
    }

    private static func isValue(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                (0x61...0x7a).contains($0 | 0x20) && $0 >= 0x41 || (0x30...0x39).contains($0)
                    || ".-_/+:".utf8.contains($0)
            }
    }
}
