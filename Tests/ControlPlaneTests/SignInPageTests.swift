// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization
import Testing

@testable import ControlPlane

/// The pages by which a terminal is logged in, in this process, with a clock that the test sets.
@Suite("Sign-in pages") struct SignInPageTests {
    private static func person(
        _ identity: String = "alice@example.com", email: String? = nil
    ) throws -> Person {
        Person(
            identity: try Identity(identity), provider: "corp", subject: "s", email: email,
            authenticatedAt: UnixTime(seconds: 0))
    }

    private func with(
        _ person: Person? = nil, ways: [SignInWay] = [.page],
        _ body: (TestPlane, Visitor) async throws -> Void
    ) async throws {
        let provider = TestProvider(try person ?? Self.person(), ways: ways)
        let parts = try await TestAuthority(providers: [provider])
        try await TestPlane.with(earlier: parts) { plane in
            try await body(plane, Visitor(plane: plane, provider: provider))
        }
    }

    /// A terminal and a browser.
    private struct Visitor {
        let plane: TestPlane
        let provider: TestProvider
        let key: PublicKey
        var cookie: String?

        init(plane: TestPlane, provider: TestProvider) throws {
            self.plane = plane
            self.provider = provider
            key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        }

        func begin() async throws -> PendingSignIn {
            let answer = try await tryToBegin()
            try #require(answer.status == 201, "\(answer.text)")
            return try PendingSignIn(json: try #require(answer.json))
        }

        func tryToBegin() async throws -> TestAnswer {
            try await plane.send(
                TestRequest("POST", "/v1/login/page", SignInRequest(provider: "corp", sessionKey: key).json))
        }

        func poll(_ begun: PendingSignIn) async throws -> TestAnswer {
            try await plane.send(
                TestRequest(
                    "POST", "/v1/login/page/poll", .object([.init("id", .string(begun.id))])))
        }

        func path(_ begun: PendingSignIn) -> String { "/login/\(begun.url.suffix(9))" }

        mutating func get(_ target: String, _ headers: [(String, String)] = []) async throws -> TestAnswer {
            let answer = try await plane.send(
                TestRequest("GET", target).with { $0.extraHeaders = headers + fields })
            if let set = answer.headers["set-cookie"] { cookie = String(set.prefix { $0 != ";" }) }
            return answer
        }

        func post(
            _ target: String, _ form: String, type: String? = "application/x-www-form-urlencoded",
            _ headers: [(String, String)] = []
        ) async throws -> TestAnswer {
            try await plane.send(
                TestRequest("POST", target).with {
                    $0.body = Array(form.utf8)
                    $0.contentType = type
                    $0.extraHeaders = headers + fields
                })
        }

        func answer(
            _ page: TestAnswer, _ target: String, _ step: String, _ headers: [(String, String)] = []
        ) async throws -> TestAnswer {
            try await post(target, "token=\(token(page))&step=\(step)", headers)
        }

        /// To the question.
        mutating func signIn(_ begun: PendingSignIn, code: String = "c") async throws -> TestAnswer {
            let first = try await get(path(begun))
            let start = try await answer(first, path(begun), "start")
            try #require(start.status == 200, "\(start.text)")
            let number = provider.redirects.withLock { $0.count }
            let back = try await get("/callback/corp?code=\(code)&state=state-\(number)&session_state=x")
            guard back.status == 303 else { return back }
            return try await get(path(begun))
        }

        func token(_ page: TestAnswer) -> String {
            page.text.split(separator: "name=\"token\" value=\"").dropFirst().first.map {
                String($0.prefix { $0 != "\"" })
            } ?? ""
        }

        func code(_ begun: PendingSignIn) -> String { MatchCode.code(signIn: begun.id, sessionKey: key) }

        private var fields: [(String, String)] { cookie.map { [("cookie", $0)] } ?? [] }
    }

