// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Testing

@Suite("docs/formats/signing-order.md")
struct SigningOrderPageTests {
    /// The bytes of the page's examples: in code blocks, what stands before each line's bar.
    private func examples() throws -> [[UInt8]] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try FileIO.read("/\(root)/docs/formats/signing-order.md", maximumBytes: 64 << 10)
        return String(decoding: page, as: UTF8.self).split(separator: "```").enumerated()
            .filter { !$0.offset.isMultiple(of: 2) }
            .map { _, block in
                block.split(separator: "\n").flatMap { line in
                    line.prefix { $0 != "|" }.split(separator: " ").compactMap { UInt8($0, radix: 16) }
                }
            }
    }

    @Test func theExamplesAreWhatTheCodeWritesAndReads() throws {
        let order = SigningOrder(number: 7, indexes: [12, 13])
        let answer = SigningAnswer(
            number: 7,
            result: .failure(CertAuthorityError(.logInconsistent, "entry 12 records no certificate")))
        let examples = try examples()
        try #require(examples.count == 2)
        #expect(examples == [order.frame, answer.frame])
        let body = Array(examples[0].dropFirst(4))
        #expect(try SigningOrder(body: body.span) == order)
        // One byte less is no order.
        let short = Array(body.dropLast())
        #expect(throws: (any Error).self) { try SigningOrder(body: short.span) }
    }
}
