// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlPlane
import SSHWire
import TestSupport
import Testing

@Suite("Settings of alerts") struct AlertSettingsTests {
    private func read(_ alerts: String, environment: [String: String] = [:]) throws(CertAuthorityError)
        -> ServerConfiguration.Alerts
    {
        try ServerConfiguration(
            yaml: "version: 1\nalerts: \(alerts)\n", name: "daypassd.yaml", environment: environment
        ).alerts
    }

    @Test func withoutAnythingHostsAreWatchedAndNobodyIsTold() throws {
        let settings = try ServerConfiguration(yaml: "version: 1\n", name: "x").alerts
        #expect(settings.hostSilentAfter == 600 && settings.clockOffBy == 30 && settings.webhooks.isEmpty)
    }

    @Test func theyAreReadAndVariablesWin() throws {
        let settings = try read(
            """
            {host_silent_after: 5m, clock_off_by: 10s, webhooks: [
              {url: "https://hooks.slack.com/services/T/B/X", format: slack, events: [never-issued, gap]},
              {url: "http://127.0.0.1:8080/x", secret_file: secret, authorities_file: ca.pem}]}
            """, environment: ["DAYPASSD_ALERTS_HOST_SILENT_AFTER": "1h"])
        #expect(settings.hostSilentAfter == 3_600 && settings.clockOffBy == 10)
        let slack = try #require(settings.webhooks.first)
        #expect(slack.format == .slack && slack.events == [.neverIssued, .gap])
        #expect(slack.url.description == "https://hooks.slack.com")
        let json = try #require(settings.webhooks.last)
        #expect(json.format == .json && json.secretFile == "secret" && json.authoritiesFile == "ca.pem")
        #expect(json.events == Set(AlertEvent.allCases))
    }

    @Test(arguments: [
        "7", "{other: 1}", "{host_silent_after: 0s}", "{host_silent_after: 31d}", "{clock_off_by: 2d}",
        "{clock_off_by: soon}", "{webhooks: {}}", "{webhooks: [{}]}", "{webhooks: [{url: \"ftp://x\"}]}",
        "{webhooks: [{url: \"https://a\", format: xml}]}", "{webhooks: [{url: \"https://a\", events: []}]}",
        "{webhooks: [{url: \"https://a\", events: [everything]}]}",
        "{webhooks: [{url: \"https://a\", more: 1}]}",
        "{webhooks: [{url: \"https://a/x\"}, {url: \"https://a/x\"}]}",
    ])
    func whatIsWrongIsRefusedByItsName(alerts: String) throws {
        let error = #expect(throws: CertAuthorityError.self) { try read(alerts) }
        #expect(error?.code == .configuration)
        #expect(error?.reason.contains("alerts") == true, "\(error?.reason ?? "")")
    }

    @Test(arguments: [
        "http://example.com/x", "http://localhost/x", "http://127.1/x", "http://0177.0.0.1/x",
        "http://127.0.0.1.evil/x",
        "https://", "https:///x", "https://user:SECRET@example.com/", "https://example.com:0/",
        "https://example.com:70000/",
        "https://exa mple.com/", "https://example.com/SECRET#f", "https://[::1/x", "https://[example]/",
        "javascript:x",
        "https://example.com/\u{1b}SECRET", "https://example.com\\SECRET", "https://-x/",
    ])
    func anAddressThatIsNoneIsRefusedAndItsPathIsNotSaid(text: String) {
        let error = #expect(throws: CertAuthorityError.self) { try WebhookURL(text) }
        #expect(error?.reason.contains("SECRET") == false)
    }

    @Test(arguments: [
        ("https://example.com", "https://example.com"),
        ("https://example.com:8443/a?b=c", "https://example.com:8443"),
        ("http://127.0.0.1:80/x", "http://127.0.0.1:80"), ("http://[::1]:8080/x", "http://[::1]:8080"),
        ("https://[2001:db8::1]/x?y", "https://[2001:db8::1]"),
    ])
    func anAddressIsShownWithoutWhatMayBeSecret(text: String, shown: String) throws {
        let url = try WebhookURL(text)
        #expect(url.description == shown && url.secretText == text && "\(url)" == shown)
        #expect(url.redacted("failed: \(text)") == (text == shown ? "failed: \(text)" : "failed: \(shown)/…"))
        #expect(url.storedName.utf8.count == 64)
    }

    @Test func aSecretThatIsShortOrThatOthersMayReadIsRefused() throws {
        let folder = try TemporaryFolder()
        func webhook(_ file: String) throws -> Webhook {
            let settings = try read("{webhooks: [{url: \"https://a/SECRET\", secret_file: \"\(file)\"}]}")
            return try Webhook(try #require(settings.webhooks.first), number: 3) { $0 }
        }
        let short = try folder.write("0123456789\n", to: "short", mode: 0o600)
        let error = #expect(throws: CertAuthorityError.self) { try webhook(short) }
        #expect(error?.reason == "alerts.webhooks[3]: secret_file: 10 bytes, at least 16 are expected")
        let open = try folder.write("0123456789abcdef", to: "open", mode: 0o644)
        #expect(throws: CertAuthorityError.self) { try webhook(open) }
        #expect(throws: CertAuthorityError.self) { try webhook(folder.path("none")) }
        let good = try folder.write("0123456789abcdef\r\n", to: "good", mode: 0o600)
        #expect(try webhook(good).label == "alerts.webhooks[3] at https://a")
        let settings = try read("{webhooks: [{url: \"https://a\", authorities_file: \"\(good)\"}]}")
        #expect(throws: CertAuthorityError.self) {
            try Webhook(try #require(settings.webhooks.first), number: 0) { $0 }
        }
    }
}
