// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// An account as the name service knows it.
public struct AccountEntry: Sendable, Hashable {
    public var name: String
    public var userID: UInt32
    public var groupID: UInt32
    /// The comment (GECOS).
    public var comment: String
    public var home: String
    public var shell: String

    public init(
        name: String, userID: UInt32, groupID: UInt32, comment: String, home: String, shell: String
    ) {
        self.name = name
        self.userID = userID
        self.groupID = groupID
        self.comment = comment
        self.home = home
        self.shell = shell
    }
}

/// A group as the name service knows it.
public struct GroupEntry: Sendable, Hashable {
    public var groupID: UInt32
    public var members: [String]

    public init(groupID: UInt32, members: [String]) {
        self.groupID = groupID
        self.members = members
    }
}

/// Which accounts and groups there are: a directory's too.
public protocol AccountBook: Sendable {
    /// nil only where the name service says that there is none.
    ///
    /// - Throws: `.file` when it cannot say: a directory that does not answer has not forgotten anybody.
    func account(_ name: LocalName) throws(AgentError) -> AccountEntry?
    func group(_ name: LocalName) throws(AgentError) -> GroupEntry?
}

/// The machine's name service (nsswitch.conf(5)): files, and LDAP or SSSD where they are set up.
public struct SystemAccountBook: AccountBook {
    /// The most room that one entry may take, in bytes: a group of a directory has thousands of members.
    private static let maximumBytes = 16 << 20

    public init() {}

    public func account(_ name: LocalName) throws(AgentError) -> AccountEntry? {
        var entry = unsafe passwd()
        var result: AccountEntry?
        try Self.look("account \(name)") { room in
            var found: UnsafeMutablePointer<passwd>?
            let status = unsafe getpwnam_r(name.text, &entry, &room, room.count, &found)
            if status == 0, let found = unsafe found {
                result = unsafe AccountEntry(
                    name: Self.text(found.pointee.pw_name), userID: found.pointee.pw_uid,
                    groupID: found.pointee.pw_gid, comment: Self.text(found.pointee.pw_gecos),
                    home: Self.text(found.pointee.pw_dir), shell: Self.text(found.pointee.pw_shell))
            }
            return status
        }
        return result
    }

    public func group(_ name: LocalName) throws(AgentError) -> GroupEntry? {
        var entry = unsafe Glibc.group()
        var result: GroupEntry?
        try Self.look("group \(name)") { room in
            var found: UnsafeMutablePointer<Glibc.group>?
            let status = unsafe getgrnam_r(name.text, &entry, &room, room.count, &found)
            if status == 0, let found = unsafe found {
                var members: [String] = []
                var next = unsafe found.pointee.gr_mem
                while let list = unsafe next, let member = unsafe list.pointee {
                    members.append(unsafe String(cString: member))
                    unsafe next = list + 1
                }
                result = GroupEntry(groupID: unsafe found.pointee.gr_gid, members: members)
            }
            return status
        }
        return result
    }

    /// Asks with more and more room.
    private static func look(_ what: String, _ body: (inout [CChar]) -> Int32) throws(AgentError) {
        var size = 16 << 10
        while true {
            var room = [CChar](repeating: 0, count: size)
            let status = body(&room)
            switch status {
            // With 0, every service was asked and has no such entry. ENOENT and the like, which getpwnam_r(3) lists as
            // "not found" too, are what glibc hands on from a directory's client whose daemon does not run
            // (nss/getXXbyYY_r.c).
            case 0: return
            case EINTR: continue
            case ERANGE where size < maximumBytes: size *= 4
            default:
                throw AgentError(
                    .file, "\(what): the name service does not answer: \(describeSystemError(status))")
            }
        }
    }

    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
        guard let pointer = unsafe pointer else { return "" }
        return unsafe String(cString: pointer)
    }
}
