// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// Which accounts a host has, and which of them people may log in to.
public struct LoginAccounts: Sendable {
    private let files: any HostFiles
    private let passwd: String
    private let shells: String
    private let asksSystem: Bool

    /// The most lines of /etc/passwd that are looked at.
    private static let maximumAccounts = 1 << 16

    /// - Parameter asksSystem: also takes accounts that are in no file, such as a directory's (getpwnam(3)).
    public init(
        _ files: any HostFiles, passwd: String = "/etc/passwd", shells: String = "/etc/shells",
        asksSystem: Bool = true
    ) {
        self.files = files
        self.passwd = passwd
        self.shells = shells
        self.asksSystem = asksSystem
    }

    /// The accounts of /etc/passwd whose shell is one of /etc/shells and lets people in, sorted; root is one of them
    /// as any other.
    ///
    /// Names that are no file names are left out: they are given by hand, or not at all.
    public func withLoginShell() throws(AgentError) -> [AccountName] {
        let shells = try loginShells()
        var names: Set<AccountName> = []
        for fields in try lines() {
            // An empty shell is /bin/sh (passwd(5)).
            guard shells.contains(fields[6].isEmpty ? "/bin/sh" : fields[6]),
                let name = try? AccountName(fields[0])
            else { continue }
            names.insert(name)
        }
        return names.sorted()
    }

    /// True when the host has this account.
    public func contains(_ account: AccountName) throws(AgentError) -> Bool {
        if try lines().contains(where: { $0[0].utf8.elementsEqual(account.text.utf8) }) { return true }
        return asksSystem && Self.systemKnows(account.text)
    }

    /// The number of an account of this machine's own (/etc/passwd), and of no directory's: asking the system would load what
    /// it asks others by into this process, for as long as it lives.
    public func localNumber(of account: AccountName) throws(AgentError) -> UInt32? {
        try lines().first { $0[0].utf8.elementsEqual(account.text.utf8) }.flatMap { UInt32($0[2]) }
    }

    private func lines() throws(AgentError) -> [[String]] {
        guard let content = try files.read(passwd) else { return [] }
        return content.bytes.split(separator: UInt8(ascii: "\n")).prefix(Self.maximumAccounts)
            .map { line in
                line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
                    String(decoding: $0, as: UTF8.self)
                }
            }.filter { $0.count == 7 }
    }

    private func loginShells() throws(AgentError) -> Set<String> {
        // Without the file, these count (getusershell(3)).
        guard let content = try files.read(shells) else { return ["/bin/sh", "/bin/csh"] }
        let listed = content.bytes.split(separator: UInt8(ascii: "\n")).map {
            String(decoding: $0, as: UTF8.self)
        }.filter { $0.hasPrefix("/") }
        // Some hosts list them, so that FTP takes such accounts.
        return Set(listed.filter { !$0.hasSuffix("/nologin") && !$0.hasSuffix("/false") })
    }

    private static func systemKnows(_ name: String) -> Bool {
        var entry = unsafe Glibc.passwd()
        var found: UnsafeMutablePointer<Glibc.passwd>?
        var room = [CChar](repeating: 0, count: 64 << 10)
        return unsafe getpwnam_r(name, &entry, &room, room.count, &found) == 0 && found != nil
    }
}
