// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// What goes wrong, and at which operation.
final class Fault: Sendable {
    enum Kind: String, CaseIterable {
        case none
        /// The operation is refused, and nothing is done.
        case fail
        /// The operation is done, and then said to have failed: a folder that cannot be synced.
        case failAfter = "fail-after"
        /// The process dies before the operation.
        case kill
        /// The process dies after it.
        case killAfter = "kill-after"
        /// The process dies while a file is half written.
        case killWithin = "kill-within"
        /// A program cannot be run.
        case program
        /// A program says that it failed.
        case programStatus = "program-status"
        /// The process dies before a program runs, or after it.
        case killBeforeProgram = "kill-before-program"
        case killAfterProgram = "kill-after-program"
    }

    let kind: Kind
    private let place: Int
    private let counts = Mutex((files: 0, programs: 0))
    private let hit = Mutex(false)

    init(_ kind: Kind, at place: Int) {
        self.kind = kind
        self.place = place
    }

    /// True when the fault has come.
    var wasHit: Bool { hit.withLock { $0 } }

    /// True at the operation that the fault is for.
    func isNextFile() -> Bool {
        isNext {
            $0.files += 1; return $0.files
        }
    }
    func isNextProgram() -> Bool {
        isNext {
            $0.programs += 1; return $0.programs
        }
    }

    private func isNext(_ count: (inout (files: Int, programs: Int)) -> Int) -> Bool {
        let isNow = counts.withLock { count(&$0) } == place
        if isNow { hit.withLock { $0 = true } }
        return isNow
    }

    /// Ends this process as kill -9 does.
    func die() -> Never {
        kill(getpid(), SIGKILL)
        while true { pause() }
    }
}
