// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An account of this machine, by its numbers.
public struct SystemAccount: Sendable, Hashable {
    public let userID: UInt32
    /// Its own group.
    public let groupID: UInt32

    public init(userID: UInt32, groupID: UInt32) {
        self.userID = userID
        self.groupID = groupID
    }

    /// The account of that name, or of that number, which need not have a name.
    ///
    /// - Throws: `.notFound` for a name that no account has.
    public init(_ text: String) throws(CertAuthorityError) {
        let number = text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt32(text) : nil
        if let entry = unsafe number.map({ unsafe getpwuid($0) }) ?? getpwnam(text) {
            self = unsafe SystemAccount(userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid)
        } else if let number, number != .max {
            self.init(userID: number, groupID: number)
        } else {
            throw CertAuthorityError(
                .notFound, "there is no account \"\(text.escapedForTerminal)\"",
                hint: "packaging/sysusers makes the accounts: systemd-sysusers")
        }
    }

    /// The account and the group that own a folder.
    ///
    /// - Throws: `.unsafeFile` when it is none, or a link to one.
    public init(owning folder: String) throws(CertAuthorityError) {
        var status = stat()
        guard unsafe lstat(folder, &status) == 0 else { throw .system("cannot look at", folder, errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw CertAuthorityError(.unsafeFile, "\(folder.escapedForTerminal): not a folder")
        }
        self.init(userID: status.st_uid, groupID: status.st_gid)
    }

    /// Runs `body` with this account's rights to files and no other group than its own: root opens nothing in a
    /// folder of somebody who could have laid links there, and what is made belongs to the account.
    ///
    /// - Parameter group: another group than the account's own, which new files then have.
    /// - Throws: `.file` when the rights can't be taken on, as when this process is not root's.
    public func run<Value>(group: UInt32? = nil, _ body: () throws -> Value) throws -> Value {
        let count = getgroups(0, nil)
        var groups = [gid_t](repeating: 0, count: Int(max(0, count)))
        guard count >= 0, unsafe getgroups(count, &groups) == count else {
            throw CertAuthorityError(
                .file, "cannot read this process's groups: \(describeSystemError(errno))")
        }
        let ownGroup = getegid()
        var wanted = group ?? groupID
        guard unsafe setgroups(1, &wanted) == 0, setegid(wanted) == 0, seteuid(userID) == 0 else {
            let reason = describeSystemError(errno)
            Self.giveBack(ownGroup, groups)
            throw CertAuthorityError(.file, "cannot take on the rights of user \(userID): \(reason)")
        }
        defer { Self.giveBack(ownGroup, groups) }
        return try body()
    }

    private static func giveBack(_ group: gid_t, _ groups: [gid_t]) {
        // Going on with somebody else's rights would do wrong things; without root's there was nothing to give back.
        guard getuid() == 0 else { return }
        #if canImport(Darwin)
            let count = Int32(groups.count)
        #else
            let count = groups.count
        #endif
        guard seteuid(0) == 0, setegid(group) == 0, unsafe setgroups(count, groups) == 0 else {
            fatalError("root's rights did not come back")
        }
    }
}
