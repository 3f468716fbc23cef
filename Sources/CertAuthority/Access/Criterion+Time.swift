// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension Criterion {
    /// `{after: TIME, before: TIME}`, one of them at least: from the first moment on, until just before the second.
    static func date(_ value: YAMLValue) throws(CertAuthorityError) -> (Test, String) {
        var mapping = try value.mapping()
        let from = try mapping.value("after").map { value throws(CertAuthorityError) in try value.moment() }
        let until = try mapping.value("before").map { value throws(CertAuthorityError) in try value.moment() }
        try mapping.finish()
        guard from != nil || until != nil else { throw value.refuse("after or before expected") }
        guard from ?? .always < until ?? .forever else { throw value.refuse("after is not before before") }
        let words = [from.map { "from \($0)" }, until.map { "until \($0)" }].compactMap { $0 }
        return (.date(from: from ?? .always, until: until ?? .forever), "is \(words.joined(separator: " "))")
    }

    /// `{after: hh:mm, before: hh:mm, timezone: ZONE}`; without a zone it is UTC. Around midnight when the first is later.
    static func timeOfDay(
        _ value: YAMLValue, _ zones: TimeZoneDatabase
    ) throws(CertAuthorityError) -> (Test, String) {
        var mapping = try value.mapping()
        let zone = try mapping.zone(zones)
        let from = try mapping.value("after").map { value throws(CertAuthorityError) in try value.clockTime()
        }
        let until = try mapping.value("before").map { value throws(CertAuthorityError) in
            try value.clockTime()
        }
        try mapping.finish()
        guard from != nil || until != nil else { throw value.refuse("after or before expected") }
        guard from ?? 0 != until ?? 86_400 else { throw value.refuse("after and before are the same time") }
        let words = [from.map { "from \(clock($0))" }, until.map { "until \(clock($0))" }].compactMap { $0 }
        return (
            .timeOfDay(from: from ?? 0, until: until ?? 86_400, zone),
            "is \(words.joined(separator: " ")) in \(zone.name)"
        )
    }

    static let weekdayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    /// `mon-fri`, `sat`, `*` or a list of them, by itself (in UTC) or as `{days: …, timezone: ZONE}`.
    static func weekdays(
        _ value: YAMLValue, _ zones: TimeZoneDatabase
    ) throws(CertAuthorityError) -> (Test, String) {
        var zone = ZoneOffsets(name: "UTC", fixed: 0)
        var given = value
        if value.isMapping {
            var mapping = try value.mapping()
            zone = try mapping.zone(zones)
            given = try mapping.required("days")
            try mapping.finish()
        }
        var days: Set<Int> = []
        for item in try given.oneOrMore("days", maximum: weekdayNames.count) {
            // Pomerium's lists stand in one text, with commas.
            for part in try item.text().split(separator: ",", omittingEmptySubsequences: false) {
                let word = part.drop { $0 == " " }
                if word == "*" {
                    days.formUnion(0..<7)
                    continue
                }
                let ends = word.split(separator: "-", omittingEmptySubsequences: false)
                let numbers = ends.compactMap { end in weekdayNames.firstIndex { $0 == end } }
                guard numbers.count == ends.count, let first = numbers.first, let last = numbers.last,
                    numbers.count <= 2
                else {
                    throw item.refuse(
                        "\"\(String(word).escapedForTerminal)\": mon, tue, wed, thu, fri, sat, sun, a range like mon-fri or * expected"
                    )
                }
                // A range may go over the week's end: fri-mon.
                for step in 0...((last - first + 7) % 7) { days.insert((first + step) % 7) }
            }
        }
        return (.weekday(days, zone), "is \(spell(days)) in \(zone.name)")
    }

    /// "mon-fri, sun".
    private static func spell(_ days: Set<Int>) -> String {
        var runs: [ClosedRange<Int>] = []
        for day in days.sorted() {
            if let last = runs.last, last.upperBound == day - 1 {
                runs[runs.count - 1] = last.lowerBound...day
            } else {
                runs.append(day...day)
            }
        }
        return runs.map { run in
            let last = weekdayNames[run.upperBound]
            return run.count == 1 ? last : "\(weekdayNames[run.lowerBound])-\(last)"
        }.joined(separator: ", ")
    }

    /// Seconds since midnight as people write them.
    static func clock(_ seconds: Int64) -> String {
        func padded(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let minutes = "\(padded(seconds / 3_600)):\(padded(seconds / 60 % 60))"
        return seconds % 60 == 0 ? minutes : "\(minutes):\(padded(seconds % 60))"
    }
}

extension YAMLMapping {
    fileprivate mutating func zone(_ zones: TimeZoneDatabase) throws(CertAuthorityError) -> ZoneOffsets {
        guard let value = value("timezone") else { return ZoneOffsets(name: "UTC", fixed: 0) }
        let name = try value.text()
        return try value.reading { try zones.zone(name) }
    }
}

extension YAMLValue {
    /// `2026-11-26T10:00:00Z`, or `2026-11-26` for that day's start in UTC.
    func moment() throws(CertAuthorityError) -> UnixTime {
        let text = try text()
        var bytes = Array(text.utf8)
        if bytes.count == 10 { bytes += "T00:00:00Z".utf8 }
        let form = bytes.map { (0x30...0x39).contains($0) ? UInt8(ascii: "0") : $0 }
        let digits = bytes.filter { (0x30...0x39).contains($0) }.map { UInt64($0 - 0x30) }
        func number(_ range: Range<Int>) -> UInt64 { digits[range].reduce(0) { $0 * 10 + $1 } }
        guard form.elementsEqual("0000-00-00T00:00:00Z".utf8),
            let civil = CivilTime(
                year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10),
                minute: number(10..<12), second: number(12..<14))
        else {
            throw refuse(
                "\"\(text.escapedForTerminal)\": a time like 2026-11-26T10:00:00Z or a date like 2026-11-26 expected"
            )
        }
        return civil.unixTime
    }

    fileprivate func clockTime() throws(CertAuthorityError) -> Int64 {
        let text = try text()
        guard let time = ClockTime(Array(text.utf8)) else {
            throw refuse("\"\(text.escapedForTerminal)\": a time from 00:00 to 23:59 expected")
        }
        return time.seconds
    }
}
