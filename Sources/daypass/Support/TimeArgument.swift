// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

/// Points in time as people write them.
enum TimeArgument {
    /// Reads RFC 3339 in UTC, `YYYYMMDD[HHMM[SS]]Z`, `@seconds`, or a span from now with its sign.
    static func parse(_ text: String, field: String, now: UnixTime) throws -> UnixTime {
        let refusal = CertAuthorityError(
            .invalidRequest,
            "\(field) \"\(text.escapedForTerminal)\": a time like 2026-11-21T05:00:00Z, 20261121050000Z, @1795237200, +1h or -5m "
                + "expected")
        switch text.first {
        case "+":
            guard let time = now.adding(try parseTimeSpan(String(text.dropFirst()), field: field)) else {
                throw refusal
            }
            return time
        case "-": return now.subtractingOrEpoch(try parseTimeSpan(String(text.dropFirst()), field: field))
        case "@":
            // Digits only: UInt64 would take a sign, too.
            guard text.utf8.dropFirst().allSatisfy({ (0x30...0x39).contains($0) }),
                let seconds = UInt64(text.dropFirst()), seconds < .max
            else { throw refusal }
            return UnixTime(seconds: seconds)
        default: break
        }
        guard text.last == "Z" else { throw refusal }
        let digits = text.dropLast().filter { !"-:T".contains($0) }
        let isPlain = text.dropLast().count == digits.count
        let separated = Array(text.utf8.map { (0x30...0x39).contains($0) ? UInt8(ascii: "0") : $0 })
        guard isPlain || separated == Array("0000-00-00T00:00:00Z".utf8), [8, 12, 14].contains(digits.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { throw refusal }
        let padded = digits + String(repeating: "0", count: 14 - digits.count)
        func part(_ start: Int, _ length: Int) -> UInt64 {
            UInt64(padded.dropFirst(start).prefix(length)) ?? 0
        }
        guard
            let civil = CivilTime(
                year: part(0, 4), month: part(4, 2), day: part(6, 2), hour: part(8, 2), minute: part(10, 2),
                second: part(12, 2))
        else { throw refusal }
        return civil.unixTime
    }
}
