// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import IdentityProviders
import TestSupport
import Testing

/// Logins by pages of a real daypassd, with real identity providers and curl for a browser.
@Suite("daypass login by a page of the server", .serialized)
struct ControlPlanePageTests {
    /// A control plane whose people sign in at a provider, and what a terminal says that waits there.
    private final class Scene {
        let plane: PrivateControlPlane
        let laptop: Laptop

        init(_ provider: String, more: String = "") throws {
            plane = try PrivateControlPlane(
                rules: ControlScene.rules(), settings: "providers:\n\(provider)\n\(more)")
            laptop = try Laptop(withAgent: false)
        }

        convenience init(_ mock: ProviderMock, _ folder: TemporaryFolder) throws {
            let secret = try folder.write("a client's secret\n", to: "secret")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: secret)
            try self.init(
                """
                  - name: mock
                    issuer: \(mock.issuer)
                    client_id: daypass
                    client_secret_file: \(secret)
                """)
        }

        /// Begins a login, as whoever sits at this laptop.
        func begin(
            _ laptop: Laptop? = nil, provider: String = "mock", flags: [String] = []
        ) async throws -> Terminal {
            let laptop = laptop ?? self.laptop
            let log = "login-\(UUID().uuidString)"
            let process = try laptop.beside(
                [
                    "login", "--server", plane.url, "--fingerprint", plane.fingerprint, "--provider",
                    provider,
                ] + flags, log: log)
            func said(_ start: String) async throws -> String {
                try await poll {
                    let lines = ((try? laptop.folder.readText(log)) ?? "").split(separator: "\n")
                    return lines.first { $0.hasPrefix(start) }.map { String($0.dropFirst(start.count)) }
                }
            }
            return Terminal(
                process: process, link: try await said("open   "), code: try await said("code   "),
                fingerprint: try await said("this login is for the key "), laptop: laptop, log: log)
        }
    }

    private struct Terminal {
        let process: ChildProcess
        let link: String
        let code: String
        let fingerprint: String
        let laptop: Laptop
        let log: String

        var said: String { (try? laptop.folder.readText(log)) ?? "" }

        /// A code that it does not show.
        var wrongCode: String { code == "123 456" ? "654 321" : "123 456" }

        /// Waits for its end.
        func ends(_ code: Int32) -> Bool { process.wait(for: .seconds(60)) == .exited(code) }
    }

    private func session(_ laptop: Laptop) throws -> JSONValue {
        let text = try laptop.daypass(["status", "--format", "json"]).orThrow("status").stdout
        return try #require(try JSONValue(parsing: text, maximumBytes: 1 << 20)["session"])
    }

    /// What the authority's log says of logins.
    private func logins(_ plane: PrivateControlPlane) throws -> String {
        try Tool.run(
            try BuiltProduct.path("daypass"), ["log", "list", "--home", plane.home, "--format", "json"]
        ).orThrow("log list").stdoutText
    }

    @Test func theCodeOfTheTerminalThatIsTypedOnThePageLogsItIn() async throws {
        let (mock, folder) = (try await ProviderMock(), try TemporaryFolder())
        let scene = try Scene(mock, folder)
        // Nothing says which way: there is no browser here that could come back.
        let terminal = try await scene.begin()
        #expect(terminal.link.hasPrefix("\(scene.plane.url)/login/"), "\(terminal.link)")
        let browser = try PageBrowser(of: scene.plane)

        let first = try browser.get(terminal.link)
        #expect(first.status == 200)
        for fact in [terminal.fingerprint, "127.0.0.1", "Sign in at mock"] {
            #expect(first.body.contains(fact), "\(fact): \(first.body)")
        }
        #expect(!first.body.contains(terminal.code) && !first.body.contains("<script"))
        let back = try mock.redirect("sub=a1", at: browser.goOn(terminal.link))
        #expect(back.hasPrefix("\(scene.plane.url)/callback/mock?"), "\(back)")
        let arrived = try browser.get(back)
        #expect(arrived.status == 303)
        let consent = try browser.get(scene.plane.url + (arrived.headers["location"] ?? ""))
        for fact in [
            "alice@example.com", "by mock", terminal.fingerprint, "127.0.0.1", "This isn't me",
            "<label for=\"match\">",
        ] {
            #expect(consent.body.contains(fact), "\(fact): \(consent.body)")
        }
        // It has to be read off the terminal: the page does not show it.
        #expect(!consent.body.contains(terminal.code))
        #expect(!consent.body.contains(terminal.code.replacing(" ", with: "")))

        let done = try browser.answer(consent, at: terminal.link, step: "approve", match: terminal.code)
        #expect(done.status == 200 && done.body.contains("Logged in"), "\(done)")
        #expect(terminal.ends(0), "\(terminal.said)")
        let session = try session(scene.laptop)
        #expect(session["identity"]?.string == "alice@example.com")
        #expect(session["keyFingerprint"]?.string == terminal.fingerprint)
        #expect(try logins(scene.plane).contains("approved in a browser at 127.0.0.1"))
        // It is over: neither the link nor the answer does anything any more.
        #expect(try browser.get(terminal.link).status == 404)
        #expect(
            try browser.answer(consent, at: terminal.link, step: "approve", match: terminal.code).status
                == 404)
    }

    @Test func aProviderThatComparesRedirectsToTheByteSendsPeopleBack() async throws {
        let glewlwyd = try await Glewlwyd()
        let scene = try Scene(
            """
              - name: corp
                issuer: \(glewlwyd.issuer)
                client_id: \(Glewlwyd.clientID)
                scopes: [openid]
                sign_in: [page]
            """)
        try glewlwyd.signIn(as: "alice")
        let browser = try PageBrowser(of: scene.plane)
        let terminal = try await scene.begin(provider: "corp", flags: ["--page"])
        // What is not registered there is nowhere to be sent to.
        let before = try glewlwyd.redirect(browser.goOn(terminal.link), as: "alice")
        #expect(!before.hasPrefix(scene.plane.url), "\(before)")
        try glewlwyd.register(redirect: "\(scene.plane.url)/callback/corp")
        let back = try glewlwyd.redirect(browser.goOn(terminal.link), as: "alice")
        #expect(try browser.get(back).status == 303, "\(back)")
        let consent = try browser.get(terminal.link)
        // As people type it.
        let typed = terminal.code.replacing(" ", with: "-")
        let done = try browser.answer(consent, at: terminal.link, step: "approve", match: typed)
        #expect(done.status == 200, "\(done)")
        #expect(terminal.ends(0), "\(terminal.said)")
        #expect(try session(scene.laptop)["provider"]?.string == "corp")
        // The provider's own codes are not offered here.
        let device = try scene.laptop.daypass([
            "login", "--server", scene.plane.url, "--provider", "corp", "--device",
        ])
        expectFailure(
            device, 1, "nobody signs in at corp by device here", hint: "its ways here: page")
    }

    @Test func attack49_aLinkThatAnAttackerSendsGivesThemNothing() async throws {
        let (mock, folder) = (try await ProviderMock(), try TemporaryFolder())
        let scene = try Scene(mock, folder)
        // Mallory begins a login with her own key, and sends alice the link.
        let mallory = try await scene.begin(try Laptop(withAgent: false))
        let alice = try PageBrowser(of: scene.plane)
        let back = try mock.redirect("sub=a1", at: alice.goOn(mallory.link))
        _ = try alice.get(back)
        let consent = try alice.get(mallory.link)
        #expect(consent.body.contains("Is this your terminal?"))
        // Being signed in is not enough, nor is a click: alice has no terminal that shows a code.
        for typed in ["", "not a code", "12345"] {
            let answer = try alice.answer(consent, at: mallory.link, step: "approve", match: typed)
            #expect(answer.status == 403 && answer.body.contains("That is no code"), "\(answer)")
        }
        let no = try alice.answer(consent, at: mallory.link, step: "refuse")
        #expect(no.status == 200 && no.body.contains("Nobody was logged in"))
        #expect(mallory.ends(1), "\(mallory.said)")
        #expect(mallory.said.contains("said that this login is not theirs"), "\(mallory.said)")
        #expect(!mallory.said.contains("alice"))
        let log = try logins(scene.plane)
        #expect(log.contains("said that this login is not theirs") && log.contains(mallory.fingerprint))
        #expect(scene.plane.log.contains("login refused in a browser"))
        let metrics = try alice.get("\(scene.plane.url)/metrics").body
        #expect(metrics.contains("daypass_logins_total{outcome=\"refused\"} 1"), "\(metrics)")
        #expect(!metrics.contains("outcome=\"started\""))
    }

    @Test func attack49_threeWrongCodesEndALogin() async throws {
        let (mock, folder) = (try await ProviderMock(), try TemporaryFolder())
        let scene = try Scene(mock, folder)
        let terminal = try await scene.begin()
        let browser = try PageBrowser(of: scene.plane)
        _ = try browser.get(mock.redirect("sub=a1", at: browser.goOn(terminal.link)))
        let consent = try browser.get(terminal.link)
        for left in ["2 more tries", "1 more try"] {
            let wrong = try browser.answer(
                consent, at: terminal.link, step: "approve", match: terminal.wrongCode)
            #expect(wrong.status == 403 && wrong.body.contains(left), "\(wrong.body)")
        }
        let over = try browser.answer(
            consent, at: terminal.link, step: "approve", match: terminal.wrongCode)
        #expect(over.body.contains("Nobody was logged in"), "\(over)")
        // The right one comes too late.
        let late = try browser.answer(consent, at: terminal.link, step: "approve", match: terminal.code)
        #expect([404, 409].contains(late.status), "\(late)")
        #expect(terminal.ends(1), "\(terminal.said)")
        #expect(terminal.said.contains("a wrong match code was typed 3 times"), "\(terminal.said)")
        #expect(try logins(scene.plane).contains("a wrong match code was typed 3 times"))
    }

    @Test func attack49_aLoginStaysInOneBrowserAndAnAnswerIsGoodOnce() async throws {
        let (mock, folder) = (try await ProviderMock(), try TemporaryFolder())
        let scene = try Scene(mock, folder)
        let terminal = try await scene.begin()
        let (mine, other) = (try PageBrowser(of: scene.plane), try PageBrowser(of: scene.plane))
        // Both have seen the first page; one goes on.
        let early = try other.get(terminal.link)
        let provider = try mine.goOn(terminal.link)
        let refused = try other.answer(early, at: terminal.link, step: "start")
        #expect(refused.status == 403 && refused.body.contains("another browser"), "\(refused)")
        #expect(try other.get(terminal.link).status == 403)
        // Login CSRF: the answer of one browser's sign-in, brought by another.
        let back = try mock.redirect("sub=a1", at: provider)
        #expect(try other.get(back).status == 403)
        let blank = try PageBrowser(of: scene.plane)
        #expect(try blank.get(back).status == 403)
        // At another provider's address it is nobody's.
        #expect(try mine.get(back.replacing("/callback/mock", with: "/callback/other")).status == 404)
        // None of that has spent it.
        #expect(try mine.get(back).status == 303)
        #expect(try mine.get(back).status == 404, "an answer that comes again")
        let consent = try mine.get(terminal.link)
        #expect(try other.get(terminal.link).status == 403)
        // A form of another page, or of none.
        for token in [early.hidden("token") ?? "", "", "AAAA"] {
            let forged = try mine.post(
                terminal.link, ["token": token, "step": "approve", "match": terminal.code])
            #expect(forged.status == 403, "\(forged)")
        }
        // The right form and code, without the cookie, and in the other browser.
        for browser in [blank, other] {
            let answer = try browser.answer(
                consent, at: terminal.link, step: "approve", match: terminal.code)
            #expect(answer.status == 403, "\(answer)")
        }
        #expect(
            try mine.answer(consent, at: terminal.link, step: "approve", match: terminal.code).status == 200)
        #expect(terminal.ends(0), "\(terminal.said)")
    }

    @Test func aProviderThatRefusesEndsTheLogin() async throws {
        let (mock, folder) = (try await ProviderMock(), try TemporaryFolder())
        let scene = try Scene(mock, folder)
        let browser = try PageBrowser(of: scene.plane)
        let denied = try await scene.begin()
        let provider = try browser.goOn(denied.link)
        let back = try mock.redirect("action=deny", at: provider)
        #expect(back.contains("error=access_denied"), "\(back)")
        // The mock leaves out the state, which must come back with an error too (RFC 6749 section 4.1.2.1): what could be
        // anybody's ends nothing.
        #expect(try browser.get(back).status == 403)
        let state = try #require(redirectParameters(provider)["state"])
        let page = try browser.get("\(back)&state=\(state)")
        #expect(page.status == 401 && page.body.contains("access_denied"), "\(page)")
        #expect(denied.ends(1), "\(denied.said)")
        // Whose terminal that is nobody knows: it is told nothing of who signed in.
        let told = "error: the sign-in was refused\nhint: the page in the browser says why\n"
        #expect(denied.said.hasSuffix(told), "\(denied.said)")
        // Somebody whose address nobody has verified (attack row 10).
        let unverified = try await scene.begin()
        let other = try browser.get(mock.redirect("sub=m1", at: browser.goOn(unverified.link)))
        #expect(other.status == 401 && other.body.contains("verified"), "\(other)")
        #expect(unverified.ends(1), "\(unverified.said)")
        #expect(unverified.said.hasSuffix(told), "\(unverified.said)")
    }

    @Test func attack39_whatComesWithARedirectIsShownAsText() async throws {
        let (mock, folder) = (try await ProviderMock(), try TemporaryFolder())
        let scene = try Scene(mock, folder)
        let browser = try PageBrowser(of: scene.plane)
        let terminal = try await scene.begin()
        let provider = try browser.goOn(terminal.link)
        let state = try #require(redirectParameters(provider)["state"])
        let page = try browser.get(
            "\(scene.plane.url)/callback/mock?state=\(state)&error=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27")
        #expect(page.status == 401)
        #expect(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;"), "\(page.body)")
        #expect(!page.body.contains("<script"))
        _ = terminal.ends(1)
        #expect(!terminal.said.contains("\u{1b}"))
    }
}
