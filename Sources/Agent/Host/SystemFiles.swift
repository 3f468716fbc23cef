// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SSHWire

/// The machine's own files.
public struct SystemFiles: HostFiles {
    public init() {}

    public func kind(_ path: String) throws(AgentError) -> FileKind? {
        guard let place = try Place(path) else { return nil }
        guard let status = try place.status() else { return nil }
        return switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .folder
        default: .other
        }
    }

    public func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent? {
        guard let place = try Place(path), let status = try place.status() else { return nil }
        try place.checkRegular(status)
        let number = unsafe openat(
            place.folder.number, place.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw .system("cannot open", path) }
        let file = Descriptor(owning: number)
        // What was opened decides, not what was there a moment ago.
        var opened = stat()
        guard unsafe fstat(number, &opened) == 0 else { throw .system("cannot look at", path) }
        try place.checkRegular(opened)
        return FileContent(
            try file.readAll(path, maximumBytes: maximumBytes), attributes(opened, label(of: number)))
    }

    public func folder(_ path: String) throws(AgentError) -> FileAttributes? {
        if path == "/" { return try root() }
        guard let place = try Place(path), let status = try place.status() else { return nil }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw AgentError(.unsafeFile, "\(path.escapedForTerminal): not a folder")
        }
        let number = unsafe openat(
            place.folder.number, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw .system("cannot open", path) }
        let folder = Descriptor(owning: number)
        return attributes(status, label(of: folder.number))
    }

    public func list(_ path: String) throws(AgentError) -> [String]? {
        guard let place = try Place(path), try place.status() != nil else { return nil }
        let number = unsafe openat(
            place.folder.number, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw .system("cannot open", path) }
        guard let folder = unsafe fdopendir(number) else {
            close(number)
            throw .system("cannot open", path)
        }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func create(_ path: String, _ content: FileContent) throws(AgentError) {
        let place = try existing(path)
        let number = unsafe openat(
            place.folder.number, place.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .system("cannot create", path) }
        let file = Descriptor(owning: number)
        do throws(AgentError) {
            try file.writeAll(content.bytes, path)
            try set(content.attributes, on: number, path)
            guard fsync(number) == 0 else { throw .system("cannot sync", path) }
        } catch {
            unsafe unlinkat(place.folder.number, place.name, 0)
            throw error
        }
    }

    public func rename(_ from: String, to path: String) throws(AgentError) {
        let source = try existing(from)
        let target = try existing(path)
        if let status = try target.status() { try target.checkRegular(status) }
        guard unsafe renameat(source.folder.number, source.name, target.folder.number, target.name) == 0
        else {
            throw .system("cannot replace", path)
        }
        try sync(target, path)
    }

    public func remove(_ path: String) throws(AgentError) {
        guard let place = try Place(path), let status = try place.status() else { return }
        try place.checkRegular(status)
        guard unsafe unlinkat(place.folder.number, place.name, 0) == 0 || errno == ENOENT else {
            throw .system("cannot remove", path)
        }
        try sync(place, path)
    }

    public func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        let place = try existing(path)
        guard unsafe mkdirat(place.folder.number, place.name, 0o700) == 0 else {
            throw .system("cannot make the folder", path)
        }
        let number = unsafe openat(
            place.folder.number, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw .system("cannot open", path) }
        let folder = Descriptor(owning: number)
        try set(attributes, on: folder.number, path)
        try sync(place, path)
    }

    public func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        let place = try existing(path)
        let number = unsafe openat(
            place.folder.number, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw .system("cannot open", path) }
        let folder = Descriptor(owning: number)
        try set(attributes, on: folder.number, path)
        guard fsync(folder.number) == 0 else { throw .system("cannot sync the folder", path) }
    }

    public func removeFolder(_ path: String) throws(AgentError) {
        guard let place = try Place(path), try place.status() != nil else { return }
        guard unsafe unlinkat(place.folder.number, place.name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
            throw .system("cannot remove the folder", path)
        }
        try sync(place, path)
    }

    /// The one folder that is in no other.
    private func root() throws(AgentError) -> FileAttributes {
        var status = stat()
        guard unsafe lstat("/", &status) == 0 else { throw .system("cannot look at", "/") }
        return attributes(status, nil)
    }

    private func existing(_ path: String) throws(AgentError) -> Place {
        guard let place = try Place(path) else {
            throw AgentError(.file, "\(path.escapedForTerminal): the folder that it lies in does not exist")
        }
        return place
    }

    private func sync(_ place: borrowing Place, _ path: String) throws(AgentError) {
        guard fsync(place.folder.number) == 0 else { throw .system("cannot sync the folder of", path) }
    }

    private func attributes(_ status: stat, _ label: [UInt8]?) -> FileAttributes {
        FileAttributes(
            mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid, securityLabel: label)
    }

    /// The SELinux label of an open file.
    private func label(of number: Int32) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: 1_024)
        let count = unsafe fgetxattr(number, "security.selinux", &value, value.count)
        guard count > 0 else { return nil }
        return Array(value[..<count].prefix { $0 != 0 })
    }

    private func set(_ attributes: FileAttributes, on number: Int32, _ path: String) throws(AgentError) {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw .system("cannot look at", path) }
        if status.st_uid != attributes.owner || status.st_gid != attributes.group {
            guard fchown(number, attributes.owner, attributes.group) == 0 else {
                throw .system("cannot give to its owner", path)
            }
        }
        guard fchmod(number, attributes.mode) == 0 else { throw .system("cannot set the mode of", path) }
        guard let label = attributes.securityLabel else { return }
        let stored = label + [0]
        guard unsafe fsetxattr(number, "security.selinux", stored, stored.count, 0) == 0 else {
            throw .system("cannot label", path)
        }
    }
}

