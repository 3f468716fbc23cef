// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// An account of this host, as the name service knows it.
public struct HostAccount: Sendable, Hashable {
    /// What the shadow file says about an account's password.
    public enum Password: String, Sendable {
        /// There is one.
        case set
        /// There is none: whoever asks is let in where sshd permits that.
        case empty
        /// No password will do: "*" or something else that no password becomes.
        case none
        /// The entry starts with "!". Without PAM, sshd lets nobody into such an account (auth.c, `allowed_user`).
        case locked
        /// The shadow file has no line for it, or cannot be read: a directory's account, as a rule.
        case unknown
    }

    public let name: String
    public let userID: UInt32
    public let groupID: UInt32
    public let home: String
    public let shell: String
    public var password: Password

    public init(
        name: String, userID: UInt32, groupID: UInt32, home: String, shell: String,
        password: Password = .unknown
    ) {
        self.name = name
        self.userID = userID
        self.groupID = groupID
        self.home = home
        self.shell = shell
        self.password = password
    }

    /// The most accounts that are looked at: ours. A host that lists a directory of more people than that should not.
    static let maximum = 65_536

    /// Every account that getpwent(3) lists, in its order, each name once, with what the shadow file says.
    ///
    /// - Throws: `.file` over 65,536 accounts: an incomplete list would look like a complete one.
    public static func all(files: any HostFiles = SystemFiles()) throws(AgentError) -> [HostAccount] {
        var accounts: [HostAccount] = []
        var seen: Set<String> = []
        setpwent()
        defer { endpwent() }
        while let entry = unsafe getpwent() {
            guard accounts.count < maximum else {
                throw AgentError(.file, "over \(maximum) accounts, which is more than are looked at")
            }
            let account = unsafe HostAccount(entry.pointee)
            if seen.insert(account.name).inserted { accounts.append(account) }
        }
        let passwords = passwordStates((try? files.read("/etc/shadow"))?.bytes ?? [])
        for index in accounts.indices {
            accounts[index].password = passwords[accounts[index].name] ?? .unknown
        }
        return accounts
    }

    private init(_ entry: passwd) {
        name = unsafe Self.text(entry.pw_name)
        userID = unsafe entry.pw_uid
        groupID = unsafe entry.pw_gid
        home = unsafe Self.text(entry.pw_dir)
        shell = unsafe Self.text(entry.pw_shell)
        password = .unknown
    }

    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
        guard let pointer = unsafe pointer else { return "" }
        return unsafe String(cString: pointer)
    }

    /// The states of shadow(5)'s second field, by account.
    static func passwordStates(_ shadow: [UInt8]) -> [String: Password] {
        var states: [String: Password] = [:]
        for line in shadow.split(separator: UInt8(ascii: "\n")).prefix(maximum) {
            let fields = line.split(
                separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count >= 2 else { continue }
            let state: Password =
                switch fields[1].first {
                case nil: .empty
                case UInt8(ascii: "!"): .locked
                // crypt(3)'s forms: $id$… or 13 letters of the oldest one.
                case UInt8(ascii: "$"), UInt8(ascii: "_"): .set
                default: fields[1].count >= 13 ? .set : .none
                }
            states[String(decoding: fields[0], as: UTF8.self)] = state
        }
        return states
    }
}
