// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Runs a connection's tasks on the connection's own event loop.
///
/// Otherwise each step of a request changes threads: from the loop that read it to the task that answers, and back to
/// the loop that writes. What runs here must not wait for anything but by `await`; reads of the database take
/// microseconds.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
