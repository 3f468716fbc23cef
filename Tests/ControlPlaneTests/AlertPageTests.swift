// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Crypto
import Foundation
import SSHWire
import Testing

@testable import ControlPlane

@Suite("docs/formats/alert.md") struct AlertPageTests {
    private static let page: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return (try? String(contentsOf: root.appending(path: "docs/formats/alert.md"), encoding: .utf8)) ?? ""
    }()

    @Test func theExampleIsWhatTheCodePosts() throws {
        let record = HostEventRecord(
            kind: .opened, host: "web1", sequence: 1, recordHash: [UInt8](repeating: 1, count: 32),
            happened: 1,
            session: "ed4772d3ac92a9adc5683e90e2437eb0", account: "deploy", sourceAddress: "192.0.2.7",
            method: "publickey", keyFingerprint: "SHA256:qC3OYvAwGPvkPnh1ybvBPU6xNoPxDCcsnH9OF3kYyNM",
            keyID: "alice@example.com#99", serial: 99, authority: "SHA256:a", match: .unknown, issuance: nil,
            reason: "")
        let entry = LogEntry(
            milliseconds: 1_795_237_260_123, requester: try Identity("web1"), event: .hostEvent(record))
        let alert = try #require(Alert(4_711, entry))
        let body = AlertMessage(alert: alert, origin: "daypass.example.com/log").body(.json)
        let block = try #require(Self.page.components(separatedBy: "```").dropFirst().first)
        #expect(block.contains("\n\(String(decoding: body, as: UTF8.self))\n"))
        let signature = AlertMessage.signature(
            of: body, at: 1_795_237_261,
            by: SymmetricKey(data: Array("0123456789abcdef0123456789abcdef".utf8)))
        #expect(block.contains("\ndaypass-signature: \(signature)\n"))
    }

    @Test func everyEventAndFieldIsOnThePageAndOnTheOneOfWhatToDo() throws {
        for event in AlertEvent.allCases { #expect(Self.page.contains("`\(event.rawValue)`"), "\(event)") }
        for field in Alert.Field.allCases { #expect(Self.page.contains("`\(field.rawValue)`"), "\(field)") }
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let operating = try String(contentsOf: root.appending(path: "docs/operating.md"), encoding: .utf8)
        for event in AlertEvent.allCases where event != .test {
            #expect(operating.contains("`\(event.rawValue)`"), "\(event)")
        }
    }
}