    @Test func aLoginGoesFromItsLinkToASession() async throws {
        try await with { plane, visitor in
            var visitor = visitor
            let begun = try await visitor.begin()
            #expect(begun.url.hasPrefix("https://127.0.0.1:\(plane.port)/login/") && begun.interval == 2)
            #expect(Int64(plane.parts.clock.seconds) + 600 == begun.expires)
            #expect(try await visitor.poll(begun).code == "login-pending")
            // The link is no name by which it can be asked for.
            let link = String(begun.url.suffix(9))
            #expect(
                try await visitor.plane.send(
                    TestRequest("POST", "/v1/login/page/poll", .object([.init("id", .string(link))]))
                ).status == 404)
            let question = try await visitor.signIn(begun)
            #expect(
                visitor.provider.redirects.withLock { $0 } == [
                    "https://127.0.0.1:\(plane.port)/callback/corp"
                ])
            #expect(try await visitor.poll(begun).code == "login-pending")
            // In lower case and without the hyphen, as somebody may type the link.
            let typed = visitor.path(begun).lowercased().replacing("-", with: "")
            #expect(try await visitor.get(typed).text.contains("Is this your terminal?"))
            let done = try await visitor.answer(
                question, visitor.path(begun), "approve&match=\(visitor.code(begun))")
            #expect(done.status == 200)
            for page in [question, done] { #expect(!page.text.contains(begun.id)) }
            #expect(!plane.log.text.contains(begun.id) && !plane.log.text.contains(visitor.code(begun)))
            let session = try await visitor.poll(begun)
            #expect(session.status == 201)
            #expect(session.json?["keyFingerprint"]?.string == visitor.key.fingerprint)
            // One session.
            #expect(try await visitor.poll(begun).status == 404)
        }
    }

    @Test func attack49_everyPageForbidsScriptsFramesCachesAndReferrers() async throws {
        try await with { plane, visitor in
            var visitor = visitor
            let begun = try await visitor.begin()
            let path = visitor.path(begun)
            let first = try await visitor.get(path)
            let onward = try await visitor.answer(first, path, "start")
            let back = try await visitor.get("/callback/corp?code=c&state=state-1")
            let question = try await visitor.get(path)
            let done = try await visitor.answer(question, path, "approve&match=\(visitor.code(begun))")
            let none = try await visitor.get("/login/BBBB-BBBB")
            for page in [first, onward, back, question, done, none] {
                let policy = page.headers["content-security-policy"] ?? ""
                for part in [
                    "default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'",
                ] { #expect(policy.contains(part), "\(policy)") }
                #expect(!policy.contains("unsafe"))
                #expect(page.headers["x-frame-options"] == "DENY")
                #expect(page.headers["cache-control"] == "no-store")
                #expect(page.headers["referrer-policy"] == "no-referrer")
                #expect(page.headers["x-content-type-options"] == "nosniff")
                #expect(!page.text.contains("<script"), "\(page.text)")
                #expect(page.text.firstMatch(of: /\son[a-z]+=/) == nil, "\(page.text)")
            }
            // The one style is the one that the policy allows.
            let style = try #require(
                first.text.split(separator: "<style>").dropFirst().first?.split(separator: "</style>").first)
            let digest = Base64.encode(Digest.sha256(Array(style.utf8)))
            #expect(first.headers["content-security-policy"]?.contains("'sha256-\(digest)'") == true)
            let cookie = try #require(first.headers["set-cookie"])
            #expect(cookie.hasPrefix("__Host-daypass-browser="))
            for part in ["; Path=/;", "; Secure;", "; HttpOnly;", "; SameSite=Lax;"] {
                #expect(cookie.contains(part), "\(cookie)")
            }
        }
    }

