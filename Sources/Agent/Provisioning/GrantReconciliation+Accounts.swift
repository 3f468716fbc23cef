// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// Accounts that are made for grants, and groups.
extension GrantReconciliation {
    /// Puts accounts into the groups of their grants, and takes them out of those that nothing needs any more.
    mutating func planGroups() {
        var planned: Set<[LocalName]> = []
        for record in records where record.isInForce(at: now) || record.isBeingRemoved {
            let account = record.grant.account
            for group in record.isBeingRemoved ? record.ownedGroups : record.grant.groups {
                guard !planned.contains([account, group]) else { continue }
                do throws(AgentError) {
                    let isWanted = inForce(account).contains { $0.grant.groups.contains(group) }
                    guard try isMember(account, of: group) != isWanted else { continue }
                    planned.insert([account, group])
                    let option = isWanted ? "--add" : "--delete"
                    add(
                        .init(
                            .run(HostCommand(host.places.gpasswd, [option, account.text, group.text])),
                            for: account,
                            isWanted
                                ? "grant \(record.grant.id)"
                                : "grant \(record.grant.id) added it, and has ended",
                            at: isWanted ? .giving : .taking))
                } catch { fail(error, for: account) }
            }
        }
    }

    private func isMember(_ account: LocalName, of name: LocalName) throws(AgentError) -> Bool {
        guard let group = try host.accounts.group(name) else { return false }
        if group.members.contains(account.text) { return true }
        return try host.accounts.account(account)?.groupID == group.groupID
    }

    /// Makes accounts that a grant in force needs, locks those that none needs, and deletes them as the settings say.
    mutating func planAccounts() {
        let needed = Set(
            records.filter { $0.isInForce(at: now) && $0.grant.createsAccount }.map(\.grant.account))
        for name in needed.union(made.keys).sorted() {
            do throws(AgentError) {
                let entry = try host.accounts.account(name)
                if let account = made[name] {
                    try plan(account, entry, isNeeded: needed.contains(name) || !inForce(name).isEmpty)
                } else if entry == nil {
                    try protected.check(name, nil)
                    let account = MadeAccount(name: name, mark: String(randomIdentifier().prefix(16)))
                    add(record(account, replacing: nil, "an account is about to be made", at: .deciding))
                    try make(account)
                }
            } catch { fail(error, for: name) }
        }
    }

    /// What is to be done about an account that we made.
    private mutating func plan(
        _ account: MadeAccount, _ entry: AccountEntry?, isNeeded: Bool
    ) throws(AgentError) {
        guard let entry else {
            if isNeeded { try make(account) } else { add(forget(account, "the account is gone")) }
            return
        }
        guard account.isSame(as: entry) else {
            note("account \(account.name) is not the one that was made for grants, and is left alone")
            return add(forget(account, "another account has its name"))
        }
        let name = account.name
        if isNeeded, account.locked != nil {
            run(
                host.places.usermod, ["--expiredate", "", name.text], name, "a grant needs it again", .giving)
            add(
                record(
                    MadeAccount(name: name, mark: account.mark), replacing: account, "it is open again",
                    at: .giving))
        }
        guard !records.contains(where: { $0.grant.account == name && $0.phase == .granted }) else { return }
        if let locked = account.locked { return try planDeletion(account, entry, locked) }
        for session in live where session.event.account == name.text {
            end(session, of: name, "no grant needs account \(name) any more")
        }
        run(
            host.places.usermod, ["--expiredate", "1", name.text], name,
            "no grant needs it any more: nobody can log in to it", .closing)
        let locked = MadeAccount(name: name, mark: account.mark, locked: now)
        add(record(locked, replacing: account, "it is locked", at: .closing))
    }

    private mutating func planDeletion(
        _ account: MadeAccount, _ entry: AccountEntry, _ locked: UnixTime
    ) throws(AgentError) {
        guard settings.removal != .lock, let due = locked.adding(settings.keptDays * 86_400), due <= now
        else { return }
        if settings.removal == .archive, try host.files.folder(entry.home) != nil {
            let archives = host.layout.archives
            if try host.files.folder(archives) == nil {
                add(
                    .init(
                        .change(
                            .folder(path: archives, before: nil, after: host.owner.attributes(mode: 0o700))),
                        for: account.name, "homes of deleted accounts", at: .closing))
            }
            // The same name at each attempt: one that was cut off is written over.
            let file = "\(archives)/\(account.name)-\(locked.seconds).tar.gz"
            run(
                host.places.tar,
                ["--create", "--gzip", "--one-file-system", "--file", file, "--directory", entry.home, "."],
                account.name, "its home, before it is deleted", .closing)
        }
        run(
            host.places.userdel, ["--remove", account.name.text], account.name,
            "locked since \(locked), kept for \(settings.keptDays) days", .closing)
        add(forget(account, "the account is deleted"))
    }

    private mutating func make(_ account: MadeAccount) throws(AgentError) {
        var arguments = [
            "--create-home", "--shell", settings.shell, "--comment", account.comment,
            // No password fits. Without this, sshd without PAM takes the account for locked (auth.c, `allowed_user`).
            "--password", "*",
        ]
        // useradd fails where its group exists already: what another program left, or an administrator made.
        if try host.accounts.group(account.name) != nil { arguments.append("--no-user-group") }
        // Before the steps that name the account.
        run(
            host.places.useradd, arguments + [account.name.text], account.name,
            "no name service knows the account, and a grant needs it", .creating)
    }

    private mutating func run(
        _ program: String, _ arguments: [String], _ account: LocalName, _ purpose: String,
        _ stage: OperationPlan.Stage
    ) {
        add(.init(.run(HostCommand(program, arguments)), for: account, purpose, at: stage))
    }

    private func record(
        _ account: MadeAccount, replacing before: MadeAccount?, _ purpose: String,
        at stage: OperationPlan.Stage
    ) -> OperationPlan.Step {
        let attributes = host.owner.attributes(mode: 0o600)
        let change = HostChange.file(
            path: MadeAccount.path(account.name, host.layout),
            before: before.map { FileContent($0.bytes, attributes) },
            after: FileContent(account.bytes, attributes))
        return .init(.change(change), for: account.name, purpose, at: stage)
    }

    private func forget(_ account: MadeAccount, _ purpose: String) -> OperationPlan.Step {
        let before = FileContent(account.bytes, host.owner.attributes(mode: 0o600))
        let change = HostChange.file(
            path: MadeAccount.path(account.name, host.layout), before: before, after: nil)
        return .init(.change(change), for: account.name, purpose, at: .closing)
    }
}
