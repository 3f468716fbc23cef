// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

public import SSHWire

/// Reads and writes whole files: bounded, without following a link at the end of a path when writing, and never
/// leaving half a file.
public enum FileIO {
    /// Reads a file of at most `maximumBytes`.
    public static func read(_ path: String, maximumBytes: Int) throws(CertAuthorityError) -> [UInt8] {
        let file = try Descriptor(opening: path)
        var content: [UInt8] = []
        // Most files are keys: a large buffer for each of 2,000 would cost more than reading them.
        var chunk = [UInt8](repeating: 0, count: 4 << 10)
        while true {
            let count = try file.read(into: &chunk, path)
            if count == 0 { return content }
            defer {
                if count == chunk.count, count < 64 << 10 { chunk = [UInt8](repeating: 0, count: 64 << 10) }
            }
            guard content.count + count <= maximumBytes else {
                throw CertAuthorityError(
                    .file,
                    "\(path.escapedForTerminal): over \(maximumBytes) bytes, which nothing sensible here is")
            }
            content += chunk[..<count]
        }
    }

    /// Reads a secret file straight into guarded memory.
    ///
    /// A systemd credential is such a file, too: `write_credential` (exec-credential.c) leaves it with root, mode 0400, and
    /// lets the service's account in by an access control list, whose mask stat(2) shows as rights of root's group.
    ///
    /// - Throws: `.unsafeFile` when it is no regular file, somebody else owns it, or its group or others can read or
    ///   write it, with the command that mends it.
    public static func readSecret(_ path: String, maximumBytes: Int) throws(CertAuthorityError) -> SecretBytes
    {
        let file = try Descriptor(opening: path)
        var status = stat()
        guard unsafe fstat(file.number, &status) == 0 else { throw .system("cannot look at", path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CertAuthorityError(.unsafeFile, "\(path.escapedForTerminal): not a regular file")
        }
        let isCredential =
            geteuid() != 0 && status.st_uid == 0 && status.st_gid == 0 && status.st_mode & 0o037 == 0
        guard status.st_uid == geteuid() || geteuid() == 0 || isCredential else {
            throw CertAuthorityError(
                .unsafeFile, "\(path.escapedForTerminal): owned by user \(status.st_uid), not by you",
                hint: "use a key file of your own")
        }
        guard status.st_mode & 0o077 == 0 || isCredential else {
            throw CertAuthorityError(
                .unsafeFile,
                "\(path.escapedForTerminal): mode 0\(String(status.st_mode & 0o7777, radix: 8)), others than its owner "
                    + "can use this secret",
                hint: "chmod 600 \(shellQuoted(path)), and replace the key if somebody may have read it")
        }
        guard let size = Int(exactly: status.st_size), (1...maximumBytes).contains(size) else {
            throw CertAuthorityError(
                .file, "\(path.escapedForTerminal): \(status.st_size) bytes, 1 to \(maximumBytes) expected")
        }
        do {
            return try unsafe SecretBytes(count: size) { buffer throws(SSHWireError) in
                var filled = 0
                while filled < buffer.count {
                    let count = unsafe readOnce(file.number, buffer, from: filled)
                    guard count > 0 else {
                        throw SSHWireError(.truncated, "it became shorter while it was read")
                    }
                    filled += count
                }
            }
        } catch {
            throw CertAuthorityError(.file, "\(path.escapedForTerminal): \(error.reason)")
        }
    }

    private static func readOnce(_ number: Int32, _ buffer: UnsafeMutableRawBufferPointer, from start: Int)
        -> Int
    {
        while true {
            guard let base = buffer.baseAddress else { return 0 }
            #if canImport(Darwin)
                let count = unsafe Darwin.read(number, base + start, buffer.count - start)
            #else
                let count = unsafe Glibc.read(number, base + start, buffer.count - start)
            #endif
            if count >= 0 || errno != EINTR { return count }
        }
    }

    /// How long a written file must last.
    public enum Durability: Sendable {
        /// Complete or not there, whatever happens to this process.
        case atomic
        /// And still there when the machine loses power.
        case synced
    }

    /// Replaces or creates a file in one step.
    public static func write(
        _ content: Span<UInt8>, to path: String, mode: UInt32, durability: Durability = .synced,
        replacing: Bool = true
    ) throws(CertAuthorityError) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        if durability == .atomic, try create(content, in: folder, as: path, mode: mode) { return }
        try checkReplaceable(path)
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let number = unsafe open(temporary, flags, mode_t(truncatingIfNeeded: mode))
        guard number >= 0 else { throw .system("cannot create a file beside", path, errno) }
        let file = Descriptor(owning: number)
        do {
            // The mode that was asked for, whatever the umask.
            guard fchmod(number, mode_t(truncatingIfNeeded: mode)) == 0 else {
                throw CertAuthorityError.system("cannot set the mode of", path, errno)
            }
            try file.write(content, path)
            if durability == .synced, fsync(number) != 0 {
                throw CertAuthorityError.system("cannot sync", path, errno)
            }
            if replacing {
                guard unsafe rename(temporary, path) == 0 else {
                    throw CertAuthorityError.system("cannot write", path, errno)
                }
            } else {
                // A link fails where a rename would replace.
                guard unsafe link(temporary, path) == 0 else {
                    throw CertAuthorityError.system("cannot write", path, errno)
                }
                unsafe unlink(temporary)
            }
        } catch let error as CertAuthorityError {
            unsafe unlink(temporary)
            throw error
        } catch {
            throw CertAuthorityError(.file, "\(path.escapedForTerminal): \(error)")
        }
        if durability == .synced { try syncFolder(folder) }
    }

