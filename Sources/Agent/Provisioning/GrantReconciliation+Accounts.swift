// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// Accounts that are made for grants, and groups.
extension GrantReconciliation {
    /// Puts accounts into the groups of their grants, and takes them out of those that nothing needs any more.
    mutating func planGroups() throws(AgentError) {
        var added: Set<[LocalName]> = []
        for record in records where record.isInForce(at: now) {
            let account = record.grant.account
            for group in record.grant.groups {
                guard try !isMember(account, of: group), added.insert([account, group]).inserted else {
                    continue
                }
                giving.append(
                    .run(
                        HostCommand(host.places.gpasswd, ["--add", account.text, group.text]),
                        "grant \(record.grant.id)"))
            }
        }
        var removed: Set<[LocalName]> = []
        for record in records where record.isBeingRemoved {
            let account = record.grant.account
            for group in record.ownedGroups {
                let isNeeded = records.contains {
                    $0.phase == .granted && $0.grant.account == account && $0.grant.groups.contains(group)
                }
                guard !isNeeded, try isMember(account, of: group), removed.insert([account, group]).inserted
                else {
                    continue
                }
                taking.append(
                    .run(
                        HostCommand(host.places.gpasswd, ["--delete", account.text, group.text]),
                        "grant \(record.grant.id) has ended, which added it"))
            }
        }
    }

    private func isMember(_ account: LocalName, of name: LocalName) throws(AgentError) -> Bool {
        guard let group = try host.accounts.group(name) else { return false }
        if group.members.contains(account.text) { return true }
        return try host.accounts.account(account)?.groupID == group.groupID
    }

    /// Makes accounts that a grant in force needs, locks those that none needs, and deletes them as the settings say.
    mutating func planAccounts() throws(AgentError) {
        let needed = Set(
            records.filter { $0.isInForce(at: now) && $0.grant.createsAccount }.map(\.grant.account))
        var creation: [OperationPlan.Step] = []
        for name in needed.sorted() where made[name] == nil {
            guard try host.accounts.account(name) == nil else { continue }
            try protected.check(name, nil)
            let account = MadeAccount(name: name, mark: String(randomIdentifier().prefix(16)))
            creation.append(record(account, "an account is about to be made"))
            creation.append(try make(account))
        }
        for account in made.values.sorted(by: { $0.name < $1.name }) {
            creation += try plan(account, isNeeded: needed.contains(account.name))
        }
        giving = creation + giving
    }

    /// What is to be done about an account that we made; steps that end it go to ``closing``.
    private mutating func plan(_ account: MadeAccount, isNeeded: Bool) throws(AgentError) -> [OperationPlan
        .Step]
    {
        guard let entry = try host.accounts.account(account.name) else {
            if isNeeded { return [try make(account)] }
            closing.append(forget(account, "the account is gone"))
            return []
        }
        guard account.isSame(as: entry) else {
            notes.append("account \(account.name) is not the one that was made for grants, and is left alone")
            closing.append(forget(account, "another account has its name"))
            return []
        }
        if isNeeded, account.locked != nil {
            var open = account
            open.locked = nil
            return [
                .run(
                    HostCommand(host.places.usermod, ["--expiredate", "", account.name.text]),
                    "a grant needs it again"),
                record(open, "the account is open again", replacing: account),
            ]
        }
        let isKept = records.contains {
            $0.grant.account == account.name && $0.phase == .granted && !$0.grant.isOver(at: now)
        }
        guard !isKept else { return [] }
        if let locked = account.locked {
            try planDeletion(account, entry, locked)
        } else {
            for session in live where session.event.account == account.name.text {
                let isEnding = ending.contains {
                    if case .endSession(let other, _) = $0 { other.id == session.id } else { false }
                }
                if !isEnding {
                    ending.append(.endSession(session, "no grant needs account \(account.name) any more"))
                }
            }
            var shut = account
            shut.locked = now
            closing.append(
                .run(
                    HostCommand(host.places.usermod, ["--expiredate", "1", account.name.text]),
                    "no grant needs it any more: nobody can log in to it"))
            closing.append(record(shut, "the account is locked", replacing: account))
        }
        return []
    }

    private mutating func planDeletion(
        _ account: MadeAccount, _ entry: AccountEntry, _ locked: UnixTime
    ) throws(AgentError) {
        guard settings.removal != .lock, let due = locked.adding(settings.keptDays * 86_400), due <= now
        else { return }
        if settings.removal == .archive, try host.files.folder(entry.home) != nil {
            let archives = host.layout.archives
            if try host.files.folder(archives) == nil {
                closing.append(
                    .change(
                        .folder(path: archives, before: nil, after: host.owner.attributes(mode: 0o700)),
                        "homes of deleted accounts"))
            }
            closing.append(
                .run(
                    HostCommand(
                        host.places.tar,
                        [
                            "--create", "--gzip", "--one-file-system", "--file",
                            "\(archives)/\(account.name)-\(locked.seconds).tar.gz", "--directory", entry.home,
                            ".",
                        ]), "its home, before it is deleted"))
        }
        closing.append(
            .run(
                HostCommand(host.places.userdel, ["--remove", account.name.text]),
                "locked since \(locked), kept for \(settings.keptDays) days"))
        closing.append(forget(account, "the account is deleted"))
    }

    private func make(_ account: MadeAccount) throws(AgentError) -> OperationPlan.Step {
        var arguments = [
            "--create-home", "--shell", settings.shell, "--comment", account.comment,
            // No password fits. Without this, sshd without PAM takes the account for locked (auth.c, `allowed_user`).
            "--password", "*",
        ]
        // useradd fails where its group exists already: what another program left, or an administrator made.
        if try host.accounts.group(account.name) != nil { arguments.append("--no-user-group") }
        return .run(
            HostCommand(host.places.useradd, arguments + [account.name.text]),
            "no name service knows the account, and a grant needs it")
    }

    private func record(
        _ account: MadeAccount, _ purpose: String, replacing before: MadeAccount? = nil
    ) -> OperationPlan.Step {
        let attributes = host.owner.attributes(mode: 0o600)
        return .change(
            .file(
                path: MadeAccount.path(account.name, host.layout),
                before: before.map { FileContent($0.bytes, attributes) },
                after: FileContent(account.bytes, attributes)),
            purpose)
    }

    private func forget(_ account: MadeAccount, _ purpose: String) -> OperationPlan.Step {
        .change(
            .file(
                path: MadeAccount.path(account.name, host.layout),
                before: FileContent(account.bytes, host.owner.attributes(mode: 0o600)), after: nil), purpose)
    }
}