    @Test func attack49_aFormOfAnotherSiteIsRefused() async throws {
        try await with { _, visitor in
            var visitor = visitor
            let begun = try await visitor.begin()
            let path = visitor.path(begun)
            let page = try await visitor.get(path)
            for site in ["cross-site", "same-site", "none"] {
                let answer = try await visitor.answer(page, path, "start", [("sec-fetch-site", site)])
                #expect(answer.status == 403, "\(site)")
            }
            #expect(
                try await visitor.answer(page, path, "start", [("sec-fetch-site", "same-origin")]).status
                    == 200)
            #expect(try await visitor.post(path, "{}", type: "application/json").status == 415)
            #expect(try await visitor.post(path, "step=start", type: "text/plain").status == 415)
            #expect(try await visitor.answer(page, path, "start&step=approve").status == 400, "a field twice")
            #expect(try await visitor.answer(page, path, "%zz").status == 400)
            #expect(try await visitor.answer(page, path, "other").status == 400)
        }
    }

    @Test func attack49_noRedirectLeadsElsewhere() async throws {
        try await with { _, visitor in
            var visitor = visitor
            let begun = try await visitor.begin()
            let path = visitor.path(begun)
            let first = try await visitor.get(path)
            _ = try await visitor.answer(first, path, "start")
            // Whatever comes along, it leads to the sign-in that the state belongs to.
            let back = try await visitor.get(
                "/callback/corp?code=c&state=state-1&next=https://evil.example&redirect_uri=//evil.example")
            #expect(back.status == 303 && back.headers["location"] == path)
            for target in [
                "/login/%2F%2Fevil.example", "/login/..", "/callback/corp", "/callback/corp?state=x",
            ] {
                let answer = try await visitor.get(target)
                #expect(answer.status >= 400 && answer.headers["location"] == nil, "\(target)")
            }
        }
    }

    @Test func attack39_namesAreTextOnAPage() async throws {
        let person = try Self.person(
            "<img src=x onerror=alert(1)>'\"&", email: "a\u{202e}b<b>\u{1b}[2J@example.com")
        try await with(person) { _, visitor in
            var visitor = visitor
            let question = try await visitor.signIn(visitor.begin())
            #expect(
                question.text.contains("&lt;img src=x onerror=alert(1)&gt;&#39;&quot;&amp;"),
                "\(question.text)")
            #expect(question.text.contains("a\\u{202e}b&lt;b&gt;\\u{1b}[2J@example.com"))
            #expect(!question.text.contains("<img") && !question.text.contains("\u{202e}"))
        }
    }

    @Test func aLoginFromAnotherAddressThanTheBrowsersIsPointedOut() async throws {
        let parts = try await TestAuthority()
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let here = try IPAddress("192.0.2.7")
        let signIn = try parts.authority.pageSignIns.begin(
            provider: "corp", sessionKey: key, from: here, network: [], at: parts.authority.now
        ) { _ in "000000" }
        func page(from address: IPAddress?, after seconds: UInt64 = 0) -> String {
            Page.start(
                Page.Visit(
                    signIn: signIn, cookie: BrowserCookie(randomBytes: SystemRandom.bytes),
                    server: "daypass.example.com/log", address: address,
                    now: UnixTime(seconds: signIn.begun.seconds + seconds))
            ).text
        }
        #expect(!page(from: here).contains("another address"))
        #expect(page(from: here).contains("less than a minute ago"))
        for other in [try IPAddress("198.51.100.2"), nil] {
            let text = page(from: other, after: 150)
            #expect(text.contains("another address") && text.contains("192.0.2.7"), "\(text)")
            #expect(text.contains("2 min ago") && text.contains(other?.description ?? "not known"))
        }
    }

    @Test func afterItsTimeALoginIsOverWhereverItWas() async throws {
        try await with { plane, visitor in
            var visitor = visitor
            let (early, late) = (try await visitor.begin(), try await visitor.begin())
            let question = try await visitor.signIn(late)
            plane.parts.clock.advance(seconds: 599)
            #expect(try await visitor.get(visitor.path(early)).status == 200)
            plane.parts.clock.advance(seconds: 1)
            #expect(try await visitor.get(visitor.path(early)).status == 404)
            let answer = try await visitor.answer(
                question, visitor.path(late), "approve&match=\(visitor.code(late))")
            #expect(answer.status == 404)
            for begun in [early, late] { #expect(try await visitor.poll(begun).status == 404) }
        }
    }

    @Test func aProviderThatIsAwayIsSaidOnThePageAndInTheTerminal() async throws {
        try await with { _, visitor in
            var visitor = visitor
            let begun = try await visitor.begin()
            let page = try await visitor.signIn(begun, code: "down")
            #expect(page.status == 502 && page.text.contains("the provider is away"))
            #expect(try await visitor.poll(begun).code == "provider-unavailable")
            #expect(try await visitor.poll(begun).status == 404)
        }
    }

    @Test func whoGoesToTheProviderTwiceComesBackFromTheSecondTimeOnly() async throws {
        try await with { _, visitor in
            var visitor = visitor
            let begun = try await visitor.begin()
            let path = visitor.path(begun)
            let first = try await visitor.get(path)
            for _ in 1...2 { _ = try await visitor.answer(first, path, "start") }
            #expect(try await visitor.get("/callback/corp?code=c&state=state-1").status == 404)
            #expect(try await visitor.get("/callback/corp?code=c&state=state-2").status == 303)
            let again = try await visitor.answer(first, path, "start")
            #expect(again.status == 409, "somebody is signed in")
        }
    }

    @Test func lookingAtALinkChangesNothing() async throws {
        try await with { _, visitor in
            var (mine, other) = (visitor, visitor)
            let begun = try await mine.begin()
            // A program that looks at links in messages, before the person does.
            #expect(try await other.get(mine.path(begun)).status == 200)
            #expect(
                try await other.plane.send(TestRequest("HEAD", mine.path(begun))).status == 200)
            let question = try await mine.signIn(begun)
            #expect(question.text.contains("Is this your terminal?"))
        }
    }

    @Test func aServerIsCalledByItsOwnNames() async throws {
        try await with { _, visitor in
            var visitor = visitor
            let begun = try await visitor.begin()
            let answer = try await visitor.get(visitor.path(begun), [("host", "evil.example")])
            #expect(answer.status == 403 && answer.headers["set-cookie"] == nil)
        }
    }

    @Test func aWayThatIsNotAllowedIsRefusedByName() async throws {
        try await with(ways: [.code]) { _, visitor in
            let answer = try await visitor.tryToBegin()
            #expect(answer.code == "login-refused" && answer.text.contains("by page here"), "\(answer.text)")
        }
    }

    @Test func aSessionKeyIsOneThatCanSignRequests() async throws {
        try await with { plane, visitor in
            let key = try PrivateKey.generate(.ecdsaP384, comment: "").publicKey
            let answer = try await plane.send(
                TestRequest(
                    "POST", "/v1/login/page", SignInRequest(provider: "corp", sessionKey: key).json))
            #expect(answer.code == "invalid-request" && answer.text.contains("Ed25519"), "\(answer.text)")
        }
    }

    @Test func attack55_oneSourceHasSoManyOpenLoginsAndNoMore() async throws {
        try await with { plane, visitor in
            for _ in 0..<PageSignIns.perSource { _ = try await visitor.begin() }
            let answer = try await visitor.tryToBegin()
            #expect(answer.code == "too-many-requests")
            #expect(answer.headers["retry-after"] != nil)
            plane.parts.clock.advance(seconds: 600)
            _ = try await visitor.begin()
        }
    }

    @Test func attack55_linksAreNotGuessedAtAnySpeed() async throws {
        let provider = TestProvider(try Self.person())
        let parts = try await TestAuthority(providers: [provider])
        try await TestPlane.with(.init(), earlier: parts) { plane in
            var statuses: [Int] = []
            for _ in 0..<80 {
                statuses.append(try await plane.send(TestRequest("GET", "/login/BBBB-BBBB")).status)
            }
            #expect(statuses.prefix(60).allSatisfy { $0 == 404 } && statuses.last == 429, "\(statuses)")
            // Somebody with a browser reads it.
            let answer = try await plane.send(TestRequest("GET", "/login/BBBB-BBBB"))
            #expect(answer.headers["retry-after"] != nil && answer.text.hasPrefix("<!doctype html>"))
        }
    }
}

