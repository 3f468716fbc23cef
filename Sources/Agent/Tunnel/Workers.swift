// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Synchronization

/// Does what may take long beside the agent's loop: a thread for each piece of work, ended when no work waits, so that an
/// idle agent has one thread.
///
/// Sendable: everything that threads share is under one lock, and the pipe's ends never change.
final class Workers<Output: Sendable>: @unchecked Sendable {
    typealias Work = @Sendable () -> Output

    /// A worker's stack, in bytes: Swift's own default is 8 MiB of address space each.
    private static var stackBytes: Int { 512 << 10 }

    private struct Shared {
        var waiting: [(ticket: UInt64, work: Work)] = []
        var finished: [(ticket: UInt64, output: Output)] = []
        var threads = 0
    }

    private let shared = Mutex(Shared())
    private let reader: Int32
    private let writer: Int32
    private let maximumThreads: Int
    private let maximumWaiting: Int

    /// - Parameters:
    ///   - threads: pieces of work that go on at once.
    ///   - waiting: pieces that wait for a thread.
    init(threads: Int, waiting: Int) throws(AgentError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe daypass_pipe(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else {
            throw .system("cannot make", "a pipe")
        }
        (reader, writer) = (ends[0], ends[1])
        maximumThreads = threads
        maximumWaiting = waiting
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// Readable when something is done.
    var descriptor: Int32 { reader }

    /// Work that isn't done yet.
    var count: Int { shared.withLock { $0.threads + $0.waiting.count } }

    /// Begins a piece of work, or queues it.
    ///
    /// - Returns: false when too much waits, or the system has no more threads.
    func start(_ ticket: UInt64, _ work: @escaping Work) -> Bool {
        let mustStart: Bool? = shared.withLock { shared in
            guard shared.threads >= maximumThreads else {
                shared.threads += 1
                shared.waiting.append((ticket, work))
                return true
            }
            guard shared.waiting.count < maximumWaiting else { return nil }
            shared.waiting.append((ticket, work))
            return false
        }
        guard let mustStart else { return false }
        guard mustStart, !startThread() else { return true }
        return shared.withLock { shared in
            shared.threads -= 1
            // Another thread will take it, if there is one.
            guard shared.threads == 0 else { return true }
            shared.waiting.removeAll { $0.ticket == ticket }
            return false
        }
    }

    /// Takes what is done.
    func take() -> [(ticket: UInt64, output: Output)] {
        var buffer = [UInt8](repeating: 0, count: 64)
        while unsafe read(reader, &buffer, buffer.count) > 0 {}
        return shared.withLock { shared in
            defer { shared.finished = [] }
            return shared.finished
        }
    }

    private func startThread() -> Bool {
        let box = unsafe Unmanaged.passRetained(ThreadBody { self.work() })
        let status = unsafe daypass_start_thread(
            Self.stackBytes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        if status != 0 { unsafe box.release() }
        return status == 0
    }

    private func work() {
        while true {
            let next: (ticket: UInt64, work: Work)? = shared.withLock { shared in
                guard !shared.waiting.isEmpty else {
                    shared.threads -= 1
                    return nil
                }
                return shared.waiting.removeFirst()
            }
            guard let (ticket, work) = next else { return }
            let output = work()
            shared.withLock { $0.finished.append((ticket, output)) }
            // A full pipe is readable already.
            var byte: UInt8 = 0
            _ = unsafe write(writer, &byte, 1)
        }
    }
}

/// What a thread runs, on its way through C.
private final class ThreadBody {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) { self.body = body }

    func run() { body() }
}
