// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The groups that this process has, beside those that its account has.
enum OwnGroups {
    /// The most that /etc/passwd and /etc/group are read: accounts of a directory are not in them, and not ours.
    private static let maximumBytes = 4 << 20

    /// Gives up every group that is not the account's own.
    ///
    /// - Returns: false when there is one and this process may not give it up.
    static func dropOthers() -> Bool {
        let count = getgroups(0, nil)
        guard count > 0 else { return count == 0 }
        var groups = [gid_t](repeating: 0, count: Int(count))
        let own = getgid()
        guard unsafe getgroups(count, &groups) == count, own == getegid() else { return false }
        guard groups.contains(where: { $0 != own }) else { return true }
        let known = listed()
        if groups.allSatisfy({ $0 == own || known.contains($0) }) { return true }
        return unsafe setgroups(1, [own]) == 0
    }

    /// The groups of /etc/group that name this process's account. Not getgrouplist(3): in a static program it would
    /// load the system's libraries.
    private static func listed() -> Set<gid_t> {
        let user = String(getuid())
        var name: ArraySlice<UInt8> = []
        for fields in records("/etc/passwd") where fields.count > 2 && fields[2].elementsEqual(user.utf8) {
            name = fields[0]
            break
        }
        guard !name.isEmpty else { return [] }
        var groups: Set<gid_t> = []
        for fields in records("/etc/group") where fields.count > 3 {
            guard fields[3].split(separator: UInt8(ascii: ",")).contains(name),
                let number = gid_t(String(decoding: fields[2], as: UTF8.self))
            else { continue }
            groups.insert(number)
        }
        return groups
    }

    private static func records(_ path: String) -> [[ArraySlice<UInt8>]] {
        readStart(path, upTo: maximumBytes).split(separator: UInt8(ascii: "\n")).map {
            $0.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        }
    }
}
