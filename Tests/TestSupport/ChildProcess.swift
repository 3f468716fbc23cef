// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

#if canImport(Darwin)
    public import Darwin
#elseif canImport(Glibc)
    public import Glibc
#elseif canImport(Musl)
    public import Musl
#endif

/// How a process ended.
public enum ProcessEnd: Sendable, Equatable {
    /// It returned this code, 0…255.
    case exited(Int32)
    /// This signal ended it.
    case signalled(Int32)
}

/// A running program of ours; whoever lets go of the last reference ends it and all that it started.
public final class ChildProcess: Sendable {
    /// Its number, which is also its process group's and its session's. Valid for signals until it was waited for.
    public let pid: pid_t
    /// Nothing is ever written here: it reads end-of-file once the process has ended.
    let exitSignal: Int32
    /// `nil` while the process has not been reaped; its number cannot pass to another one until then.
    private let end = Mutex<ProcessEnd?>(nil)

    /// Starts `path` with a vector of arguments; no shell is involved.
    ///
    /// - Parameters:
    ///   - environment: the whole environment; `nil` is ``Tool/environment(adding:)`` with nothing added.
    ///   - log: the file that its standard output and error are appended to; `nil` discards both.
    /// - Throws: ``TestSupportError`` when it cannot be started.
    public convenience init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil, in folder: String? = nil,
        log: String? = nil
    ) throws {
        let input = try Descriptor.open("/dev/null", O_RDONLY)
        let output =
            if let log { try Descriptor.open(log, O_WRONLY | O_CREAT | O_APPEND) } else {
                try Descriptor.open("/dev/null", O_WRONLY)
            }
        try self.init(
            Spawn(
                path: path, arguments: arguments, environment: environment ?? Tool.environment(),
                folder: folder
            ), stdin: input.number, stdout: output.number, stderr: output.number)
    }

    init(_ spawn: Spawn, stdin: Int32, stdout: Int32, stderr: Int32) throws {
        let signal = try Descriptor.pipe()
        let pid = try spawn.start(stdin: stdin, stdout: stdout, stderr: stderr)
        self.pid = pid
        // The reader is closed in deinit, the writer by the thread below. poll(2) cannot wait for a process
        // everywhere, so a thread does, and leaves the reaping to `wait`.
        exitSignal = signal.reader.release()
        let writer = signal.writer.release()
        Thread.detachNewThread {
            var info = unsafe siginfo_t()
            while unsafe waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
            _ = close(writer)
        }
    }

    deinit {
        stop()
        _ = close(exitSignal)
    }

    /// Waits until the process has ended.
    ///
    /// - Returns: how it ended, or `nil` when `timeout` passed first; it runs on then.
    public func wait(for timeout: Duration) -> ProcessEnd? {
        let deadline = Deadline(after: timeout)
        repeat {
            let events = waitForEvents(on: [(exitSignal, Int32(POLLIN))], milliseconds: deadline.milliseconds)
            if events[0] != 0 { return reap() }
        } while !deadline.hasPassed
        return nil
    }

    /// True until the process has ended.
    public var isRunning: Bool { wait(for: .zero) == nil }

    /// Waits until a process that need not be a child of ours has ended, reaped or not.
    ///
    /// - Returns: false when `timeout` passed first.
    public static func hasEnded(_ pid: pid_t, within timeout: Duration = .seconds(10)) -> Bool {
        let deadline = Deadline(after: timeout)
        while ProcessTree.isRunning(pid) {
            guard !deadline.hasPassed else { return false }
            _ = waitForEvents(on: [], milliseconds: 2)
        }
        return true
    }

    /// Sends a signal to this process alone; nothing happens when it was waited for.
    public func signal(_ number: Int32) {
        end.withLock { if $0 == nil { _ = kill(pid, number) } }
    }

    /// Kills the process and everything below it, and waits until it is gone. May be called again.
    @discardableResult
    public func stop() -> ProcessEnd {
        end.withLock { if $0 == nil { ProcessTree.end(pid) } }
        return reap()
    }

    private func reap() -> ProcessEnd {
        end.withLock { end in
            if let end { return end }
            var status: Int32 = 0
            while unsafe waitpid(pid, &status, 0) == -1, errno == EINTR {}
            // wait(2)'s macros: the low seven bits are the signal, the next byte is the code.
            let ended: ProcessEnd =
                status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
            end = ended
            return ended
        }
    }
}
