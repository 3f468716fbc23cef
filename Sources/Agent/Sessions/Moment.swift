// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc

/// A point in time by both clocks of the machine.
public struct Moment: Sendable, Hashable {
    /// Nanoseconds since 1970; somebody may set this clock.
    public var wall: UInt64
    /// Nanoseconds since the machine started, suspended time included (`CLOCK_BOOTTIME`); it only goes forward.
    public var boot: UInt64

    public init(wall: UInt64, boot: UInt64) {
        self.wall = wall
        self.boot = boot
    }

    /// The machine's clocks now.
    public static var now: Moment { Moment(wall: read(CLOCK_REALTIME), boot: read(CLOCK_BOOTTIME)) }

    /// The wall clock's time as records write it.
    public var time: RecordTime { RecordTime(nanoseconds: wall) }

    /// Seconds since an earlier moment, by the clock that only goes forward.
    func seconds(since earlier: Moment) -> UInt64 {
        boot > earlier.boot ? (boot - earlier.boot) / 1_000_000_000 : 0
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
        let (seconds, tooLarge) = UInt64(clamping: time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = seconds.addingReportingOverflow(UInt64(clamping: time.tv_nsec))
        return tooLarge || overflow ? .max : sum
    }
}

extension SessionEvent {
    /// An event of now.
    init(_ kind: Kind, via: Via, at moment: Moment) {
        self.init(kind, via: via, time: moment.time, uptimeMicroseconds: moment.boot / 1_000)
    }
}
