// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import Testing

@testable import CertAuthority

@Suite("Time zones of an access policy")
struct TimeZoneTests {
    /// Foundation has a table of its own: both tell the same time, now and when rules are yearly.
    @Test(arguments: [
        "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago",
        "Africa/Cairo",
        "Pacific/Apia", "Asia/Kathmandu", "Europe/Dublin", "America/St_Johns", "Etc/GMT+5",
    ])
    func aZoneTellsTheTimeThatFoundationTells(name: String) throws {
        let zone = try TimeZoneDatabase.system.zone(name)
        let foundation = try #require(TimeZone(identifier: name))
        // From 2000 to 2037, in steps that are no whole number of days.
        for seconds in stride(from: UInt64(946_684_800), to: 2_145_916_800, by: 1_234_567) {
            let expected = foundation.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(seconds)))
            #expect(zone.offset(at: UnixTime(seconds: seconds)) == Int64(expected), "\(name) at \(seconds)")
        }
    }

    @Test(
        arguments: [
            (1_774_745_999, 3_600), (1_774_746_000, 7_200), (1_792_889_999, 7_200), (1_792_890_000, 3_600),
            // After all that is written out: the yearly rule.
            (4_109_878_799, 3_600), (4_109_878_800, 7_200),
        ] as [(UInt64, Int64)])
    func theClocksOfParisChangeInTheNightThatTheyDo(seconds: UInt64, offset: Int64) throws {
        #expect(
            try TimeZoneDatabase.system.zone("Europe/Paris").offset(at: UnixTime(seconds: seconds)) == offset)
    }

    @Test func aTimeAtTheEdgesHasAnOffset() throws {
        let zone = try TimeZoneDatabase.system.zone("America/New_York")
        for seconds in [0, 1, UInt64.max - 1, UInt64.max] { _ = zone.clock(at: UnixTime(seconds: seconds)) }
        let early = try TimeZoneDatabase.system.zone("-14:00").clock(at: UnixTime(seconds: 0))
        #expect(early.second == 36_000)
        #expect(early.weekday == 2)
    }

    @Test(arguments: [
        "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "UTC0", "AAA-3BBB,J60/0,J300/-167",
        "AAA3BBB2,0/167,365",
    ])
    func aYearlyRuleIsRead(rule: String) {
        #expect(ZoneRule(Array(rule.utf8)[...]) != nil)
    }

    @Test(arguments: [
        "", "E5", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.1.0,M1.1.0", "EST5EDT,M1.6.0,M1.1.0",
        "EST5EDT,M1.1.7,M1.1.0", "EST5EDT,J0,J1", "EST5EDT,366,1", "EST25", "EST5EDT,1/168,2", "UTC0 ", "<A5",
    ])
    func whatIsNoYearlyRuleIsRefused(rule: String) {
        #expect(ZoneRule(Array(rule.utf8)[...]) == nil)
    }

    @Test func everyPrefixAndChangedByteOfAZonesFileIsTaken() throws {
        let file = try FileIO.read("/usr/share/zoneinfo/Europe/Paris", maximumBytes: 64 << 10)
        #expect(ZoneOffsets(name: "x", file: file) != nil)
        for count in file.indices { #expect(ZoneOffsets(name: "x", file: Array(file.prefix(count))) == nil) }
        for index in file.indices {
            for value in [0, 0x7f, 0xff, file[index] ^ 1] as [UInt8] {
                var changed = file
                changed[index] = value
                let zone = ZoneOffsets(name: "x", file: changed)
                for seconds in [0, AccessSample.now.seconds, UInt64.max] {
                    _ = zone?.clock(at: UnixTime(seconds: seconds))
                }
            }
        }
    }

    @Test(arguments: [
        "Europe/Paris", "utc", "", "/etc/passwd", "../zoneinfo/UTC", "+1:00", "+14:01", "+00:60",
        "Europe//Paris",
    ])
    func withoutADatabaseOnlyOffsetsAreKnown(name: String) {
        #expect(throws: CertAuthorityError.self) { try TimeZoneDatabase.none.zone(name) }
    }
}
