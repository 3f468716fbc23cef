// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Where in its time a certificate is.
struct Validity: Encodable {
    /// valid, expired, not-yet-valid, or never when it ends before it starts.
    let status: String
    /// The moment that this is about.
    let at: String
    let atUnix: UInt64
    /// Until it ends, when it is valid and has an end.
    let secondsLeft: UInt64?
    /// Until it starts, when it isn't valid yet.
    let secondsUntilStart: UInt64?
    /// Since it ended, when it has expired.
    let secondsSinceEnd: UInt64?

    init(from start: UnixTime, to end: UnixTime, now: UnixTime) {
        at = "\(now)"
        atUnix = now.seconds
        guard start < end else {
            (status, secondsLeft, secondsUntilStart, secondsSinceEnd) = ("never", nil, nil, nil)
            return
        }
        if now < start {
            status = "not-yet-valid"
            (secondsLeft, secondsUntilStart, secondsSinceEnd) = (nil, start.seconds - now.seconds, nil)
        } else if now < end {
            status = "valid"
            secondsLeft = end == .forever ? nil : end.seconds - now.seconds
            (secondsUntilStart, secondsSinceEnd) = (nil, nil)
        } else {
            status = "expired"
            (secondsLeft, secondsUntilStart, secondsSinceEnd) = (nil, nil, now.seconds - end.seconds)
        }
    }

    /// "3h 12m left", "expired 5m ago", "starts in 2d 4h", "never valid", or "no end".
    var summary: String {
        if let secondsLeft { return "\(Self.roughly(secondsLeft)) left" }
        if let secondsUntilStart { return "starts in \(Self.roughly(secondsUntilStart))" }
        if let secondsSinceEnd {
            return secondsSinceEnd == 0 ? "expired just now" : "expired \(Self.roughly(secondsSinceEnd)) ago"
        }
        return status == "never" ? "never valid" : "no end"
    }

    /// The SGR code of its colour.
    var colour: String {
        switch status {
        case "valid": "32"
        case "not-yet-valid": "33"
        default: "31"
        }
    }

    /// The two largest units, the second only when it isn't zero; minutes stand alone.
    static func roughly(_ seconds: UInt64) -> String {
        let units: [(name: String, size: UInt64)] = [
            ("y", 31_536_000), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
        ]
        guard let first = units.firstIndex(where: { seconds >= $0.size }) else { return "0s" }
        let whole = "\(seconds / units[first].size)\(units[first].name)"
        guard units[first].size > 60, first + 1 < units.count else { return whole }
        let rest = seconds % units[first].size / units[first + 1].size
        return rest == 0 ? whole : "\(whole) \(rest)\(units[first + 1].name)"
    }

    /// A bar of the time from start to end, filled up to now; nil where there is no such time.
    static func bar(from start: UnixTime, to end: UnixTime, now: UnixTime) -> String? {
        guard start < end, end != .forever, start != .always else { return nil }
        let width = 40
        let passed = now <= start ? 0 : min(now.seconds, end.seconds) - start.seconds
        let filled = min(width, Int(Double(passed) / Double(end.seconds - start.seconds) * Double(width)))
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
            + "]"
    }
}
