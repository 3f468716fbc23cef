// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// A file that sshd reads for an account, as the account sees it.
struct AccountFile: Sendable, Hashable {
    /// The path that sshd's setting gives, tokens and home put in.
    let path: String
    /// Where that path leads when symbolic links are on the way; nil when there is none.
    let realPath: String?
    let owner: UInt32
    /// Permission bits, at most 0o7777.
    let mode: UInt32
    /// When the content last changed: no key in it can be known to be older.
    let modified: UnixTime
    let bytes: [UInt8]
    /// The file, or a folder above it up to the account's home, that others may write to or that belongs to a third
    /// party, and in what way: sshd with `StrictModes` refuses the file then (misc.c, `safe_path`).
    let looseness: String?

    /// The most that is read of one file, in bytes. sshd itself knows no limit; 16 MiB hold 100,000 keys.
    static let maximumBytes = 16 << 20

    /// Reads a file with the rights of `account`; nil when there is none.
    ///
    /// - Throws: `.unsafeFile` for what is no regular file (it is not opened), `.file` over 16 MiB or when the account
    ///   may not read it.
    static func read(_ path: String, as account: HostAccount) throws(AgentError) -> AccountFile? {
        try AccountRights.run(of: account) { () throws(AgentError) in
            var status = stat()
            guard unsafe stat(path, &status) == 0 else {
                if errno == ENOENT || errno == ENOTDIR {
                    return try danglingLink(path)
                }
                throw .system("cannot look at", path)
            }
            try checkRegular(status, path)
            let number = unsafe open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            guard number >= 0 else { throw .system("cannot open", path) }
            let file = Descriptor(owning: number)
            // What was opened decides, not what was there a moment ago.
            guard unsafe fstat(number, &status) == 0 else { throw .system("cannot look at", path) }
            try checkRegular(status, path)
            guard status.st_size <= Self.maximumBytes else {
                throw AgentError(
                    .file,
                    "\(path.escapedForTerminal): \(status.st_size) bytes, over the \(Self.maximumBytes) that are "
                        + "looked at; sshd reads it all the same")
            }
            let real = realPath(path)
            return AccountFile(
                path: path, realPath: real == path ? nil : real, owner: status.st_uid,
                mode: status.st_mode & 0o7777,
                modified: UnixTime(seconds: UInt64(clamping: status.st_mtim.tv_sec)),
                bytes: try file.readAll(path, maximumBytes: Self.maximumBytes),
                looseness: Self.looseness(real ?? path, status, account))
        }
    }

    private static func danglingLink(_ path: String) throws(AgentError) -> AccountFile? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return nil }
        throw AgentError(.unsafeFile, "\(path.escapedForTerminal): a symbolic link that leads nowhere")
    }

    private static func checkRegular(_ status: stat, _ path: String) throws(AgentError) {
        let kind: String? =
            switch status.st_mode & S_IFMT {
            case S_IFREG: nil
            case S_IFDIR: "a folder"
            case S_IFIFO: "a named pipe"
            case S_IFSOCK: "a socket"
            default: "a device"
            }
        if let kind {
            throw AgentError(
                .unsafeFile, "\(path.escapedForTerminal): \(kind), no regular file; sshd refuses it")
        }
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// What `safe_path` objects to: from the file up to the account's home, or to the root where the file is
    /// elsewhere.
    private static func looseness(_ path: String, _ file: stat, _ account: HostAccount) -> String? {
        let home = realPath(account.home) ?? account.home
        var place = path
        var status = file
        // A path has at most PATH_MAX bytes, so at most half as many parts.
        for _ in 0..<2_048 {
            if status.st_uid != 0, status.st_uid != account.userID {
                return "\(place.escapedForTerminal) belongs to user \(status.st_uid)"
            }
            if status.st_mode & 0o022 != 0 {
                let who = status.st_mode & 0o002 != 0 ? "everybody" : "its group"
                return "\(place.escapedForTerminal) can be written to by \(who)"
            }
            guard place != home, place != "/", let slash = place.lastIndex(of: "/") else { return nil }
            place = slash == place.startIndex ? "/" : String(place[..<slash])
            guard unsafe stat(place, &status) == 0 else { return nil }
        }
        return nil
    }

    /// The paths that a pattern of glob(3) stands for, seen with the account's rights; the pattern itself when it
    /// has none of glob's characters or nothing matches.
    static func expand(_ pattern: String, as account: HostAccount) throws(AgentError) -> [String] {
        guard pattern.utf8.contains(where: { "*?[".utf8.contains($0) }) else { return [pattern] }
        return try AccountRights.run(of: account) { () throws(AgentError) in
            var found = unsafe glob_t()
            defer { unsafe globfree(&found) }
            guard unsafe glob(pattern, 0, nil, &found) == 0, let paths = unsafe found.gl_pathv else {
                return [pattern]
            }
            var result: [String] = []
            for index in 0..<min(Int(unsafe found.gl_pathc), maximumMatches) {
                if let path = unsafe paths[index] { result.append(unsafe String(cString: path)) }
            }
            return result
        }
    }

    /// Files that one pattern may stand for. sshd gives up at 2,147,483,647.
    private static let maximumMatches = 4_096
}
