// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import TestSupport
import Testing

@testable import Agent

@Suite struct AgentConfigurationTests {
    private func parse(_ text: String) throws(AgentError) -> [FlatYAML.Member] {
        try FlatYAML(parsing: Array(text.utf8)).members
    }

    private func configuration(
        _ text: String = "", variables: [String: String] = [:],
        _ fill: (inout SettingLayer) -> Void = { _ in }
    ) throws(AgentError) -> AgentConfiguration {
        var arguments = SettingLayer()
        fill(&arguments)
        return AgentConfiguration([
            arguments, SettingLayer(environment: { variables[$0] }),
            try SettingLayer(file: "/f.yaml", parsing: Array(text.utf8)),
        ])
    }

    /// P0's own example, as its manual has it.
    static let example = """
        # Required fields
        version: "1.0"
        orgId: "my-company"              # Your organization identifier
        hostId: "hostname-goes-here"
        tunnelHost: "wss://p0.example.com/websocket"
        hostname: "custom-hostname"
        keyPath: "/etc/p0-ssh-agent/keys"
        environmentId: "production"
        heartbeatIntervalSeconds: 30
        dryRun: true
        tunnelTimeoutMs: 30000
        labels:
          - "environment=production"
          - team=infrastructure
        """

    @Test func p0sExampleIsReadWhole() throws {
        let settings = try configuration(Self.example)
        #expect(settings.warnings == [])
        #expect(try settings.clientIdentity() == "my-company:hostname-goes-here:ssh")
        #expect(try settings.tunnelURL().description == "wss://p0.example.com/websocket")
        #expect(try settings.keyFolder() == "/etc/p0-ssh-agent/keys")
        #expect(try settings.hostName() == "custom-hostname")
        #expect(try settings.environmentID() == "production")
        #expect(try settings.heartbeatSeconds() == 30)
        #expect(try settings.dryRun())
        #expect(try settings.timeoutMilliseconds() == 30_000)
        #expect(try settings.labels() == ["environment=production", "team=infrastructure"])
        #expect(try settings.dialect() == .p0)
        #expect(try settings.trust() == .systemRoots)
    }

    @Test func anEmptyFileSaysNothing() throws {
        for text in ["", "# nothing\n", "---\n", "~", "{}"] { #expect(try parse(text) == []) }
        #expect(try configuration().heartbeatSeconds() == 60)
        #expect(throws: AgentError(.invalidRequest, "")) { try configuration().tunnelURL() }
        #expect(throws: AgentError(.invalidRequest, "")) { try configuration().clientIdentity() }
    }

    @Test func unknownNamesAreNamedAndPassedOver() throws {
        let settings = try configuration("orgid: a\nHOSTID: b\nspeed: 7\n")
        #expect(settings.warnings == ["/f.yaml: line 3: speed is no setting"])
        #expect(try settings.clientIdentity() == "a:b:ssh")
    }

    @Test(arguments: [
        "orgId: a\norgId: b", "orgId: a\nORGID: b", "orgId: {a: b}", "orgId: [[a]]", "- a",
        "orgId: &x a\nhostId: *x",
        "orgId: !!str a", "orgId: a\n---\nhostId: b", "orgId: \"a", "\t- a", "orgId: \"\\xff\"\n: ",
        "? [a]\n: b", "<<: *x",
    ])
    func attack11_aFileThatCanBeReadInTwoWaysIsRefused(text: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try parse(text) }
    }

    @Test func everyPrefixAndEveryChangedByteIsReadOrRefused() {
        let bytes = Array(Self.example.utf8)
        for count in 0..<bytes.count { _ = try? FlatYAML(parsing: Array(bytes[..<count])) }
        for index in bytes.indices {
            for flip: UInt8 in [0x01, 0x20, 0x80, 0x5b] {
                var changed = bytes
                changed[index] ^= flip
                _ = try? FlatYAML(parsing: changed)
            }
        }
    }

    // With P0's agent some variables work only if the file has the key too, and --dry-run=false never does.
    @Test func p0Defect1_argumentsCountBeforeTheEnvironmentBeforeTheFile() throws {
        let settings = try configuration(
            "orgId: file\nhostId: file\nhostname: file\ndryRun: true\nlabels: [f]\nenvironmentId: file",
            variables: [
                "P0_SSH_AGENT_ORGID": "p0", "P0_SSH_AGENT_HOSTID": "p0", "DAYPASS_AGENT_HOSTID": "ours",
                "P0_SSH_AGENT_HOSTNAME": "p0", "P0_SSH_AGENT_LABELS": "a=1, b=2",
                "P0_SSH_AGENT_ENVIRONMENTID": "p0",
            ]
        ) {
            $0.set(.dryRun, "false")
            $0.set(.environment, "arguments")
        }
        #expect(try settings.clientIdentity() == "p0:ours:ssh")
        #expect(try settings.hostName() == "p0")
        #expect(try settings.labels() == ["a=1", "b=2"])
        #expect(try !settings.dryRun())
        #expect(try settings.environmentID() == "arguments")
        #expect(try configuration(variables: ["P0_SSH_AGENT_DRYRUN": "true"]).dryRun())
        #expect(try !configuration("dryRun: true", variables: ["DAYPASS_AGENT_DRYRUN": "false"]).dryRun())
    }

