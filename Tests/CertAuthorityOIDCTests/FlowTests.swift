// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import CertAuthorityOIDC

/// The device flow, and code and browser, with a provider that answers what a test wants.
@Suite struct FlowTests {
    let key: TestKey
    let fake: FakeProvider

    init() async throws {
        let key = try await TestKey.es256()
        self.key = key
        fake = FakeProvider { $0.keys = [key.published] }
    }

    private func answer(_ status: Int, _ body: String) {
        fake.change { $0.token = HTTPReply(status: status, body: Array(body.utf8)) }
    }

    private func answer(idToken claims: TestClaims) throws {
        answer(200, #"{"access_token":"a","token_type":"Bearer","id_token":"\#(try key.sign(claims))"}"#)
    }

    private func code(_ body: () async throws -> Void) async throws -> SignInError.Code? {
        do {
            try await body()
            return nil
        } catch let error as SignInError { return error.code }
    }

    // MARK: Device

    @Test func aDeviceFlowEndsWithAPersonOrNobody() async throws {
        let provider = try makeProvider(fake)
        let device = try await provider.beginDevice()
        #expect(device.userCode == "WDJB-MJHT")
        #expect(device.interval == 5)
        #expect(device.expires == UnixTime(seconds: 1_800_000_600))
        #expect(!"\(device)".contains("dev-secret"))
        var dumped = ""
        dump(device, to: &dumped)
        #expect(!dumped.contains("dev-secret"))

        answer(400, #"{"error":"authorization_pending"}"#)
        guard case .pending(5) = try await provider.pollDevice(device) else {
            Issue.record("pending expected")
            return
        }
        answer(400, #"{"error":"slow_down"}"#)
        guard case .slowDown(10) = try await provider.pollDevice(device) else {
            Issue.record("slow down expected")
            return
        }
        #expect(device.asking(every: 10).interval == 10)
        #expect(device.asking(every: 1).interval == 5)
        answer(400, #"{"error":"access_denied"}"#)
        guard case .denied = try await provider.pollDevice(device) else {
            Issue.record("denied expected")
            return
        }
        answer(400, #"{"error":"expired_token"}"#)
        guard case .expired = try await provider.pollDevice(device) else {
            Issue.record("expired expected")
            return
        }
        answer(401, #"{"error":"invalid_client"}"#)
        #expect(try await code { _ = try await provider.pollDevice(device) } == .refused)
        // A provider need not know the nonce here, but if it does, it must be ours.
        try answer(idToken: .alice)
        #expect(try await code { _ = try await provider.pollDevice(device) } == .nonce)
        try answer(idToken: TestClaims.alice.with("nonce", nil))
        guard case .person(let alice) = try await provider.pollDevice(device) else {
            Issue.record("alice expected")
            return
        }
        #expect(alice.identity.text == "alice@example.com")
        fake.advance(600)
        let asked = fake.requests.count
        guard case .expired = try await provider.pollDevice(device) else {
            Issue.record("expired expected")
            return
        }
        #expect(fake.requests.count == asked)
    }

    @Test(
        arguments: [
            (
                #""user_code":"A","verification_uri":"https://id.example.com/go","expires_in":1,"interval":0"#,
                nil
            ),
            (
                #""user_code":"A","verification_url":"https://id.example.com/go","expires_in":9223372036854775807,"interval":-1"#,
                nil
            ),
            (#""user_code":"A","verification_uri":"http://id.example.com/go","expires_in":60"#, .provider),
            (#""user_code":"A","verification_uri":"http://127.0.0.1/go","expires_in":60"#, .provider),
            (#""user_code":"A","verification_uri":"javascript:alert(1)","expires_in":60"#, .provider),
            (#""user_code":"A","verification_uri":"https://id.example.com/go","expires_in":0"#, .provider),
            (#""user_code":"A","verification_uri":"https://id.example.com/go","expires_in":-1"#, .provider),
            (#""user_code":"A","verification_uri":"https://id.example.com/go""#, .provider),
            (#""verification_uri":"https://id.example.com/go","expires_in":60"#, .provider),
        ] as [(String, SignInError.Code?)])
    func aDeviceAnswerIsWholeAndSafe(_ members: String, _ expected: SignInError.Code?) async throws {
        fake.change {
            $0.device = HTTPReply(status: 200, body: Array(#"{"device_code":"d",\#(members)}"#.utf8))
        }
        let provider = try makeProvider(fake)
        let refusal = try await code {
            let device = try await provider.beginDevice()
            #expect((1...60).contains(device.interval))
            #expect(device.expires <= UnixTime(seconds: 1_800_001_800))
        }
        #expect(refusal == expected)
    }

    @Test(arguments: [#"\u001b[2J"#, #"A\nB"#, #"\u202eA"#, "\u{430}", ""])
    func attack39_aUserCodeThatActsOnATerminalIsRefused(_ userCode: String) async throws {
        fake.change {
            $0.device = HTTPReply(
                status: 200,
                body: Array(
                    #"{"device_code":"d","user_code":"\#(userCode)","verification_uri":"https://id.example.com/","expires_in":60}"#
                        .utf8))
        }
        let provider = try makeProvider(fake)
        #expect(try await code { _ = try await provider.beginDevice() } == .provider)
        fake.change { $0.device = HTTPReply(status: 400, body: Array(#"{"error":"\#(userCode)"}"#.utf8)) }
        #expect(try await code { _ = try await provider.beginDevice() } == .provider)
    }

    // MARK: Code

    /// The parameters of an address's query, decoded as far as these tests need.
    private func parameters(_ url: String) -> [String: String] {
        var found: [String: String] = [:]
        for pair in url.split(separator: "?").last?.split(separator: "&") ?? [] {
            let parts = pair.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { found[String(parts[0])] = String(parts[1]) }
        }
        return found
    }

    @Test func aCodeBecomesAPerson() async throws {
        let provider = try makeProvider(fake, .example(maximumAuthenticationAge: 3_600))
        let attempt = try await provider.beginCode(redirectURI: "http://127.0.0.1:8400/callback")
        let sent = parameters(attempt.authorizationURL)
        #expect(attempt.authorizationURL.hasPrefix("https://id.example.com/authorize?response_type=code&"))
        #expect(sent["redirect_uri"] == "http%3A%2F%2F127.0.0.1%3A8400%2Fcallback")
        #expect(sent["scope"] == "openid%20email%20profile")
        #expect(sent["code_challenge_method"] == "S256")
        #expect(sent["max_age"] == "3600")
        #expect(sent["state"] == attempt.state)
        #expect(attempt.state.utf8.count == 43)
        #expect(!attempt.authorizationURL.contains(attempt.verifier))
        // RFC 7636, appendix B.
        #expect(
            IdentityProvider.challenge(of: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
                == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        try answer(
            idToken: TestClaims.alice.with("nonce", "\"\(attempt.nonce)\"").with("auth_time", "1800000000"))
        let alice = try await provider.finishCode(
            attempt, callback: CodeCallback(code: "c0de/+", state: attempt.state))
        #expect(alice.identity.text == "alice@example.com")
        let exchange = try #require(fake.requests.last { $0.form != nil })
        let form = try #require(exchange.form)
        #expect(form.contains("code=c0de%2F%2B&"))
        #expect(form.contains("code_verifier=\(attempt.verifier)"))
        #expect(form.hasSuffix("&client_id=daypass"))
        #expect(exchange.authorization == nil)
    }

    @Test func attack49_anAnswerBelongsToItsOwnAttempt() async throws {
        let provider = try makeProvider(fake)
        let mine = try await provider.beginCode(redirectURI: "http://127.0.0.1:8400/")
        let theirs = try await provider.beginCode(redirectURI: "http://127.0.0.1:8400/")
        #expect(mine.state != theirs.state && mine.nonce != theirs.nonce && mine.verifier != theirs.verifier)
        try answer(idToken: TestClaims.alice.with("nonce", "\"\(mine.nonce)\""))
        func finish(_ attempt: CodeAuthorization, _ state: String?) async throws -> SignInError.Code? {
            try await code {
                _ = try await provider.finishCode(attempt, callback: CodeCallback(code: "c", state: state))
            }
        }
        let asked = fake.requests.count
        #expect(try await finish(mine, theirs.state) == .state)
        #expect(try await finish(mine, nil) == .state)
        #expect(try await finish(mine, "") == .state)
        #expect(try await finish(mine, String(mine.state.dropLast())) == .state)
        // A wrong answer never reaches the provider.
        #expect(fake.requests.count == asked)
        // A code that was smuggled in brings a token of another attempt.
        #expect(try await finish(theirs, theirs.state) == .nonce)
        #expect(try await finish(mine, mine.state) == nil)
        fake.advance(600)
        #expect(try await finish(mine, mine.state) == .state)
    }

    @Test func attack47_anAnswerOfAnotherProviderIsRefused() async throws {
        let provider = try makeProvider(fake)
        let attempt = try await provider.beginCode(redirectURI: "http://[::1]:8400/")
        try answer(idToken: TestClaims.alice.with("nonce", "\"\(attempt.nonce)\""))
        func finish(_ provider: IdentityProvider, _ issuer: String?) async throws -> SignInError.Code? {
            try await code {
                _ = try await provider.finishCode(
                    attempt, callback: CodeCallback(code: "c", state: attempt.state, issuer: issuer))
            }
        }
        #expect(try await finish(provider, "https://evil.example") == .issuer)
        #expect(try await finish(provider, "https://id.example.com/") == .issuer)
        #expect(try await finish(provider, "https://id.example.com") == nil)
        #expect(try await finish(provider, nil) == nil)
        // A provider that says that it always names itself must do so.
        fake.change {
            $0.metadata = $0.metadata.replacing(
                "{\"issuer\"", with: #"{"authorization_response_iss_parameter_supported":true,"issuer""#)
        }
        #expect(try await finish(try makeProvider(fake), nil) == .issuer)
        #expect(try await finish(try makeProvider(fake), "https://id.example.com") == nil)
    }

    @Test func aRefusalIsSaidAsOne() async throws {
        let provider = try makeProvider(fake)
        let attempt = try await provider.beginCode(redirectURI: "http://127.0.0.1:8400/")
        do {
            _ = try await provider.finishCode(
                attempt,
                callback: CodeCallback(code: nil, state: attempt.state, error: "access_denied\u{1b}[2J"))
            Issue.record("taken")
        } catch {
            #expect(error == SignInError(.refused, ""))
            #expect(error.reason == #"the provider refuses: "access_denied\u{1b}[2J""#)
        }
        #expect(
            try await code {
                _ = try await provider.finishCode(
                    attempt, callback: CodeCallback(code: nil, state: attempt.state))
            } == .state)
        #expect(
            try await code {
                _ = try await provider.finishCode(
                    attempt, callback: CodeCallback(code: "c", state: attempt.state))
            } == .refused)
        answer(200, #"{"access_token":"a"}"#)
        #expect(
            try await code {
                _ = try await provider.finishCode(
                    attempt, callback: CodeCallback(code: "c", state: attempt.state))
            } == .provider)
    }

    @Test(arguments: [
        "http://localhost:8400/", "https://daypass.example.com/", "http://127.0.0.1.evil.net/",
        "http://10.0.0.1/",
        "http://127.0.0.1:8400/?a=b", "http://127.0.0.1:8400/#f", "http://user@127.0.0.1/",
        "daypass://callback",
        "http://127.1/", "http://0177.0.0.1/", "http://[::2]/", "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
    ])
    func aRedirectLeadsToThisMachine(_ redirect: String) async throws {
        let provider = try makeProvider(fake)
        #expect(try await code { _ = try await provider.beginCode(redirectURI: redirect) } == .state)
        _ = try await provider.beginCode(redirectURI: "http://127.0.0.1:8400/")
        _ = try await provider.beginPage(redirectURI: "https://daypass.example.com/callback/corp")
    }

    @Test(
        arguments: [
            "http://127.0.0.1:8400/", "http://daypass.example.com/", "https://daypass.example.com/?x",
            "https://daypass.example.com/#x", "daypass.example.com", "",
        ])
    func anAddressOfTheServerIsOneThatNobodyCanRead(_ redirect: String) async throws {
        let provider = try makeProvider(fake)
        #expect(try await code { _ = try await provider.beginPage(redirectURI: redirect) } == .state)
    }

    @Test func theSecretIsSentAsTheProviderWantsItAndShownNowhere() async throws {
        let secret = try unsafe SecretBytes(count: 7) { buffer in
            unsafe buffer.copyBytes(from: "s:e/cr+".utf8)
        }
        let provider = try makeProvider(fake, .example(secret: secret))
        _ = try await provider.beginDevice()
        let request = try #require(fake.requests.last)
        // Both halves are encoded before they are joined (RFC 6749, section 2.3.1).
        #expect(request.authorization == "Basic " + Base64.encode(Array("daypass:s%3Ae%2Fcr%2B".utf8)))
        #expect(request.form?.contains("client_secret") == false)
        var dumped = "\(request) \(String(reflecting: request))"
        dump(request, to: &dumped)
        #expect(!dumped.contains("Basic") && !dumped.contains("scope"))

        fake.change {
            $0.metadata = $0.metadata.replacing(
                "{\"issuer\"",
                with: #"{"token_endpoint_auth_methods_supported":["client_secret_post"],"issuer""#)
        }
        _ = try await makeProvider(fake, .example(secret: secret)).beginDevice()
        #expect(fake.requests.last?.authorization == nil)
        #expect(fake.requests.last?.form?.contains("client_secret=s%3Ae%2Fcr%2B") == true)
    }
}
