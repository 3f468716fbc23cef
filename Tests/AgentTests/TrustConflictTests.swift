// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import SSHWire
import Testing

@Suite struct TrustConflictTests {
    @Test(arguments: [
        ("TrustedUserCAKeys /etc/ssh/ca.pub\n", "TrustedUserCAKeys", 1),
        ("Port 22\nRevokedKeys /etc/ssh/krl\n", "RevokedKeys", 2),
        ("AuthorizedPrincipalsFile .ssh/principals\n", "AuthorizedPrincipalsFile", 1),
        ("AuthorizedPrincipalsCommand /bin/x\n", "AuthorizedPrincipalsCommand", 1),
        ("PubkeyAuthentication no\n", "PubkeyAuthentication", 1),
        ("Match User backup\nTrustedUserCAKeys none\n", "TrustedUserCAKeys", 2),
        ("Match Group admins\n  AuthorizedPrincipalsFile none\n", "AuthorizedPrincipalsFile", 2),
        ("Match all\nExposeAuthInfo no\n", "ExposeAuthInfo", 2),
        ("Match Address 10.0.0.0/8\nRevokedKeys /x\n", "RevokedKeys", 2),
        ("Match User u\nAuthorizedPrincipalsCommand /bin/x\n", "AuthorizedPrincipalsCommand", 2),
    ])
    func anAdministratorsSettingIsNamedWithItsPlace(main: String, keyword: String, line: Int) throws {
        let host = TrustHost(main)
        let error = try #require(throws: AgentError.self) { try host.plan(try .some()) }
        #expect(error.code == .conflict)
        #expect(error.reason.contains(keyword))
        #expect(error.reason.contains("/etc/ssh/sshd_config line \(line)"))
        #expect(error.hint != nil)
    }

    @Test(arguments: [
        "TrustedUserCAKeys none\nRevokedKeys none\nAuthorizedPrincipalsFile none\nAuthorizedPrincipalsCommand none\n",
        "Match User u\nX11Forwarding yes\nAllowTcpForwarding yes\n",
        "Match User u\nTrustedUserCAKeys /etc/daypass/user_ca_keys\nExposeAuthInfo YES\n",
        "PubkeyAuthentication yes\n",
    ])
    func whatTakesNothingFromUsIsNoConflict(main: String) throws {
        #expect(try !TrustHost(main).plan(try .some()).isEmpty)
    }

    @Test func aBlockThatAllowsWhatIsForbiddenIsAConflict() throws {
        let host = TrustHost("Match User u\nAllowTcpForwarding yes\n")
        let settings = try TrustSettings.some { $0.restrictions = ForwardingRestriction.all }
        let error = try #require(throws: AgentError.self) { try host.plan(settings) }
        #expect(error.reason.contains("line 2"))
        #expect(try !TrustHost("Match User u\nAllowTcpForwarding NO\n").plan(settings).isEmpty)
    }

    @Test func aForbiddenSettingThatIsReplacedIsNoted() throws {
        let host = TrustHost("X11Forwarding yes\n")
        let plan = try host.plan(try .some { $0.restrictions = ForwardingRestriction.all })
        #expect(plan.notes.contains { $0.contains("X11Forwarding yes at /etc/ssh/sshd_config line 1") })
    }

    @Test func keysOfAnAdministratorsCAAreTakenOverWhenAsked() throws {
        let other = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let host = TrustHost(
            "TrustedUserCAKeys /etc/ssh/ca.pub\n", ["/etc/ssh/ca.pub": "# old\n\(other.text) the old one\n"])
        let settings = try TrustSettings.some { $0.adoptsAuthorities = true }
        let plan = try host.plan(settings)
        #expect(plan.notes.contains { $0.contains("/etc/ssh/ca.pub") && $0.contains("taken over") })
        try host.files.apply(plan)
        #expect(
            host.files.text("/etc/daypass/user_ca_keys")?.contains("\(other.text) the old one\n") ?? false)
        #expect(try host.winner("TrustedUserCAKeys") == "/etc/daypass/user_ca_keys")
        #expect(try host.plan(settings).isEmpty)
        // sshd skips what it cannot read there; we don't.
        host.files.put("/etc/ssh/ca.pub", Array("junk\n".utf8))
        #expect(throws: AgentError(.invalidRequest, "")) { try host.plan(settings) }
    }

    @Test func anAdministratorsRevocationsAreTakenOverWhenAsked() throws {
        let stolen = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let host = TrustHost("RevokedKeys /etc/ssh/revoked\n", ["/etc/ssh/revoked": "\(stolen.text)\n"])
        let settings = try TrustSettings.some {
            $0.adoptsRevocations = true
            $0.revocations = .given(try revocations(3, [7]))
        }
        try host.install(settings)
        let installed = try #require(try host.files.read("/etc/daypass/revoked_keys"))
        let list = try KeyRevocationList(encoded: installed.bytes)
        #expect(list.revocation(of: stolen) != nil)
        #expect(list.version == 3)
        #expect(list.certificates.first?.serials.range(holding: 7) != nil)
        #expect(try host.plan(settings).isEmpty)
    }
}
