// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import SSHWire
import Testing

@Suite struct AuthorityKeysTests {
    private func parse(_ text: String) throws(AgentError) -> [TrustSettings.AuthorityKey] {
        try TrustSettings.AuthorityKey.parse(Array(text.utf8), name: "ca.pub")
    }

    @Test func severalKeysAreReadForRotation() throws {
        let one = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let two = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let keys = try parse("# old\n\(one.text) first\n\n  \(two.text)\n")
        #expect(keys.map(\.key) == [one, two])
        #expect(keys[0].comment == "first")
        #expect(try TrustSettings(authorities: keys + keys).authorities.count == 2)
    }

    @Test(arguments: [
        "junk", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M=",
        "cert-authority ssh-ed25519 AAAA",
        "<html>", "-----BEGIN OPENSSH PRIVATE KEY-----", "\u{0}",
    ])
    func aLineThatIsNoKeyIsRefusedWithItsNumber(line: String) throws {
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let error = try #require(throws: AgentError.self) { try parse("\(key.text)\n\(line)\n") }
        #expect(error.code == .invalidRequest)
        #expect(error.reason.contains("ca.pub line 2"))
    }

    @Test(arguments: ["", "\n", "# nothing\n"])
    func aFileWithoutAKeyIsRefused(text: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try parse(text) }
    }

    @Test func withoutACAThereIsNothingToTrust() {
        #expect(throws: AgentError(.invalidRequest, "")) { try TrustSettings(authorities: []) }
    }

    @Test func attack62_eachWayOfForwardingIsForbiddenOutright() throws {
        let host = TrustHost("UsePAM yes\n")
        try host.install(try .some { $0.restrictions = ForwardingRestriction.all })
        let text = try #require(host.files.text(TrustHost.main))
        for line in [
            "AllowTcpForwarding no", "AllowStreamLocalForwarding no", "AllowAgentForwarding no",
            "X11Forwarding no",
            "PermitTunnel no", "GatewayPorts no",
        ] { #expect(text.contains("\n\(line)\n")) }
        #expect(!text.contains("DisableForwarding"))
        #expect(throws: AgentError(.invalidRequest, "")) {
            try ForwardingRestriction("PermitTunnel", "maybe")
        }
        #expect(throws: AgentError(.invalidRequest, "")) {
            try ForwardingRestriction("DisableForwarding", "yes")
        }
    }

    @Test func attack57_nothingOfACertificateReachesACommandOrAPath() throws {
        let host = TrustHost("UsePAM yes\n")
        try host.install(try .some { $0.restrictions = ForwardingRestriction.all })
        let lines = try SshdConfiguration(reading: TrustHost.main, from: host.files).directives
        #expect(!lines.contains { $0.keyword.contains("command") })
        // The account's name alone, which sshd has looked up by then.
        #expect(lines.filter { $0.value.contains("%") }.map(\.value) == ["/etc/daypass/principals/%u"])
        for folder in ["/etc/day%kpass", "/etc/day pass", "/etc/\"", "relative", "/etc/a#b"] {
            let layout = HostLayout(configuration: folder)
            #expect(throws: AgentError(.invalidRequest, "")) {
                try TrustPlanner.plan(try .some(), host: host.files, sshd: host.sshd, layout: layout)
            }
        }
    }
}
