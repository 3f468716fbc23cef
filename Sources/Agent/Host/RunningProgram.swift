// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SSHWire

/// A program whose output is read while it runs; it has no input, its errors go nowhere, and it ends with this.
struct RunningProgram: ~Copyable {
    let pid: pid_t
    /// Our end of its output, from which reading never waits.
    let output: Descriptor

    /// - Throws: `.program` when it cannot be started.
    init(_ path: String, _ arguments: [String]) throws(AgentError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe daypass_pipe(&ends, O_CLOEXEC) == 0 else { throw .system("cannot make", "a pipe") }
        let reader = Descriptor(owning: ends[0])
        let writer = Descriptor(owning: ends[1])
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, writer.number, 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        let pid = try unsafe spawn(path, arguments, &actions)
        _ = fcntl(reader.number, F_SETFL, O_NONBLOCK)
        self.pid = pid
        output = reader
    }

    deinit {
        kill(pid, SIGTERM)
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }
}

/// Starts a program with a vector of arguments, a small fixed environment, and signals as the system has them.
func spawn(
    _ path: String, _ arguments: [String], _ actions: inout posix_spawn_file_actions_t
) throws(AgentError) -> pid_t {
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // What the agent ignores or blocks, a program of the system must not: one that is read from must die of its next
    // line when its reader has gone.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for number in [SIGPIPE, SIGXFSZ, SIGHUP, SIGTERM, SIGINT] { unsafe sigaddset(&signals, number) }
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var environment: [UnsafeMutablePointer<CChar>?] = unsafe [
        strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), strdup("LC_ALL=C"), nil,
    ]
    var vector: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    defer {
        for index in unsafe environment.indices { unsafe free(environment[index]) }
        for index in unsafe vector.indices { unsafe free(vector[index]) }
    }
    var pid: pid_t = 0
    let status = unsafe posix_spawn(&pid, path, &actions, &attributes, &vector, &environment)
    guard status == 0 else {
        throw AgentError(.program, "cannot start \(path.escapedForTerminal): \(describeSystemError(status))")
    }
    return pid
}
