// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite("The judge of certificates") struct CertificateJudgeTests {
    /// A moment in which ``RawCertificate`` is valid.
    private static let now = UnixTime(seconds: 1_500)
    private static let alice = CertificateJudge.Purpose.login(principal: "alice", address: nil)

    private func judge(
        _ raw: RawCertificate, by signer: PrivateKey? = nil, for purpose: CertificateJudge.Purpose = alice,
        at time: UnixTime = now, _ change: (inout CertificateJudge) -> Void = { _ in }
    ) throws -> [Refusal] {
        var judge = CertificateJudge(authorities: [try TestKeys.authority.get().publicKey])
        change(&judge)
        let certificate = try raw.certificate(by: signer)
        switch judge.judge(certificate, for: purpose, at: time) {
        case .accepted(let accepted):
            #expect(accepted.certificate == certificate)
            return []
        case .refused(let refusals):
            #expect(!refusals.isEmpty)
            return refusals
        }
    }

    private func from(_ address: String) throws -> CertificateJudge.Purpose {
        .login(principal: "alice", address: try IPAddress(address))
    }

    @Test(arguments: KeyType.allCases)
    func aGoodCertificateIsAccepted(type: KeyType) throws {
        #expect(try judge(try RawCertificate(type)) == [])
        var host = try RawCertificate(type)
        host.kind = 2
        #expect(try judge(host, for: .host(name: "alice")) == [])
    }

    // MARK: Authority and signature

    @Test func anotherAuthorityIsRefused() throws {
        var raw = try RawCertificate()
        let stranger = try TestKeys.stranger.get()
        raw.signatureKey = stranger.publicKey.encoded
        let refusals = try judge(raw, by: stranger)
        #expect(refusals.map(\.rule) == [.authority])
        #expect(refusals.first?.reason.contains(stranger.publicKey.fingerprint) == true)
        #expect(refusals.first?.reason.contains(try TestKeys.authority.get().publicKey.fingerprint) == true)
        #expect(try judge(raw, by: stranger) { $0.authorities.insert(stranger.publicKey) } == [])
    }

    @Test func attack24_aJudgeWithoutAuthoritiesTrustsNobody() throws {
        let refusals = try judge(try RawCertificate()) { $0.authorities = [] }
        #expect(refusals.map(\.rule) == [.authority])
        #expect(refusals.first?.reason.contains("no authority is trusted") == true)
    }

    @Test func aSignatureByAnybodyElseIsRefused() throws {
        let refusals = try judge(try RawCertificate(), by: try TestKeys.stranger.get())
        #expect(refusals.map(\.rule) == [.signature])
    }

    @Test func theSubjectsKeyIsNoAuthority() throws {
        // Trusting the key that is vouched for says nothing about who vouches.
        var raw = try RawCertificate()
        let stranger = try TestKeys.stranger.get()
        raw.signatureKey = stranger.publicKey.encoded
        let subject = try TestKeys.subject(.ed25519)
        #expect(try judge(raw, by: stranger) { $0.authorities = [subject] }.map(\.rule) == [.authority])
    }

    @Test(arguments: [SignatureAlgorithm.rsaSHA256, .rsaSHA512])
    func anAlgorithmThatIsNotAllowedIsRefused(algorithm: SignatureAlgorithm) throws {
        let pair = try TestKeys.pair(.rsa)
        var raw = try RawCertificate()
        raw.signatureKey = pair.publicKey.encoded
        raw.signature = try pair.sign(raw.toBeSigned.span, with: algorithm).encoded
        #expect(try judge(raw) { $0.authorities = [pair.publicKey] } == [])
        let refusals = try judge(raw) {
            $0.authorities = [pair.publicKey]
            $0.signatureAlgorithms.remove(algorithm)
        }
        #expect(refusals.map(\.rule) == [.signatureAlgorithm])
        #expect(refusals.first?.reason == "\(algorithm.rawValue) is not allowed for authorities")
    }

    @Test(arguments: AuthenticatorSignatureTests.inner)
    func anAuthenticatorIsNoAuthorityUnlessAllowed(type: KeyType) throws {
        let authenticator = try SoftwareAuthenticator(type)
        var raw = try RawCertificate()
        raw.signatureKey = authenticator.publicKey.encoded
        raw.signature = try authenticator.sign(raw.toBeSigned, flags: 1).encoded
        #expect(
            try judge(raw) { $0.authorities = [authenticator.publicKey] }.map(\.rule) == [.signatureAlgorithm]
        )
        #expect(
            try judge(raw) {
                $0.authorities = [authenticator.publicKey]
                $0.signatureAlgorithms = [.skEd25519, .skECDSAP256]
            } == [])
    }

    // MARK: Time

    @Test(
        arguments: [
            (1_000, 2_000, 1_000, true), (1_000, 2_000, 999, false), (1_000, 2_000, 1_999, true),
            (1_000, 2_000, 2_000, false),
            (0, 1, 0, true), (0, 1, 1, false), (0, .max, 0, true), (0, .max, .max - 1, true),
            (0, .max, .max, false),
            (.max - 1, .max, .max - 1, true),
            (UInt64(Int64.max), UInt64(Int64.max) + 1, UInt64(Int64.max), true),
            (UInt64(Int64.max), UInt64(Int64.max) + 1, UInt64(Int64.max) + 1, false),
        ] as [(UInt64, UInt64, UInt64, Bool)])
    func attack54_theFirstSecondCountsAndTheLastDoesNot(
        after: UInt64, before: UInt64, now: UInt64, isValid: Bool
    ) throws {
        var raw = try RawCertificate()
        (raw.validAfter, raw.validBefore) = (after, before)
        let refusals = try judge(raw, at: UnixTime(seconds: now))
        #expect(refusals.map(\.rule) == (isValid ? [] : [.window]))
    }

    @Test func aRefusalForItsTimeSaysTheTimes() throws {
        let raw = try RawCertificate()
        #expect(
            try judge(raw, at: UnixTime(seconds: 2_000)).map(\.reason)
                == ["expired at 1970-01-01T00:33:20Z, now is 1970-01-01T00:33:20Z"])
        #expect(
            try judge(raw, at: UnixTime(seconds: 999)).map(\.reason)
                == ["valid from 1970-01-01T00:16:40Z, now is 1970-01-01T00:16:39Z"])
    }

    /// Windows that are empty or run backwards, as sums that wrapped around would make.
    @Test(
        arguments: [
            (0, 0), (1_500, 1_500), (2_000, 1_000), (.max, 0), (.max, .max), (1_500, 0), (.max, 1_501),
        ] as [(UInt64, UInt64)])
    func attack13_aWindowThatIsNeverOpenIsRefused(after: UInt64, before: UInt64) throws {
        var raw = try RawCertificate()
        (raw.validAfter, raw.validBefore) = (after, before)
        for now in [0, 1, 1_000, 1_499, 1_500, 1_501, UInt64.max - 1, .max] {
            let refusals = try judge(raw, at: UnixTime(seconds: now))
            #expect(refusals.map(\.rule) == [.window])
            #expect(refusals.first?.reason.hasSuffix("which is never") == true)
        }
    }

    // MARK: Type and names

    @Test func aUserCertificateIsNoHostCertificate() throws {
        var raw = try RawCertificate()
        #expect(try judge(raw, for: .host(name: "alice")).map(\.rule) == [.kind])
        raw.kind = 2
        #expect(try judge(raw).map(\.rule) == [.kind])
        #expect(try judge(raw, for: .host(name: "alice")) == [])
    }

    @Test func attack01_aCertificateWithoutPrincipalsIsGoodForNobody() throws {
        var raw = try RawCertificate()
        raw.principals = []
        for name in ["alice", "root", "", "*"] {
            let refusals = try judge(raw, for: .login(principal: ExactText(name), address: nil))
            #expect(refusals.map(\.rule) == [.principal])
            #expect(refusals.first?.reason.contains("good for nobody") == true)
        }
        raw.kind = 2
        for name in ["web1", "", "*"] {
            #expect(try judge(raw, for: .host(name: ExactText(name))).map(\.rule) == [.principal])
        }
    }

    @Test(arguments: [
        ("alice", true), ("deploy", true), ("Alice", false), ("alic", false), ("alice ", false), ("", false),
        ("*", false),
        ("alice,deploy", false), ("alice\0", false),
    ])
    func attack02_aLoginNeedsExactlyOneOfThePrincipals(name: String, isGood: Bool) throws {
        let refusals = try judge(try RawCertificate(), for: .login(principal: ExactText(name), address: nil))
        #expect(refusals.map(\.rule) == (isGood ? [] : [.principal]))
    }

    @Test(arguments: ["*", "?lice", "al*", "alice,root", "!root"])
    func attack03_aUsersPrincipalIsNoPatternAndNoList(principal: String) throws {
        var raw = try RawCertificate()
        raw.principals = [Array(principal.utf8)]
        #expect(try judge(raw).map(\.rule) == [.principal])
        #expect(try judge(raw, for: .login(principal: "root", address: nil)).map(\.rule) == [.principal])
        #expect(try judge(raw, for: .login(principal: ExactText(principal), address: nil)) == [])
    }

    @Test func attack15_twoSpellingsOfAPrincipalAreTwoPrincipals() throws {
        var raw = try RawCertificate()
        raw.principals = [Array("jos\u{e9}".utf8)]
        #expect(try judge(raw, for: .login(principal: "jos\u{e9}", address: nil)) == [])
        #expect(
            try judge(raw, for: .login(principal: "jose\u{301}", address: nil)).map(\.rule) == [.principal])
    }

    @Test(arguments: [
        ("web1.example", "web1.example", true), ("*.example", "web1.example", true),
        ("*.example", "example", false),
        ("web?.example", "web1.example", true), ("WEB1.example", "web1.example", false), ("*", "", false),
    ])
    func aHostsNamesMayHoldWildcards(pattern: String, name: String, isGood: Bool) throws {
        var raw = try RawCertificate()
        raw.kind = 2
        raw.principals = [Array("other".utf8), Array(pattern.utf8)]
        #expect(try judge(raw, for: .host(name: ExactText(name))).map(\.rule) == (isGood ? [] : [.principal]))
    }

    @Test func attack39_aReasonEscapesWhatItQuotes() throws {
        var raw = try RawCertificate()
        raw.principals = [Array("\u{1b}[2Jroot\n".utf8)]
        raw.criticalOptions = [("\u{202e}x", [])]
        let refusals = try judge(raw, for: .login(principal: "\u{7}", address: nil))
        #expect(refusals.map(\.rule) == [.principal, .criticalOption])
        for refusal in refusals { #expect(!refusal.description.holdsControlCharacters) }
    }

    // MARK: Options

    @Test(
        arguments: [
            ("force-command", wireText("/bin/true"), nil), ("force-command", [], .criticalOption),
            ("force-command", [0, 0, 0, 9], .criticalOption),
            ("force-command", wireText("ls") + [0], .criticalOption),
            ("force-command", wireText("ls\0"), .criticalOption),
            ("force-command", wireText(""), .criticalOption),
            ("verify-required", [], nil), ("verify-required", [0], .criticalOption),
            ("verify-required", wireText("yes"), .criticalOption), ("source-address", [], .criticalOption),
            ("source-address", wireText(""), .criticalOption),
            ("source-address", wireText("192.0.2.1/24"), .criticalOption),
            ("source-address", wireText("192.0.2.0/24,"), .criticalOption),
            ("source-address", wireText("!192.0.2.0/24"), .criticalOption),
            ("source-address", wireText("192.0.2.0/24") + [0], .criticalOption),
            ("source-address", wireText("localhost"), .criticalOption),
            ("source-address", wireText("192.0.2.0/24"), nil), ("source-address", wireText("0.0.0.0/0"), nil),
            ("Force-Command", wireText("ls"), .criticalOption), ("unknown@example.org", [], .criticalOption),
            ("permit-pty", [], .criticalOption), ("no-touch-required", [], .criticalOption),
            ("force-command ", wireText("ls"), .criticalOption),
        ] as [(String, [UInt8], Refusal.Rule?)])
    func aCriticalOptionIsUnderstoodOrRefused(name: String, data: [UInt8], rule: Refusal.Rule?) throws {
        var raw = try RawCertificate()
        raw.criticalOptions = [(name, data)]
        let refusals = try judge(raw, for: try from("192.0.2.9"))
        #expect(refusals.map(\.rule) == (rule.map { [$0] } ?? []))
    }

    @Test func everyBadOptionIsNamed() throws {
        var raw = try RawCertificate()
        raw.criticalOptions = [("a", []), ("b", []), ("force-command", wireText("ls"))]
        #expect(try judge(raw).map(\.reason) == ["\"a\" is not known here", "\"b\" is not known here"])
    }

    @Test func aHostCertificateHasNoCriticalOptions() throws {
        var raw = try RawCertificate()
        raw.kind = 2
        for name in ["force-command", "verify-required", "source-address", "unknown"] {
            raw.criticalOptions = [(name, [])]
            #expect(try judge(raw, for: .host(name: "alice")).map(\.rule) == [.criticalOption])
        }
        raw.criticalOptions = []
        #expect(try judge(raw, for: .host(name: "alice")) == [])
    }

    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.1", true), ("192.0.2.0/24", "::ffff:192.0.2.1", true),
        ("192.0.2.0/24", "192.0.3.1", false),
        ("192.0.2.0/24", "::1", false), ("198.51.100.0/24,192.0.2.0/24", "192.0.2.1", true),
        ("2001:db8::/32", "2001:db8::1", true),
        ("2001:db8::/32", "192.0.2.1", false), ("::/0", "::ffff:192.0.2.1", false),
    ])
    func attack26_theClientsAddressMustBeInTheList(list: String, address: String, isGood: Bool) throws {
        var raw = try RawCertificate()
        raw.criticalOptions = [("source-address", wireText(list))]
        let refusals = try judge(raw, for: try from(address))
        #expect(refusals.map(\.rule) == (isGood ? [] : [.sourceAddress]))
    }

    @Test func attack26_anAddressThatIsNotKnownIsInNoList() throws {
        var raw = try RawCertificate()
        raw.criticalOptions = [("source-address", wireText("0.0.0.0/0,::/0"))]
        #expect(try judge(raw).map(\.rule) == [.sourceAddress])
        #expect(try judge(raw, for: try from("::1")) == [])
    }

    @Test(arguments: [
        "no-touch-required", "permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding",
        "permit-pty", "permit-user-rc",
    ])
    func anExtensionThatIsAFlagTakesNoData(name: String) throws {
        var raw = try RawCertificate()
        raw.extensions = [(name, [])]
        #expect(try judge(raw) == [])
        for data in [[0], wireText(""), wireText("no")] as [[UInt8]] {
            raw.extensions = [(name, data)]
            #expect(try judge(raw).map(\.rule) == [.extensionData])
        }
    }

    @Test func anExtensionThatNobodyKnowsIsIgnored() throws {
        var raw = try RawCertificate()
        raw.extensions = [("login@example.org", wireText("alice")), ("permit-everything", [9])]
        #expect(try judge(raw) == [])
    }

    // MARK: What is granted

    private func accepted(
        critical: [String] = [], extensions: [String]
    ) throws -> AcceptedCertificate? {
        var raw = try RawCertificate(.skEd25519)
        raw.criticalOptions = critical.map { ($0, []) }
        raw.extensions = extensions.map { ($0, []) }
        let judge = CertificateJudge(authorities: [try TestKeys.authority.get().publicKey])
        guard case .accepted(let accepted) = judge.judge(try raw.certificate(), for: Self.alice, at: Self.now)
        else {
            return nil
        }
        return accepted
    }

    @Test func nothingIsAllowedThatTheCertificateDoesNotSay() throws {
        #expect(try accepted(extensions: [])?.permissions == [])
        #expect(try accepted(extensions: ["permit-pty"])?.permissions == [.pty])
        #expect(try accepted(extensions: ["Permit-pty"])?.permissions == [])
        let all = Permission.allCases.map(\.extensionName.string).sorted { ExactText($0) < ExactText($1) }
        #expect(try accepted(extensions: all)?.permissions == Set(Permission.allCases))
    }

    @Test func attack20_theTouchIsReadFromWhereOpenSSHReadsIt() throws {
        #expect(try accepted(extensions: [])?.requiredPresence == .touch)
        #expect(try accepted(extensions: ["no-touch-required"])?.requiredPresence == .notRequired)
        #expect(
            try accepted(critical: ["verify-required"], extensions: [])?.requiredPresence == .verification)
        #expect(
            try accepted(critical: ["verify-required"], extensions: ["no-touch-required"])?.requiredPresence
                == .verification)
        // An extension may be ignored by whoever does not know it, so it cannot demand anything.
        #expect(try accepted(extensions: ["verify-required"])?.requiredPresence == .touch)
        #expect(try accepted(critical: ["no-touch-required"], extensions: []) == nil)
    }

    // MARK: Revocation

    @Test func attack23_aRevokedCertificateIsRefused() throws {
        let authority = try TestKeys.authority.get().publicKey
        let subject = try TestKeys.subject(.ed25519)
        let raw = try RawCertificate()
        let builders: [(String, (inout KeyRevocationList.Builder) throws -> Void, Bool)] = [
            ("its serial", { try $0.revoke(serials: 42...42, of: .authority(authority)) }, true),
            ("another serial", { try $0.revoke(serials: 43...50, of: .authority(authority)) }, false),
            ("its key ID", { try $0.revoke(keyID: "alice#42", of: .authority(authority)) }, true),
            ("another key ID", { try $0.revoke(keyID: "alice#43", of: .authority(authority)) }, false),
            ("its key", { try $0.revoke(subject) }, true),
            ("its authority", { try $0.revoke(authority) }, true),
            ("another key", { try $0.revoke(try TestKeys.subject(.rsa)) }, false),
        ]
        for (what, revoke, isRevoked) in builders {
            var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
            try revoke(&builder)
            let list = builder.build()
            let refusals = try judge(raw) { judge in
                judge.revocation = { certificate in list.revocation(of: certificate).map { "\($0)" } }
            }
            #expect(refusals.map(\.rule) == (isRevoked ? [.revoked] : []), "\(what)")
        }
    }

    // MARK: Everything at once

    @Test func everyRuleThatDoesNotHoldIsNamed() throws {
        var raw = try RawCertificate()
        raw.kind = 2
        raw.principals = []
        raw.criticalOptions = [("x", [])]
        raw.extensions = [("permit-pty", [1])]
        let refusals = try judge(raw, by: try TestKeys.stranger.get(), at: UnixTime(seconds: 5_000)) {
            $0.authorities = []
            $0.signatureAlgorithms = []
            $0.revocation = { _ in "listed" }
        }
        #expect(
            refusals.map(\.rule) == [
                .authority, .signatureAlgorithm, .signature, .window, .kind, .principal, .criticalOption,
                .extensionData,
                .revoked,
            ])
    }
}
