// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Alerts as messages") struct AlertMessageTests {
    private func alert(account: String = "deploy", host: String = "web1") throws -> Alert {
        let record = HostEventRecord(
            kind: .opened, host: ExactText(host), sequence: 1,
            recordHash: [UInt8](repeating: 1, count: 32), happened: 1, session: "s1",
            account: ExactText(account), sourceAddress: "192.0.2.7", method: "publickey",
            keyFingerprint: "SHA256:k", keyID: "", serial: 0, authority: "", match: .staticKey, issuance: nil,
            reason: "")
        let entry = LogEntry(milliseconds: 1_000, requester: try Identity(host), event: .hostEvent(record))
        return try #require(Alert(7, entry))
    }

    private func slack(_ alert: Alert) throws -> String {
        let body = AlertMessage(alert: alert, origin: "test.example").body(.slack)
        let json = try JSONValue(parsing: body, maximumBytes: 64 << 10)
        #expect(json["mrkdwn"]?.bool == false && json["link_names"]?.bool == false)
        return try #require(json["text"]?.string)
    }

    @Test func aSlackMessageSaysWhatHappenedWhere() throws {
        let expected =
            "daypass test.example, entry 7, static-key: web1: deploy logged in from 192.0.2.7 by a static key SHA256:k"
        #expect(try slack(try alert()) == expected)
    }

    @Test(arguments: [
        "<!channel>", "<!here|x>", "<@U123>", "@channel", "@here", "x@everyone", "@all", "(@HERE)",
        "\u{ff20}here",
        "<https://evil.example|click>", "a & b < c > d", "@alice",
    ])
    func attack39_whatAHostSaysIsNoMentionLinkOrCommand(text: String) throws {
        let message = try slack(try alert(account: text))
        let said = message.replacing("&amp;", with: "").replacing("&lt;", with: "").replacing(
            "&gt;", with: "")
        #expect(!said.contains("<") && !said.contains(">") && !said.contains("&"))
        for word in ["@channel", "@here", "@everyone", "@all", "@alice", "\u{ff20}here"] {
            #expect(!message.lowercased().contains(word), "\(message)")
        }
    }

    @Test func anAddressStaysOne() {
        #expect(AlertMessage.escape("alice@example.com") == "alice@example.com")
    }

    @Test func attack39_controlCharactersOfAHostAreEscapedInEveryFormat() throws {
        let alert = try alert(account: "de\u{1b}[2Jploy\n@channel\u{202e}")
        for format in ServerConfiguration.Alerts.Format.allCases {
            let text = String(
                decoding: AlertMessage(alert: alert, origin: "test.example").body(format), as: UTF8.self)
            #expect(!text.contains("\u{1b}") && !text.contains("\n"))
            #expect(!(try slack(alert)).contains("\u{202e}"))
        }
    }

    @Test func aMessageHasABound() throws {
        let message = try slack(try alert(account: String(repeating: "<", count: 200_000)))
        #expect(message.utf8.count <= 4 * 2_000)
    }
}
