// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import TestSupport
import Testing

/// What docs/formats/session-report.md shows is what is sent.
@Suite struct PAMDocumentationTests {
    private func example(_ number: Int) throws -> [Substring] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appendingPathComponent("docs/formats/session-report.md"), encoding: .utf8)
        let blocks = page.split(separator: "```\n", omittingEmptySubsequences: false)
        return try #require(blocks.count > number ? blocks[number] : nil).split(separator: "\n")
    }

    @Test func theExampleOfAReportIsOne() throws {
        // The last field's value ends in a newline of its own.
        let packet = try example(1).joined(separator: "\0") + "\n\0"
        let report = try SessionReport(parsing: Array(packet.utf8))
        #expect(report.account == "deploy")
        #expect(report.authentication.hasSuffix("\n"))
        #expect(throws: ControlProtocolError(.missing, "")) {
            try SessionReport(parsing: Array(packet.utf8.dropLast()))
        }
    }

    @Test func theExampleOfAQuestionIsOne() throws {
        let packet = try example(3).map { $0.filter { $0 != "…" } + "\0" }.joined()
        #expect(try AuthorizeRequest(parsing: Array(packet.utf8)).account == "deploy")
    }

    /// The reader's limits are the sender's.
    @Test(.enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    func theModuleSendsTheFieldsThatAreDocumentedInTheirOrder() throws {
        let place = try PAMModuleTests.Place()
        #expect(try place.call().status == 0)
        let file = try place.folder.read("spool/\(#require(place.spooled.first))")
        let names = file.split(separator: 0).compactMap {
            $0.split(separator: UInt8(ascii: "=")).first.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try example(1).compactMap { $0.split(separator: "=").first.map(String.init) } == names)
    }
}
