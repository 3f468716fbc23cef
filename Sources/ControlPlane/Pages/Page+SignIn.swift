// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes
import Hummingbird
import SSHWire

/// The pages of a sign-in.
extension Page {
    /// Where a browser is, and when, beside the sign-in that it has open.
    struct Visit {
        let signIn: PageSignIn
        let cookie: BrowserCookie
        /// The server's name.
        let server: String
        let address: IPAddress?
        let now: UnixTime

        /// Where the forms go; made here, of letters and a hyphen.
        var path: String { "/login/\(signIn.link)" }

        fileprivate var hidden: HTML {
            "<input type=\"hidden\" name=\"token\" value=\"\(cookie.token(for: signIn.link))\">"
        }

        /// What is to be known of the login before anybody says yes to it.
        fileprivate var facts: HTML {
            let source = signIn.source?.description ?? "an address that is not known"
            let warning: HTML =
                address == signIn.source
                ? ""
                : """
                <p class="warning">That is another address than this browser's, which is \
                <code>\(address?.description ?? "not known")</code>. Is it where your terminal runs?</p>

                """
            return """
                <dt>Server</dt><dd>\(server)</dd>
                <dt>Started</dt><dd>at <code>\(source)</code>, \(ago), \(signIn.begun.description)</dd>
                <dt>Key</dt><dd><code>\(signIn.sessionKey.fingerprint)</code></dd>
                </dl>
                \(warning)
                """
        }

        private var ago: String {
            let seconds = now.seconds > signIn.begun.seconds ? now.seconds - signIn.begun.seconds : 0
            return seconds < 60 ? "less than a minute ago" : "\(seconds / 60) min ago"
        }
    }

    /// The first page: fetching it changes nothing, as programs that look at links in messages do.
    static func start(_ visit: Visit) -> Page {
        Page(
            title: "Log in with a terminal",
            content: """
                <p>A login was started in a terminal. Go on only if you started it yourself, just now. If somebody sent you \
                this link, close this page: it is their login, and it would be in your name.</p>
                <dl>
                \(visit.facts)
                <form method="post" action="\(visit.path)">
                \(visit.hidden)
                <input type="hidden" name="step" value="start">
                <button type="submit">Sign in at \(visit.signIn.provider)</button>
                </form>
                """)
    }

    /// On to the provider.
    static func onward(_ provider: String, _ url: String) -> Page {
        Page(
            title: "Sign in at \(provider)",
            content: "<p><a href=\"\(url)\" rel=\"noreferrer\">Go on to \(provider)</a></p>", next: url)
    }

    /// The question.
    ///
    /// - Parameter complaint: what was wrong with the last answer.
    static func consent(_ visit: Visit, _ person: Person, complaint: String? = nil) -> Page {
        let alert: HTML =
            complaint.map { "<p class=\"warning\" role=\"alert\" id=\"complaint\">\($0)</p>\n" } ?? ""
        let described: HTML = complaint == nil ? "warning" : "complaint warning"
        let invalid: HTML = complaint == nil ? "" : " aria-invalid=\"true\""
        let email: HTML =
            person.email.map { $0.lowercased() == person.identity.description ? "" : " (\($0))" } ?? ""
        return Page(
            title: "Is this your terminal?",
            content: """
                <p>It will act in your name until the session ends.</p>
                <dl>
                <dt>You</dt><dd>\(person.identity.description)\(email), by \(person.provider)</dd>
                \(visit.facts)
                \(alert)<form method="post" action="\(visit.path)">
                \(visit.hidden)
                <input type="hidden" name="step" value="approve">
                <p><label for="match">Type the code that your own terminal shows:</label></p>
                <p><input id="match" name="match" type="text" inputmode="numeric" autocomplete="off" required \
                maxlength="16"\(invalid) aria-describedby="\(described)"></p>
                <p id="warning">A code that somebody told or sent you is not yours: whoever sent it would be logged in as \
                you.</p>
                <button type="submit">Log in my terminal</button>
                </form>
                <form method="post" action="\(visit.path)">
                \(visit.hidden)
                <input type="hidden" name="step" value="refuse">
                <button type="submit">This isn't me</button>
                </form>
                """)
    }

    static let approved = Page(
        title: "Logged in",
        content: "<p>The terminal goes on by itself. You may close this page.</p>")

    /// After "This isn't me", or the last wrong code.
    static func refused(_ reason: String) -> Page {
        Page(
            title: "Nobody was logged in",
            content: """
                <p>It is over, and in the authority's log: \(reason).</p>
                <p>If somebody sent you the link, tell whoever looks after security at your place.</p>
                """)
    }

    static func over(_ reason: String) -> Page {
        Page(title: "Nobody was logged in", content: "<p>It is over: \(reason).</p>")
    }

    /// A problem as an answer to a browser.
    static func answer(_ problem: Problem) -> Response {
        var response = page(of: problem).response(HTTPResponse.Status(code: problem.code.status))
        if let seconds = problem.retryAfter { response.headers[.retryAfter] = String(seconds) }
        return response
    }

    private static func page(of problem: Problem) -> Page {
        let hint: HTML = problem.hint.map { "<p>\($0)</p>\n" } ?? ""
        return Page(
            title: "This does not go on",
            content: "<p>\(problem.detail)</p>\n\(hint)<p>Request \(problem.requestID ?? "")</p>")
    }
}