@Suite("Link codes") struct LinkCodeTests {
    @Test func aLinkIsEightLettersThatMakeNoWords() async throws {
        let parts = try await TestAuthority()
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        var links: Set<String> = []
        for number in 0..<100 {
            let begun = try parts.authority.pageSignIns.begin(
                provider: "corp", sessionKey: key, from: nil, network: [UInt8(number)],
                at: parts.authority.now
            ) { _ in "000000" }
            #expect(begun.link.wholeMatch(of: /[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}/) != nil)
            links.insert(begun.link)
        }
        #expect(links.count == 100)
    }

    @Test func attack55_allSourcesTogetherTakeBoundedMemory() async throws {
        let parts = try await TestAuthority()
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        func begin(_ number: Int, at now: UnixTime) throws(SignInFailure) {
            _ = try parts.authority.pageSignIns.begin(
                provider: "corp", sessionKey: key, from: nil,
                network: [UInt8(number % 256), UInt8(number / 256)], at: now
            ) { _ in "000000" }
        }
        let now = parts.authority.now
        for number in 0..<PageSignIns.capacity { try begin(number, at: now) }
        #expect(throws: SignInFailure.self) { try begin(5_000, at: now) }
        try begin(5_000, at: UnixTime(seconds: now.seconds + PageSignIns.lifetime))
    }
}
