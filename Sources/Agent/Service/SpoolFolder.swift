// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import ControlProtocol
import Glibc
import SSHWire

/// The folder in which the hook leaves reports that no agent took, each a file of its own.
struct SpoolFolder: ~Copyable {
    /// What one of its files holds.
    enum Content {
        case report(SessionReport)
        /// Not a report: why, how many bytes, SHA-256 of them.
        case malformed(reason: String, bytes: Int, sha256: String)
    }

    /// Reports that are taken at once: they become durable together, and memory stays small.
    static let maximumBatch = 256
    /// Seconds after which a file that has not got its name is what a killed sshd left.
    private static let staleSeconds: UInt64 = 3_600

    private let path: String
    private let folder: Descriptor
    private let watch: Descriptor?

    /// Opens the folder, or makes it.
    init(path: String) throws(AgentError) {
        folder = try Self.open(path)
        self.path = path
        let number = unsafe daypass_watch_folder(path)
        watch = number >= 0 ? Descriptor(owning: number) : nil
    }

    private static func open(_ path: String) throws(AgentError) -> Descriptor {
        try RecordLog.makeFolder(path)
        return try RecordLog.openFolder(path)
    }

    /// Readable when a report may have come; -1 where the kernel doesn't say, and every second must do.
    var watchNumber: Int32 {
        switch watch {
        case .some(let watch): watch.number
        case .none: -1
        }
    }

    /// Takes what the kernel said about new files.
    func emptyWatch() {
        var buffer = [UInt8](repeating: 0, count: 4 << 10)
        while watchNumber >= 0, unsafe Glibc.read(watchNumber, &buffer, buffer.count) > 0 {}
    }

    /// The oldest reports, by their names, with more to come when they are ``maximumBatch``.
    func oldest(without skipped: Set<String>) throws(AgentError) -> [(name: String, content: Content)] {
        let names = (try SystemFiles().list(path) ?? []).filter {
            !$0.hasPrefix(".") && !skipped.contains($0)
        }
        var batch: [(name: String, content: Content)] = []
        for name in names.prefix(Self.maximumBatch) {
            if let content = try read(name) { batch.append((name, content)) }
        }
        return batch
    }

    private func read(_ name: String) throws(AgentError) -> Content? {
        let number = unsafe openat(folder.number, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            if errno == ENOENT { return nil }
            guard errno == ELOOP || errno == ENXIO else { throw .system("cannot open", "\(path)/\(name)") }
            return .malformed(reason: "a link or no file", bytes: 0, sha256: hexadecimal(Digest.sha256([])))
        }
        let file = Descriptor(owning: number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_uid == 0 || status.st_uid == geteuid(), status.st_size <= SessionReport.maximumBytes
        else {
            return .malformed(
                reason: "no file, not root's, or too long", bytes: Int(clamping: status.st_size),
                sha256: hexadecimal(Digest.sha256([])))
        }
        let bytes = try file.readAll("\(path)/\(name)", maximumBytes: SessionReport.maximumBytes)
        do throws(ControlProtocolError) {
            return .report(try SessionReport(parsing: bytes))
        } catch {
            return .malformed(
                reason: error.reason, bytes: bytes.count, sha256: hexadecimal(Digest.sha256(bytes)))
        }
    }

    /// Removes reports whose records are durable.
    ///
    /// - Returns: those that could not be removed.
    func remove(_ names: [String]) -> [String] {
        // Not synced: a file that comes back after a power loss is known to have been recorded.
        names.filter { unsafe unlinkat(folder.number, $0, 0) != 0 && errno != ENOENT }
    }

    /// Removes what hooks that were killed had begun.
    func removeStale(at moment: Moment) {
        for name in (try? SystemFiles().list(path)) ?? [] where name.hasPrefix(".") && name.hasSuffix(".new")
        {
            var status = stat()
            guard unsafe fstatat(folder.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let changed = UInt64(clamping: status.st_mtim.tv_sec)
            if changed.addingReportingOverflow(Self.staleSeconds).partialValue < moment.wall / 1_000_000_000 {
                unsafe unlinkat(folder.number, name, 0)
            }
        }
    }
}
