// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Whether this host can give a grant: looked at before anything is decided.
struct GrantCheck {
    let host: ProvisioningHost
    let now: UnixTime

    /// - Throws: `.conflict`, `.notFound`, `.invalidRequest`, saying what is in the way.
    func check(_ grant: Grant) throws(AgentError) {
        try checkTime(grant)
        let entry = try host.accounts.account(grant.account)
        try host.protectedAccounts().check(grant.account, entry)
        guard entry != nil || grant.createsAccount else {
            throw AgentError(.notFound, "account \(grant.account): this host has no such account")
        }
        if let runAs = grant.sudo?.runAs, try host.accounts.account(runAs) == nil {
            throw AgentError(.notFound, "sudo.runAs: account \(runAs): this host has no such account")
        }
        for name in grant.groups { try checkGroup(name) }
        if grant.sudo != nil { try checkSudo() }
        if grant.opensAccount { try checkSshd(grant) }
    }

    private func checkTime(_ grant: Grant) throws(AgentError) {
        guard let until = grant.until else { return }
        guard until > now else {
            throw AgentError(.invalidRequest, "until: \(until) is over; it is \(now)")
        }
        guard let longest = now.adding(Grant.maximumSeconds), until <= longest else {
            throw AgentError(
                .invalidRequest, "until: \(until), over \(Grant.maximumSeconds / 86_400) days from now")
        }
    }

    private func checkGroup(_ name: LocalName) throws(AgentError) {
        guard let group = try host.accounts.group(name) else {
            throw AgentError(.notFound, "groups: \(name): this host has no such group")
        }
        guard group.groupID != 0 else {
            throw AgentError(.conflict, "groups: \(name): root's own group is not given")
        }
    }

    /// sudo must be there, and read the folder that our files are in: nothing of its main file is changed.
    private func checkSudo() throws(AgentError) {
        guard try host.files.kind(host.places.visudo) == .file,
            try host.files.folder(host.places.sudoersFolder) != nil
        else {
            throw AgentError(
                .conflict, "sudo: \(host.places.visudo) or \(host.places.sudoersFolder) is not there",
                hint: "install sudo")
        }
        let lines = try host.files.read(host.places.sudoers)?.bytes.split(separator: UInt8(ascii: "\n")) ?? []
        let isRead = lines.contains { line in
            let words = line.split { $0 == 0x20 || $0 == 0x09 }
            guard words.count == 2 else { return false }
            return (words[0].elementsEqual("@includedir".utf8) || words[0].elementsEqual("#includedir".utf8))
                && words[1].elementsEqual(host.places.sudoersFolder.utf8)
        }
        guard isRead else {
            throw AgentError(
                .conflict, "sudo: \(host.places.sudoers) does not include \(host.places.sudoersFolder)",
                hint: "visudo, and add: @includedir \(host.places.sudoersFolder)")
        }
    }

    /// sshd must say that it reads our file for this account.
    private func checkSshd(_ grant: Grant) throws(AgentError) {
        let settings = try host.sshd.settings(for: Sshd.Connection(user: grant.account.text))
        let files = (settings["authorizedkeysfile"] ?? "").split(separator: " ").map(String.init)
        guard files.contains(host.layout.grantKeys + "/%u") else {
            throw AgentError(
                .conflict, "sshd does not read \(host.layout.grantKeys)/%u for account \(grant.account)",
                hint: "daypass-agent trust install --grants")
        }
        guard settings.says("pubkeyauthentication", "yes") else {
            throw AgentError(
                .conflict, "sshd takes no keys for account \(grant.account) (PubkeyAuthentication)")
        }
        if !grant.principals.isEmpty, try host.files.kind(host.layout.userCAKeys) == nil {
            throw AgentError(
                .conflict, "principals: this host trusts no CA", hint: "daypass-agent trust install")
        }
    }
}
