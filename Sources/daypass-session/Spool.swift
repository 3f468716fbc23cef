// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The folder in which reports wait for an agent that is not there.
enum Spool {
    /// A dead agent must not fill the disk: no more reports than this are kept, and none in the disk's last sixteenth.
    private static let (maximumCount, keptFree) = (65_536, UInt(16))

    /// Leaves a report as a file of its own, complete or not there.
    ///
    /// - Parameter synced: waits for the disk. A login does so only where there is none without a record.
    static func write(_ report: [UInt8], _ name: String, to path: String, synced: Bool) -> Result<
        Void, SystemError
    > {
        let folder = unsafe open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard folder >= 0 else { return .failure(.last) }
        defer { close(folder) }
        if let error = obstacle(folder) { return .failure(error) }
        let temporary = ".\(name).new"
        let file = unsafe openat(
            folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { return .failure(.last) }
        let count = unsafe Glibc.write(file, report, report.count)
        var failure: SystemError? =
            count == report.count ? nil : count < 0 ? .last : SystemError(number: ENOSPC)
        if failure == nil, synced, fdatasync(file) != 0 { failure = .last }
        close(file)
        if failure == nil, unsafe renameat(folder, temporary, folder, name) != 0 { failure = .last }
        if let failure {
            unsafe unlinkat(folder, temporary, 0)
            return .failure(failure)
        }
        return synced && fsync(folder) != 0 ? .failure(.last) : .success(())
    }

    /// Why nothing may be left there: it belongs to others than root (or whoever runs this), or has no room.
    private static func obstacle(_ folder: Int32) -> SystemError? {
        var status = stat()
        var disk = statvfs()
        guard unsafe fstat(folder, &status) == 0, unsafe fstatvfs(folder, &disk) == 0 else { return .last }
        guard status.st_uid == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            return SystemError(number: EPERM)
        }
        let full = SystemError(number: ENOSPC)
        guard disk.f_bavail > disk.f_blocks / keptFree,
            disk.f_files == 0 || disk.f_favail > disk.f_files / keptFree
        else { return full }
        let copy = unsafe openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { return .last }
        guard let names = unsafe fdopendir(copy) else {
            close(copy)
            return .last
        }
        defer { unsafe closedir(names) }
        var count = 0
        while unsafe readdir(names) != nil { count += 1 }
        return count < maximumCount ? nil : full
    }
}
