// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// The time by which grants end: the wall clock's, but never earlier than a time that was seen before.
///
/// A wall clock that is set back would prolong every grant. So the latest time is kept, goes on with the clock that
/// counts from the machine's start, and outlives that start. One that was set forward by mistake is believed until its
/// file is removed: access then ends too early, which is the safe mistake.
struct GrantClock: Sendable, Hashable {
    /// The latest time that was seen.
    private(set) var latest: Moment
    /// The machine's start in which it was seen.
    private(set) var boot: String

    /// How far the time may go on before it is written again, in seconds.
    private static let writtenSeconds: UInt64 = 60
    private static let maximumBytes = 4 << 10

    init(latest: Moment, boot: String) {
        self.latest = latest
        self.boot = boot
    }

    /// The clock as it is at a moment: its latest time is the time now.
    func seen(at moment: Moment, boot: String) -> GrantClock {
        let wall = max(moment.wall, floor(at: moment, boot: boot))
        return GrantClock(latest: Moment(wall: wall, boot: moment.boot), boot: boot)
    }

    /// The latest time, in whole seconds.
    var time: UnixTime { UnixTime(seconds: latest.wall / 1_000_000_000) }

    /// Seconds by which the wall clock is behind the latest time; 0 when it isn't.
    func lag(at moment: Moment, boot: String) -> UInt64 {
        let floor = floor(at: moment, boot: boot)
        return floor > moment.wall ? (floor - moment.wall) / 1_000_000_000 : 0
    }

    /// What the latest time has become by now, in nanoseconds.
    private func floor(at moment: Moment, boot: String) -> UInt64 {
        guard boot == self.boot, moment.boot > latest.boot else { return latest.wall }
        let (sum, overflow) = latest.wall.addingReportingOverflow(moment.boot - latest.boot)
        return overflow ? .max : sum
    }

    // MARK: Its file

    /// Reads the latest time; a file that is gone or damaged says nothing.
    static func read(_ files: any HostFiles, _ layout: HostLayout) throws(AgentError) -> GrantClock? {
        guard let content = try files.read(layout.grantClock, maximumBytes: maximumBytes),
            let value = try? JSONValue(parsing: content.bytes, maximumBytes: maximumBytes),
            let wall = value["wall"]?.string.flatMap({ UInt64($0) }),
            let uptime = value["uptime"]?.string.flatMap({ UInt64($0) }), let boot = value["boot"]?.string
        else { return nil }
        return GrantClock(latest: Moment(wall: wall, boot: uptime), boot: boot)
    }

    /// The clock now; what is later than the file says by a minute, or of another start of the machine, is written.
    static func now(
        _ files: any HostFiles, _ layout: HostLayout, at moment: Moment, boot: String, owner: FileOwner,
        keepsFile: Bool
    ) throws(AgentError) -> (time: UnixTime, lag: UInt64) {
        let known = try read(files, layout)
        let clock = known?.seen(at: moment, boot: boot) ?? GrantClock(latest: moment, boot: boot)
        let isWritten = known.map { $0.boot == boot && clock.time.seconds < $0.time.seconds + writtenSeconds }
        if keepsFile, !(isWritten ?? false) {
            let text = JSONValue.object([
                .init("format", 1), .init("boot", .string(boot)),
                .init("uptime", .string(String(clock.latest.boot))),
                .init("wall", .string(String(clock.latest.wall))),
            ]).text
            // Without room for it the time is still now.
            try? files.replace(
                layout.grantClock, FileContent(Array((text + "\n").utf8), owner.attributes(mode: 0o600)))
        }
        return (clock.time, known?.lag(at: moment, boot: boot) ?? 0)
    }
}
