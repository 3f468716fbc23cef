// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Testing

@Suite("Spans of time")
struct TimeSpanTests {
    @Test(
        arguments: [
            ("1", 1), ("90", 90), ("90s", 90), ("15m", 900), ("8h", 28_800), ("30d", 2_592_000),
            ("2w", 1_209_600),
            ("1d12h", 129_600), ("1H30M", 5_400), ("1h30", 3_630), ("0h5m", 300), ("007s", 7),
            ("18446744073709551615", UInt64.max), ("1w1w", 1_209_600),
        ] as [(String, UInt64)])
    func aSpanIsRead(text: String, seconds: UInt64) throws {
        #expect(try parseTimeSpan(text, field: "validity") == seconds)
    }

    @Test(arguments: [
        "", " ", "0", "0s", "0d0h", "s", "h8", "-1", "-8h", "+8h", "8 h", "8h ", " 8h", "1.5h", "1e3", "8x",
        "8y", "forever", "always", "0x10", "8hh", "1,000", "٣s", "８h", "½", "8h\n", "8h\0", "8\u{17f}",
        "18446744073709551616", "18446744073709551615s1s", "30500568904944w", "5124095576030432h",
        "99999999999999999999999999h", String(repeating: "1s", count: 33),
    ])
    func whatIsNoPositiveSpanIsRefused(text: String) throws {
        #expect(
            try refusalCode { _ = try parseTimeSpan(text, field: "validity") } == .invalidRequest)
    }

    @Test func noOtherLetterIsTakenForAUnit() throws {
        var taken: Set<Unicode.Scalar> = []
        for value in UInt32(0)...0x1_ffff {
            guard let scalar = Unicode.Scalar(value) else { continue }
            if try refusalCode({ _ = try parseTimeSpan("1\(scalar)", field: "validity") }) == nil {
                taken.insert(scalar)
            }
        }
        #expect(taken == Set("smhdwSMHDW0123456789".unicodeScalars))
    }

    @Test func theErrorNamesItsField() {
        let error = #expect(throws: CertAuthorityError.self) { try parseTimeSpan("soon", field: "backdate") }
        #expect(error?.reason.hasPrefix("backdate \"soon\"") == true)
    }

    @Test func whatIsSpeltReadsBack() throws {
        var samples: [UInt64] = [
            1, 59, 60, 61, 3_600, 86_399, 86_400, 604_800, 604_801, 694_861, .max, .max - 1,
        ]
        for shift in UInt64(0)..<64 { samples += [1 << shift, 1 << shift + 1] }
        for _ in 0..<1_000 { samples.append(.random(in: 1 ... .max)) }
        for seconds in samples {
            #expect(try parseTimeSpan(spell(seconds), field: "validity") == seconds)
        }
    }

    @Test(
        arguments: [
            (0, "0s"), (28_800, "8h"), (86_400, "1d"), (604_800, "1w"), (777_600, "9d"), (90, "1m30s"),
        ]
            as [(UInt64, String)])
    func aSpanIsSpeltTheUsualWay(seconds: UInt64, text: String) {
        #expect(spell(seconds) == text)
    }
}
