// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A moment on the monotonic clock after which waiting ends, in the form that poll(2) asks for.
struct Deadline {
    private let instant: ContinuousClock.Instant

    init(after duration: Duration) { instant = .now + duration }

    var hasPassed: Bool { ContinuousClock.now >= instant }

    /// Milliseconds until the deadline, rounded up so that nobody wakes before it; 0 when it has passed.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = (instant - .now).components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 1_000_000 else { return 1_000_000_000 }
        return Int32(seconds) * 1000 + Int32(attoseconds / 1_000_000_000_000_000) + 1
    }
}

/// Waits until one of `descriptors` is ready, or `milliseconds` have passed, or a signal came.
///
/// - Returns: the events that came for each, in their order.
func waitForEvents(on descriptors: [(number: Int32, events: Int32)], milliseconds: Int32) -> [Int32] {
    var polled = descriptors.map { pollfd(fd: $0.number, events: Int16($0.events), revents: 0) }
    let ready = unsafe poll(&polled, nfds_t(polled.count), milliseconds)
    return polled.map { ready > 0 ? Int32($0.revents) : 0 }
}