    /// Makes a file without a name and gives it one when it is complete: half the work for the file system of a
    /// temporary name and its change.
    ///
    /// - Returns: false, with nothing done, when something is at `path` or the file system has no such files.
    private static func create(
        _ content: Span<UInt8>, in folder: String, as path: String, mode: UInt32
    ) throws(CertAuthorityError) -> Bool {
        #if os(Linux)
            // O_TMPFILE (open(2)) of asm-generic/fcntl.h, which Swift does not see.
            let flags = 0o20_000_000 | O_DIRECTORY | O_WRONLY | O_CLOEXEC
            let number = unsafe open(folder, flags, mode_t(truncatingIfNeeded: mode))
            guard number >= 0 else { return false }
            let file = Descriptor(owning: number)
            guard fchmod(number, mode_t(truncatingIfNeeded: mode)) == 0 else {
                throw .system("cannot set the mode of", path, errno)
            }
            try file.write(content, path)
            return unsafe linkat(AT_FDCWD, "/proc/self/fd/\(number)", AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0
        #else
            return false
        #endif
    }

    /// Refuses what is there and no regular file: a rename would put one in the place of /dev/null.
    public static func checkReplaceable(_ path: String) throws(CertAuthorityError) {
        var status = stat()
        guard unsafe stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
            throw CertAuthorityError(.file, "\(path.escapedForTerminal): not a regular file")
        }
    }

    /// Creates a secret file, 0600, or replaces it in one step.
    public static func writeSecret(_ secret: SecretBytes, to path: String) throws(CertAuthorityError) {
        try secret.withSpan { bytes throws(CertAuthorityError) in try write(bytes, to: path, mode: 0o600) }
    }

    /// Writes a file whose name holds folders, and makes those that are missing.
    ///
    /// - Parameter name: relative, without `..`; from us, never from outside.
    public static func write(
        _ content: Span<UInt8>, creatingFoldersIn root: String, at name: String
    ) throws(CertAuthorityError) {
        var folder = root
        for part in name.split(separator: "/").dropLast() {
            folder += "/" + part
            if !exists(folder) { try makeFolder(folder, mode: 0o755) }
        }
        try write(content, to: root + "/" + name, mode: 0o644, durability: .atomic)
    }

    /// Makes a folder with `mode`, whatever the umask; one that is there keeps the mode that it has.
    ///
    /// - Throws: `.unsafeFile` when something else is at `path`, or somebody else owns the folder.
    public static func makeFolder(_ path: String, mode: UInt32) throws(CertAuthorityError) {
        let isNew = unsafe mkdir(path, mode_t(truncatingIfNeeded: mode)) == 0
        guard isNew || errno == EEXIST else {
            throw .system(
                "cannot make the folder", path, errno, hint: "make the folder that it lies in first")
        }
        try checkFolder(path)
        if isNew { try setMode(mode, of: path) }
    }

    /// Makes a folder for secrets, 0700, or makes an empty one that is there fit for them.
    ///
    /// - Throws: `.unsafeFile` when something else is at `path`, somebody else owns the folder, or it is in use for
    ///   something that others may see.
    public static func makeSecretFolder(_ path: String) throws(CertAuthorityError) {
        try makeFolder(path, mode: 0o700)
        let mode = try checkFolder(path) & 0o7777
        guard mode != 0o700 else { return }
        guard try isEmptyFolder(path) else {
            throw CertAuthorityError(
                .unsafeFile,
                "\(path.escapedForTerminal): there are other files in it, and its mode 0\(String(mode, radix: 8)) lets "
                    + "others in", hint: "use a folder of its own with --home")
        }
        try setMode(0o700, of: path)
    }

