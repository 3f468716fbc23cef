// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

@testable import CertAuthority

@Suite("docs/formats/log-entry.md")
struct FormatPageTests {
    /// The bytes of the page's examples: in code blocks, what stands before each line's bar.
    private func examples() throws -> [[UInt8]] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try FileIO.read("/\(root)/docs/formats/log-entry.md", maximumBytes: 64 << 10)
        var examples: [[UInt8]] = []
        var isInside = false
        for line in String(decoding: page, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            if line.hasPrefix("```") {
                isInside.toggle()
                if isInside { examples.append([]) }
            } else if isInside, let bar = line.firstIndex(of: "|") {
                for digits in line[..<bar].split(separator: " ") {
                    let isPair = digits.utf8.count == 2
                    let byte = try #require(UInt8(digits, radix: 16), "\(digits)")
                    try #require(isPair)
                    examples[examples.count - 1].append(byte)
                }
            }
        }
        return examples
    }

    @Test func theExamplesAreWhatTheCodeWrites() throws {
        let requester = try Identity("operator")
        let issuance = LogEntry(
            milliseconds: sampleNow.seconds * 1_000 + 123, requester: requester,
            event: try LogEntryTests.issuance(try Sample.userRequest(identity: "alice"), serial: 42))
        let revocation = LogEntry(
            milliseconds: sampleNow.seconds * 1_000 + 456, requester: requester,
            event: .revocation(
                try RevocationRecord(
                    target: .serial(42, authority: try Sample.userAuthority.publicKey),
                    expires: UnixTime(seconds: sampleNow.seconds + 28_800), reason: "key lost")))
        #expect(try examples() == [try issuance.encoded(), try revocation.encoded()])
    }
}