/// A name in a folder that was reached without following a link.
private struct Place: ~Copyable {
    let folder: Descriptor
    let name: String
    let path: String

    /// Opens the folders above `path` one by one; nil when one of them does not exist.
    ///
    /// - Throws: `.unsafeFile` when one is a symbolic link or no folder.
    init?(_ path: String) throws(AgentError) {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw AgentError(.invalidRequest, "\(path.escapedForTerminal): an absolute path expected")
        }
        var parts = path.split(separator: "/").filter { $0 != "." }
        guard let last = parts.popLast(), last != "..", !parts.contains("..") else {
            throw AgentError(.invalidRequest, "\(path.escapedForTerminal): no name of a file, or .. in it")
        }
        var folder = Descriptor(owning: unsafe open("/", DAYPASS_O_PATH | O_DIRECTORY | O_CLOEXEC))
        // The last folder is opened for reading, since only such a one can be synced.
        for (index, part) in parts.enumerated() {
            let access = index == parts.count - 1 ? O_RDONLY : DAYPASS_O_PATH
            let next = unsafe openat(
                folder.number, String(part), access | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if next < 0 {
                if errno == ENOENT { return nil }
                let above = "/" + parts[...index].joined(separator: "/")
                guard errno == ELOOP || errno == ENOTDIR else { throw .system("cannot open", above) }
                throw AgentError(
                    .unsafeFile,
                    "\(above.escapedForTerminal): a symbolic link or no folder, which is not followed",
                    hint: "name the real path")
            }
            folder = Descriptor(owning: next)
        }
        if parts.isEmpty {
            folder = Descriptor(owning: unsafe open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        }
        self.folder = folder
        name = String(last)
        self.path = path
    }

    /// What stands there; nil when nothing does.
    func status() throws(AgentError) -> stat? {
        var status = stat()
        if unsafe fstatat(folder.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        guard errno == ENOENT else { throw .system("cannot look at", path) }
        return nil
    }

    func checkRegular(_ status: stat) throws(AgentError) {
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw AgentError(
                .unsafeFile,
                status.st_mode & S_IFMT == S_IFLNK
                    ? "\(path.escapedForTerminal): a symbolic link, which is not followed"
                    : "\(path.escapedForTerminal): not a regular file")
        }
        guard status.st_nlink <= 1 else {
            throw AgentError(
                .unsafeFile,
                "\(path.escapedForTerminal): it has \(status.st_nlink) names (hard links); another one may be in hands "
                    + "that must not change it", hint: "find / -xdev -samefile \(path.escapedForTerminal)")
        }
    }
}
