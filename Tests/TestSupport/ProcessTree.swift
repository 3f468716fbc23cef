// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The processes below one process, found and ended by number.
enum ProcessTree {
    /// Rounds of looking before the rest is killed as it is; each round stops what the one before missed.
    private static let maximumRounds = 8

    /// Kills everything below `root`, then its process group with `root` itself.
    ///
    /// sshd puts each connection in a session of its own, so its process group alone would miss them. All are
    /// stopped before the first is killed: a stopped process starts no further ones and reaps none, so no number
    /// that was found can have passed to a stranger. `root` must be our own child and not have been reaped.
    static func end(_ root: pid_t) {
        _ = kill(root, SIGSTOP)
        var found: Set<pid_t> = []
        for _ in 0..<maximumRounds {
            let fresh = descendants(of: root).subtracting(found)
            if fresh.isEmpty { break }
            for pid in fresh { _ = kill(pid, SIGSTOP) }
            found.formUnion(fresh)
        }
        for pid in found { _ = kill(pid, SIGKILL) }
        _ = kill(-root, SIGKILL)
        _ = kill(root, SIGKILL)
    }

    /// True while a process runs; one that has ended and that nobody has reaped yet does not.
    static func isRunning(_ pid: pid_t) -> Bool {
        guard kill(pid, 0) == 0 || errno == EPERM else { return false }
        #if os(Linux)
            return statusFields(of: pid)?.first != "Z"
        #else
            let state = try? Tool.run("/bin/ps", ["-o", "stat=", "-p", "\(pid)"]).stdoutText
            return state?.hasPrefix("Z") != true
        #endif
    }

    /// All processes whose chain of parents leads to `root`, zombies among them.
    static func descendants(of root: pid_t) -> Set<pid_t> {
        var children: [pid_t: [pid_t]] = [:]
        for (pid, parent) in allProcesses() { children[parent, default: []].append(pid) }
        var found: Set<pid_t> = []
        var pending = [root]
        while let next = pending.popLast() {
            for child in children[next] ?? [] where found.insert(child).inserted { pending.append(child) }
        }
        return found
    }

    #if os(Linux)
        private static func allProcesses() -> [(pid: pid_t, parent: pid_t)] {
            guard let folder = unsafe opendir("/proc") else { return [] }
            defer { unsafe closedir(folder) }
            var processes: [(pid_t, pid_t)] = []
            while let entry = unsafe readdir(folder) {
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if let pid = pid_t(name), let parent = parent(of: pid) { processes.append((pid, parent)) }
            }
            return processes
        }

        private static func parent(of pid: pid_t) -> pid_t? {
            guard let fields = statusFields(of: pid), fields.count > 1 else { return nil }
            return pid_t(fields[1])
        }

        /// What follows the program's name in proc(5)'s `stat`: the state, the parent and more. The name may hold
        /// blanks and brackets, so its end is looked for from behind.
        private static func statusFields(of pid: pid_t) -> [Substring]? {
            guard let bytes = try? readWholeFile("/proc/\(pid)/stat") else { return nil }
            guard let nameEnd = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
            let text: Substring = String(decoding: bytes[(nameEnd + 1)...], as: UTF8.self)[...]
            return text.split(separator: " ")
        }
    #else
        private static func allProcesses() -> [(pid: pid_t, parent: pid_t)] {
            guard let listing = try? Tool.run("/bin/ps", ["-axo", "pid=,ppid="]) else { return [] }
            return listing.stdoutText.split(separator: "\n").compactMap { line in
                let fields = line.split(separator: " ").compactMap { pid_t($0) }
                return fields.count == 2 ? (fields[0], fields[1]) : nil
            }
        }
    #endif
}
