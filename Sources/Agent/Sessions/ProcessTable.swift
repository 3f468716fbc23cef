// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// A process as `/proc/PID/stat` has it (proc(5)).
public struct ProcessFacts: Sendable, Hashable {
    public let pid: Int32
    public let parent: Int32
    /// When it began, in clock ticks since the machine started.
    public let start: UInt64

    public init(pid: Int32, parent: Int32, start: UInt64) {
        self.pid = pid
        self.parent = parent
        self.start = start
    }
}

/// What runs on this machine, as far as its kernel shows it to us. Everything may be over before it is looked at twice.
public enum ProcessTable {
    /// More bytes than this are not read of a file of a process: an environment may have megabytes.
    private static let maximumBytes = 1 << 20

    /// The boot ID, which is another one after each start of the machine.
    public static func bootID() -> String {
        text("/proc/sys/kernel/random/boot_id").split(separator: "\n").first.map(String.init) ?? ""
    }

    /// A process, unless it has ended; one that nobody has waited for yet has ended.
    public static func process(_ pid: Int32) -> ProcessFacts? {
        let bytes = read("/proc/\(pid)/stat")
        // The program's name may hold blanks and brackets, so its end is looked for from behind.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        // The first one here is the third of the file.
        guard fields.count > 19, fields[0].first != UInt8(ascii: "Z"), fields[0].first != UInt8(ascii: "X"),
            let parent = Int32(String(decoding: fields[1], as: UTF8.self)),
            let start = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        return ProcessFacts(pid: pid, parent: parent, start: start)
    }

    /// All processes.
    public static func all() -> [ProcessFacts] {
        guard let names = try? SystemFiles().list("/proc") else { return [] }
        return names.compactMap { Int32($0).flatMap(process) }
    }

    /// All of `processes` whose chain of parents leads to `root`, which is not among them.
    static func descendants(of root: Int32, in processes: [ProcessFacts]) -> [ProcessFacts] {
        let children = Dictionary(grouping: processes, by: \.parent)
        var seen: Set<Int32> = [root]
        var found: [ProcessFacts] = []
        var pending = [root]
        while let next = pending.popLast() {
            for child in children[next] ?? [] where seen.insert(child.pid).inserted {
                found.append(child)
                pending.append(child.pid)
            }
        }
        return found
    }

    /// What a process calls itself: its arguments with blanks between, which it may change.
    static func title(_ pid: Int32) -> String {
        String(decoding: read("/proc/\(pid)/cmdline").map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
            .trimmedOfSpaces
    }

    /// The program's path, without the mark of a file that was replaced since; nil for a kernel thread, or where we may
    /// not look.
    static func executable(_ pid: Int32) -> String? {
        guard let path = link("/proc/\(pid)/exe") else { return nil }
        return path.hasSuffix(" (deleted)") ? String(path.dropLast(10)) : path
    }

    /// The real user ID.
    static func owner(_ pid: Int32) -> UInt32? {
        for line in text("/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix("Uid:") {
            return line.split(whereSeparator: { $0 == "\t" || $0 == " " }).dropFirst().first.flatMap {
                UInt32($0)
            }
        }
        return nil
    }

    /// The audit session (pam_loginuid(8) sets one at each login); nil where there is none.
    static func auditSession(_ pid: Int32) -> UInt32? {
        guard let number = UInt32(text("/proc/\(pid)/sessionid")), number != .max else { return nil }
        return number
    }

    /// The path of systemd's scope of the login session (pam_systemd(8)); nil outside of one.
    static func sessionScope(_ pid: Int32) -> String? {
        for line in text("/proc/\(pid)/cgroup").split(separator: "\n") {
            // number:controllers:path
            guard let path = line.split(separator: ":", maxSplits: 2).last else { continue }
            let parts = path.split(separator: "/")
            guard let index = parts.firstIndex(where: { $0.hasPrefix("session-") && $0.hasSuffix(".scope") })
            else { continue }
            return parts[...index].joined(separator: "/")
        }
        return nil
    }

    /// A variable of the environment that a process was started with; it may have overwritten it.
    static func variable(_ name: String, of pid: Int32) -> String? {
        let prefix = Array("\(name)=".utf8)
        for entry in read("/proc/\(pid)/environ").split(separator: 0) where entry.starts(with: prefix) {
            return String(decoding: entry.dropFirst(prefix.count), as: UTF8.self)
        }
        return nil
    }

    static func text(_ path: String) -> String { String(decoding: read(path), as: UTF8.self) }

    /// The beginning of a file of /proc; nothing when it is gone or not ours to see.
    private static func read(_ path: String) -> [UInt8] {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return [] }
        let file = Descriptor(owning: number)
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4 << 10)
        while content.count < maximumBytes {
            let count = unsafe Glibc.read(file.number, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            content += chunk[..<count]
        }
        return content
    }

    private static func link(_ path: String) -> String? {
        var target = [CChar](repeating: 0, count: 4 << 10)
        let count = unsafe readlink(path, &target, target.count)
        return count > 0
            ? String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }
}

extension String {
    fileprivate var trimmedOfSpaces: String {
        String(drop(while: { $0 == " " }).reversed().drop(while: { $0 == " " }).reversed())
    }
}
