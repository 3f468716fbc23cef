// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Where a policy's time zones come from.
///
/// Not from Foundation: on Linux its `TimeZone` brings its own table of the world's zones, as old as the toolchain that
/// built the program, asks it again for every moment, and would be this target's only need of Foundation. The machine's
/// own files are kept up to date by its distribution, and two small parsers read them (RFC 9636, POSIX.1 `TZ`).
public struct TimeZoneDatabase: Sendable {
    private let folder: String?

    /// The largest file, in bytes; the largest ones of tzdata take 4 KB.
    private static let maximumBytes = 64 << 10
    /// The longest name, in bytes; the longest of tzdata has 32.
    private static let maximumNameBytes = 64

    /// The machine's.
    public static let system = TimeZoneDatabase(folder: "/usr/share/zoneinfo")
    /// UTC and fixed offsets only: nothing is read.
    public static let none = TimeZoneDatabase(folder: nil)

    public init(folder: String?) { self.folder = folder }

    /// The zone of a name: `UTC`, an offset like `+01:00`, or an IANA name like `Europe/Paris`.
    func zone(_ name: String) throws(CertAuthorityError) -> ZoneOffsets {
        if name == "UTC" { return ZoneOffsets(name: name, fixed: 0) }
        if let first = name.utf8.first, "+-".utf8.contains(first) {
            guard let offset = Self.offset(Array(name.utf8)) else {
                throw CertAuthorityError(
                    .configuration,
                    "time zone \"\(name.escapedForTerminal)\": an offset like +01:00 expected, up to 14:00")
            }
            return ZoneOffsets(name: name, fixed: offset)
        }
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isName =
            name.utf8.count <= Self.maximumNameBytes
            && parts.allSatisfy { part in
                part.first.map(isLetterOrDigit) == true
                    && part.allSatisfy { isLetterOrDigit($0) || "_+-".utf8.contains($0) }
            }
        guard isName else {
            throw CertAuthorityError(
                .configuration,
                "time zone \"\(name.escapedForTerminal)\": UTC, an offset like +01:00, or a name like Europe/Paris expected"
            )
        }
        guard let folder else {
            throw CertAuthorityError(
                .configuration, "time zone \(name): only UTC and offsets like +01:00 are known here")
        }
        let bytes: [UInt8]
        do {
            bytes = try FileIO.read("\(folder)/\(name)", maximumBytes: Self.maximumBytes)
        } catch {
            throw CertAuthorityError(
                .configuration, "time zone \(name): \(error.reason)",
                hint: "install tzdata, mind the capitals, or write an offset like +01:00")
        }
        guard let zone = ZoneOffsets(name: name, file: bytes) else {
            throw CertAuthorityError(
                .configuration, "time zone \(name): \(folder)/\(name) is no file of a time zone (RFC 9636)")
        }
        return zone
    }

    /// `+hh:mm` or `-hh:mm` in seconds; no zone is further than 14 hours from UTC.
    private static func offset(_ text: [UInt8]) -> Int64? {
        guard text.count == 6, let seconds = ClockTime(text[1...], withSeconds: false)?.seconds,
            seconds <= 14 * 3_600
        else { return nil }
        return text[0] == UInt8(ascii: "-") ? -seconds : seconds
    }
}

/// A time of day as people write it.
struct ClockTime {
    /// Since midnight.
    let seconds: Int64

    /// `hh:mm`, or `hh:mm:ss` where seconds may be given; nil for anything else.
    init?(_ text: some Collection<UInt8>, withSeconds: Bool = true) {
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2 || withSeconds && parts.count == 3 else { return nil }
        var total: Int64 = 0
        for (part, limit) in zip(parts, [24, 60, 60] as [Int64]) {
            guard part.count == 2 else { return nil }
            var number: Int64 = 0
            for byte in part {
                guard (0x30...0x39).contains(byte) else { return nil }
                number = number * 10 + Int64(byte - 0x30)
            }
            guard number < limit else { return nil }
            total = total * 60 + number
        }
        seconds = parts.count == 2 ? total * 60 : total
    }
}
