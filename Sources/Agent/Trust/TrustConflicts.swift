// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// An administrator's own settings beside ours: which may stay, which are taken over, which stand in the way.
struct TrustConflicts {
    let configuration: SshdConfiguration
    let own: OwnLines
    let settings: TrustSettings
    let layout: HostLayout

    /// The line whose CA keys are taken over; nil when there is none.
    private(set) var adoptedAuthorities: SshdConfiguration.Directive?
    /// The line whose revocations are taken over; nil when there is none.
    private(set) var adoptedRevocations: SshdConfiguration.Directive?
    private(set) var notes: [String] = []

    /// - Throws: `.conflict` with the setting, its file and line.
    init(
        _ configuration: SshdConfiguration, _ own: OwnLines, _ settings: TrustSettings, _ layout: HostLayout,
        _ lines: [(keyword: String, value: String)]
    ) throws(AgentError) {
        self.configuration = configuration
        self.own = own
        self.settings = settings
        self.layout = layout
        for line in lines where line.keyword != "HostKey" && line.keyword != "HostCertificate" {
            try checkBlocks(line)
        }
        adoptedAuthorities = try checkAdoptable(
            "TrustedUserCAKeys", layout.userCAKeys, settings.adoptsAuthorities,
            why: "its CAs would no longer be trusted", option: "--adopt-ca-keys takes its keys over")
        adoptedRevocations = try checkAdoptable(
            "RevokedKeys", layout.revokedKeys, settings.adoptsRevocations,
            why: "what it revokes would be good again", option: "--adopt-revocations takes its list over")
        try checkPrincipals()
        if let line = first("PubkeyAuthentication"), line.value.lowercased() == "no" {
            throw AgentError(
                .conflict, "PubkeyAuthentication no at \(line.place): no certificate could log in",
                hint: "take that line away first")
        }
        noteOverridden(lines)
    }

    /// The line of somebody else that gives a keyword its value outside of blocks.
    private func first(_ keyword: String) -> SshdConfiguration.Directive? {
        configuration.all(keyword).first { $0.conditions.isEmpty && !own.contain($0) }
    }

    /// A value in a block wins over ours for those whom the block is about, wherever both stand.
    private func checkBlocks(_ line: (keyword: String, value: String)) throws(AgentError) {
        for other in configuration.all(line.keyword) where !other.conditions.isEmpty && !own.contain(other) {
            guard !Self.isSame(line.keyword, other.value, line.value) else { continue }
            let block = other.conditions.map(\.text).joined(separator: ", ")
            throw AgentError(
                .conflict,
                "\(line.keyword) \(other.value.escapedForTerminal) at \(other.place) in the block \""
                    + "\(block.escapedForTerminal)\": it would win over \(line.value) for whom the block is about",
                hint: "take that line out of its block")
        }
    }

    private func checkAdoptable(
        _ keyword: String, _ ours: String, _ adopts: Bool, why: String, option: String
    ) throws(AgentError) -> SshdConfiguration.Directive? {
        guard let line = first(keyword), line.value != ours, line.value.lowercased() != "none" else {
            return nil
        }
        guard adopts else {
            throw AgentError(
                .conflict,
                "\(keyword) \(line.value.escapedForTerminal) at \(line.place): sshd takes one value, and "
                    + why, hint: option)
        }
        return line
    }

    private func checkPrincipals() throws(AgentError) {
        for keyword in ["AuthorizedPrincipalsFile", "AuthorizedPrincipalsCommand"] {
            let lines = configuration.all(keyword).filter { !own.contain($0) }
            guard
                let line = lines.first(where: {
                    $0.value.lowercased() != "none" && $0.value != layout.principals + "/%u"
                })
            else { continue }
            throw AgentError(
                .conflict,
                "\(keyword) \(line.value.escapedForTerminal) at \(line.place): it decides who may enter which account, "
                    + "and two such rules would let in whom either of them lets in",
                hint: "write its principals by daypass-agent principals set, and take that line away")
        }
    }

    /// Says which weaker or stronger settings ours replace.
    private mutating func noteOverridden(_ lines: [(keyword: String, value: String)]) {
        for line in lines {
            guard !["TrustedUserCAKeys", "RevokedKeys"].contains(line.keyword),
                !line.keyword.hasPrefix("AuthorizedPrincipals"),
                line.keyword != "HostKey", line.keyword != "HostCertificate", let other = first(line.keyword),
                !Self.isSame(line.keyword, other.value, line.value)
            else { continue }
            notes.append(
                "\(line.keyword) \(other.value.escapedForTerminal) at \(other.place) is replaced by \(line.value)"
            )
        }
    }

    /// True when two values mean the same to sshd.
    static func isSame(_ keyword: String, _ one: String, _ other: String) -> Bool {
        if one == other { return true }
        guard !SshdSettings.isExact(keyword) else { return false }
        func spelled(_ value: String) -> String {
            let value = value.lowercased()
            return value == "all" || value == "true" ? "yes" : value == "false" ? "no" : value
        }
        return spelled(one) == spelled(other)
    }
}
