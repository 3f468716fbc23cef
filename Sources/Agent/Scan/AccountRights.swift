// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// Runs something with an account's rights to files, as sshd does before it reads authorized_keys (uidswap.c,
/// `temporarily_use_uid`).
///
/// That is what makes it safe to follow what an account put into its own home: root reads nothing there that the
/// account could not read itself, whatever links it laid and however quickly it swaps them. Walking there as root
/// with O_NOFOLLOW would be as safe and less true: sshd follows links, so the keys behind one open the account.
enum AccountRights {
    /// The most groups that an account is given: Linux's NGROUPS_MAX.
    private static let maximumGroups: Int32 = 65_536

    /// - Throws: `.file` when the rights cannot be taken on, and whatever `body` throws. Does nothing but run `body`
    ///   when this process is not root's: it has one account's rights only.
    static func run<Result>(
        of account: HostAccount, _ body: () throws(AgentError) -> Result
    ) throws(AgentError) -> Result {
        guard geteuid() == 0, account.userID != 0 else { return try body() }
        let groups = try groups(of: account)
        let own = try ownGroups()
        let ownGroup = getegid()
        guard unsafe setgroups(groups.count, groups) == 0, setegid(account.groupID) == 0,
            seteuid(account.userID) == 0
        else {
            let error = AgentError.system("cannot take on the rights of", account.name)
            giveBack(ownGroup, own)
            throw error
        }
        defer { giveBack(ownGroup, own) }
        return try body()
    }

    private static func giveBack(_ group: gid_t, _ groups: [gid_t]) {
        // Going on with somebody else's rights would report wrong things as true.
        guard seteuid(0) == 0, setegid(group) == 0, unsafe setgroups(groups.count, groups) == 0 else {
            fatalError("root's rights did not come back")
        }
    }

    private static func groups(of account: HostAccount) throws(AgentError) -> [gid_t] {
        var count: Int32 = 64
        while true {
            var groups = [gid_t](repeating: 0, count: Int(count))
            if unsafe getgrouplist(account.name, account.groupID, &groups, &count) >= 0 {
                return Array(groups.prefix(Int(max(0, count))))
            }
            guard count > groups.count, count <= maximumGroups else {
                throw AgentError(.file, "cannot list the groups of \(account.name.escapedForTerminal)")
            }
        }
    }

    private static func ownGroups() throws(AgentError) -> [gid_t] {
        var groups = [gid_t](repeating: 0, count: Int(maximumGroups))
        let count = unsafe getgroups(maximumGroups, &groups)
        guard count >= 0 else { throw .system("cannot list the groups of", "this process") }
        return Array(groups.prefix(Int(count)))
    }
}