    /// Refuses a folder that is not ours alone.
    ///
    /// - Throws: `.unsafeFile`, with the command that mends its mode.
    public static func checkSecretFolder(_ path: String) throws(CertAuthorityError) {
        let mode = try checkFolder(path) & 0o7777
        guard mode & 0o077 == 0 else {
            throw CertAuthorityError(
                .unsafeFile, "\(path.escapedForTerminal): mode 0\(String(mode, radix: 8)) lets others in",
                hint: "chmod 700 \(shellQuoted(path))")
        }
    }

    /// Whether this process's account may read the file at `path`: it is opened, and nothing is read.
    public static func isReadable(_ path: String) -> Bool { (try? Descriptor(opening: path)) != nil }

    /// Gives our file or folder at `path` a group and a mode; nothing happens when there is none.
    ///
    /// - Throws: `.file` when it is somebody else's, or a link.
    public static func setAccess(
        _ path: String, group: UInt32, mode: UInt32
    ) throws(CertAuthorityError) {
        let number = unsafe open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        if number < 0, errno == ENOENT { return }
        guard number >= 0 else { throw .system("cannot open", path, errno) }
        let file = Descriptor(owning: number)
        guard fchown(file.number, uid_t.max, group) == 0,
            fchmod(file.number, mode_t(truncatingIfNeeded: mode)) == 0
        else { throw .system("cannot set the group and mode of", path, errno) }
    }

    /// Makes a folder of an account's own, 0700, in a folder of ours; one that is there must be its already.
    ///
    /// - Throws: `.unsafeFile` when something else is at `path`, or a folder of somebody else's.
    public static func makeSecretFolder(
        _ path: String, of account: SystemAccount, group: UInt32
    ) throws(CertAuthorityError) {
        let isNew = unsafe mkdir(path, 0o700) == 0
        guard isNew || errno == EEXIST else {
            throw .system(
                "cannot make the folder", path, errno, hint: "make the folder that it lies in first")
        }
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw .system("cannot open", path, errno) }
        let folder = Descriptor(owning: number)
        var status = stat()
        guard unsafe fstat(folder.number, &status) == 0,
            status.st_uid == account.userID || isNew && status.st_uid == geteuid()
        else {
            throw CertAuthorityError(
                .unsafeFile,
                "\(path.escapedForTerminal): owned by user \(status.st_uid), not by \(account.userID)")
        }
        guard fchown(folder.number, account.userID, group) == 0, fchmod(folder.number, 0o700) == 0 else {
            throw .system("cannot give away", path, errno)
        }
    }

    /// - Returns: the mode of our folder at `path`.
    @discardableResult
    private static func checkFolder(_ path: String) throws(CertAuthorityError) -> mode_t {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw CertAuthorityError(.unsafeFile, "\(path.escapedForTerminal): not a folder")
        }
        guard status.st_uid == geteuid() else {
            throw CertAuthorityError(
                .unsafeFile, "\(path.escapedForTerminal): owned by user \(status.st_uid), not by you")
        }
        return status.st_mode
    }

    private static func setMode(_ mode: UInt32, of path: String) throws(CertAuthorityError) {
        guard unsafe chmod(path, mode_t(truncatingIfNeeded: mode)) == 0 else {
            throw .system("cannot set the mode of", path, errno)
        }
    }

    private static func isEmptyFolder(_ path: String) throws(CertAuthorityError) -> Bool {
        guard let folder = unsafe opendir(path) else { throw .system("cannot open", path, errno) }
        defer { unsafe closedir(folder) }
        // "." and "..", and what else is there.
        for _ in 0..<3 where unsafe readdir(folder) == nil { return true }
        return false
    }

    /// Removes a file; nothing happens when there is none.
    public static func remove(_ path: String) { unsafe unlink(path) }

    /// Replaces or creates a text file in one step.
    public static func write(_ text: String, to path: String, mode: UInt32) throws(CertAuthorityError) {
        try write(Array(text.utf8).span, to: path, mode: mode)
    }

    private static func syncFolder(_ path: String) throws(CertAuthorityError) {
        let folder = try Descriptor(opening: path)
        guard fsync(folder.number) == 0 else { throw .system("cannot sync", path, errno) }
    }

    /// Whether something is at `path`.
    public static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }
}

/// The path as an argument of a shell command that a person may copy.
func shellQuoted(_ path: String) -> String {
    let plain = path.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "/._-+".utf8.contains(byte)
    }
    return plain
        ? path
        : "'\(path.escapedForTerminal.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
}