    @Test(arguments: [
        ("heartbeatIntervalSeconds: 0"), ("heartbeatIntervalSeconds: -1"), ("heartbeatIntervalSeconds: 1.5"),
        ("heartbeatIntervalSeconds: 99999999999999999999"), ("heartbeatIntervalSeconds: [1]"),
    ])
    func aHeartbeatIsAWholeNumberOfSeconds(text: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try configuration(text).heartbeatSeconds() }
    }

    @Test(arguments: [
        "orgId: a:b\nhostId: c", "orgId: a\nhostId: ''", "orgId: a\nhostId: 'b c'",
        "orgId: \"a\\nb\"\nhostId: c",
        "clientId: 'a b'",
    ])
    func aClientIdIsPlain(text: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try configuration(text).clientIdentity() }
    }

    @Test func whatRegisterWritesIsReadBackAsItWas() throws {
        let odd = "a\"b\\c: d # e 'f' - [g] é"
        let text = ConfigurationFile.text(
            [(.organisation, odd), (.tunnel, "wss://x.example.com/t"), (.dialect, "daypass")],
            labels: [odd, "k=v"])
        let settings = try configuration(text)
        #expect(try settings.text(.organisation) == odd)
        #expect(try settings.labels() == [odd, "k=v"])
        #expect(try settings.dialect() == .daypass)
    }

    @Test func theFingerprintIsADigestsAndNothingElse() throws {
        let digits = String(repeating: "0a", count: 32)
        #expect(try TLSTrust(fingerprint: "SHA256:\(digits.uppercased())").fingerprint == "SHA256:\(digits)")
        let colons = (0..<32).map { _ in "0A" }.joined(separator: ":")
        #expect(try TLSTrust(fingerprint: "sha256:\(colons)") == TLSTrust(fingerprint: "SHA256:\(digits)"))
        for text in [
            "", digits, "SHA256:", "SHA256:\(digits)0a", "SHA256:\(digits.dropLast())", "SHA1:\(digits)",
            "SHA256:+a\(digits.dropFirst(2))", "SHA256:zz\(digits.dropFirst(2))",
        ] {
            #expect(throws: AgentError(.invalidRequest, "")) { try TLSTrust(fingerprint: text) }
        }
    }

    @Test func withoutTLSATunnelStaysOnThisMachine() throws {
        let key = try HostKey.generate()
        func settings(_ url: String, allowed: Bool = false) throws -> TunnelSettings {
            try TunnelSettings(
                url: TunnelURL(url), clientID: "a:b:ssh", key: key, agentVersion: "1", hostName: "h",
                allowingInsecureTransport: allowed)
        }
        #expect(throws: Never.self) { try settings("wss://example.com") }
        #expect(throws: Never.self) { try settings("ws://localhost:1") }
        #expect(throws: Never.self) { try settings("ws://example.com", allowed: true) }
        #expect(throws: AgentError(.invalidRequest, "")) { try settings("ws://example.com") }
        #expect(throws: AgentError(.invalidRequest, "")) { try settings("https://example.com") }
    }
}

@Suite struct ProxySettingsTests {
    private func proxy(_ url: String, _ variables: [String: String]) throws -> String? {
        try ProxySettings { variables[$0] }.proxy(for: TunnelURL(url))?.description
    }

    @Test(
        arguments: [
            ("wss://a.example.com", "secure.example.com:3128"),
            ("ws://a.example.com", "plain.example.com:80"),
            ("https://a.example.com", "secure.example.com:3128"), ("wss://localhost", nil),
            ("wss://127.0.0.1", nil),
            ("wss://inside.corp", nil), ("wss://deep.inside.corp", nil),
            ("wss://notinside.corp", "secure.example.com:3128"),
            ("wss://10.1.2.3", nil), ("wss://11.1.2.3", "secure.example.com:3128"),
            ("wss://[2001:db8::1]", nil),
            ("wss://port.example.com:8443", nil), ("wss://port.example.com", "secure.example.com:3128"),
        ] as [(String, String?)])
    func theUsualVariablesAreKeptTo(url: String, expected: String?) throws {
        let variables = [
            "HTTPS_PROXY": "http://user:pa%20ss@secure.example.com:3128/", "http_proxy": "plain.example.com",
            "HTTP_PROXY": "other.example.com",
            "NO_PROXY": ".inside.corp, 10.0.0.0/8,2001:db8::/32,port.example.com:8443",
        ]
        #expect(try proxy(url, variables) == expected)
    }

    @Test func aPasswordIsSentAndNeverShown() throws {
        let address = try ProxyAddress("http://user:pa%20ss@secure.example.com:3128/")
        #expect(address.authorization == "Basic dXNlcjpwYSBzcw==")
        #expect(!address.description.contains("pa"))
        for text in [
            "https://a", "socks5://a", "http://", "http://a:b%0d%0aX@c", "http://a:b%@c", "http://a:99999",
        ] {
            let error = try #require(throws: AgentError.self) { try ProxyAddress(text) }
            #expect(!error.reason.contains("a:b"))
        }
    }

    @Test func everythingMayBeDirect() throws {
        #expect(try proxy("wss://a.example.com", ["HTTPS_PROXY": "p", "no_proxy": "*"]) == nil)
        #expect(try proxy("wss://a.example.com", ["HTTPS_PROXY": ""]) == nil)
    }
}
