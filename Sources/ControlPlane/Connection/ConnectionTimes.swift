// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import NIOCore

/// How long a connection may take for what it does.
public struct ConnectionTimes: Sendable, Hashable {
    /// From the connection to the end of the first request's head, with TLS in between; later from a head's first byte
    /// to its last.
    public var head: TimeAmount = .seconds(10)
    /// From the end of a head to the end of its body.
    public var body: TimeAmount = .seconds(20)
    /// From the end of a body until its answer is with the client: one that doesn't read is cut too.
    public var answer: TimeAmount = .seconds(60)
    /// Between an answer and the next request.
    public var idle: TimeAmount = .seconds(30)

    public init() {}

    /// No deadline is nearer than this when it is set, so looking this often finds each in time.
    var shortest: TimeAmount { min(head, body, answer) }
}

/// A wait with an end: a timer that is set once per ``ConnectionTimes/shortest``, not once per request.
struct Deadlines {
    /// What is waited for, with its end.
    var head: NIODeadline?
    var body: NIODeadline?
    var answer: NIODeadline?

    /// The next end of a wait.
    var next: NIODeadline? { [head, body, answer].compactMap { $0 }.min() }
}

/// Calls a closure on the event loop when the earliest deadline has passed.
///
/// All deadlines are set at least `interval` ahead, so a check every `interval` sees each before it passes and sets the
/// timer to it. A busy connection costs one timer in 10 seconds.
struct LazyTimer {
    private var scheduled: Scheduled<Void>?
    private let interval: TimeAmount

    init(checkingEvery interval: TimeAmount) { self.interval = interval }

    /// - Parameter next: the earliest deadline that is known.
    mutating func schedule(
        on loop: any EventLoop, next: NIODeadline?, _ check: @escaping @Sendable () -> Void
    ) {
        let latest = NIODeadline.now() + interval
        scheduled = loop.scheduleTask(deadline: min(next ?? latest, latest), check)
    }

    mutating func cancel() {
        scheduled?.cancel()
        scheduled = nil
    }
}
