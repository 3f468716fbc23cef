// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SSHWire

/// Logins by pages of this server: a terminal begins one, its owner signs in at the provider with any browser, and says on
/// a page of ours, by the code that the terminal shows, that the terminal is theirs.
extension Plane {
    /// How long a terminal waits between two questions, in seconds.
    private static let pollInterval: Int64 = 2

    // MARK: The terminal

    func addPageSignIn(_ v1: RouterGroup<PlaneContext>) {
        v1.post("login/page") { [self] request, context in
            let wanted = try SignInRequest(json: try json(try await body(request, context)))
            _ = try await asking { () throws(SignInFailure) in try provider(wanted.provider, .page) }
            guard wanted.sessionKey.keyType == .ed25519 else {
                throw Problem(.invalidRequest, "sessionKey: an Ed25519 key expected")
            }
            let begun: PageSignIn
            do throws(SignInFailure) {
                begun = try authority.pageSignIns.begin(
                    provider: wanted.provider, sessionKey: wanted.sessionKey, from: context.sourceAddress,
                    network: RequestLimits.network(context.sourceAddress), at: authority.now
                ) { MatchCode.code(signIn: $0, sessionKey: wanted.sessionKey) }
            } catch {
                throw Problem(.tooManyRequests, error.reason, hint: error.hint, retryAfter: 10)
            }
            return Response(
                .created,
                json: PendingSignIn(
                    id: begun.id, url: "\(publicURL(context))\(Self.path(begun.link))",
                    interval: Self.pollInterval, expires: Int64(clamping: begun.expires.seconds)
                ).json)
        }
        v1.post("login/page/poll") { [self] request, context in
            let id = try idOnly(try await body(request, context))
            switch authority.pageSignIns.outcome(of: id, at: authority.now) {
            case nil: throw gone
            case .pending:
                throw Problem(
                    .loginPending, "nobody has decided yet",
                    hint: "ask again in \(Self.pollInterval) seconds")
            case .refused(let failure):
                throw Problem(
                    failure.isProviders ? .providerUnavailable : .loginRefused, failure.reason,
                    hint: failure.hint ?? "log in again: daypass login")
            case .approved(let person, let sessionKey, let browser):
                return try answer(
                    try await authority.start(
                        person, by: .page(browser: browser), sessionKey: sessionKey,
                        from: context.sourceAddress), context)
            }
        }
    }

    // MARK: The browser

    func addPages(_ router: Router<PlaneContext>) {
        router.get("login/{code}") { [self] request, context in
            try checkHost(request)
            let cookie = BrowserCookie(request)
            let signIn = try signIn(try context.parameters.require("code"), cookie)
            // Nothing is kept of this: a page that is only looked at changes nothing.
            let visitor = cookie ?? BrowserCookie(randomBytes: SystemRandom.bytes)
            var response = page(of: signIn, visit(signIn, visitor, context)).response()
            response.headers[.setCookie] = visitor.field
            return response
        }
        router.post("login/{code}") { [self] request, context in
            let link = try context.parameters.require("code")
            let fields = try await form(request, context)
            try checkHost(request)
            // Pages' Referrer-Policy makes browsers send "Origin: null", which says nothing.
            guard request.headers[.fetchSite].map({ $0 == "same-origin" }) ?? true else {
                throw Problem(.denied, "this was sent from a page of somebody else's")
            }
            guard let cookie = BrowserCookie(request) else {
                throw Problem(
                    .denied, "the browser sent no cookie of this login",
                    hint: "allow cookies of this server, and open the terminal's link again")
            }
            let signIn = try signIn(link, cookie)
            guard cookie.made(fields["token"], for: signIn.link) else {
                throw Problem(
                    .denied, "this was not sent from the page of this login",
                    hint: "open the terminal's link again")
            }
            switch fields["step"] {
            case "start": return try await start(signIn, cookie, context)
            case "approve": return try await approve(signIn, cookie, fields["match"] ?? "", context)
            case "refuse":
                let decision = try decide(signIn, cookie, .notMine, context)
                return try await answer(decision, signIn, cookie, context)
            default: throw Problem(.invalidRequest, "step: start, approve or refuse expected")
            }
        }
        router.get("callback/{provider}") { [self] request, context -> Response in
            try checkHost(request)
            let provider = try context.parameters.require("provider")
            let query = request.uri.query ?? ""
            let came = try FormFields(parsing: query.utf8, maximumBytes: Operation.maximumBodyBytes)
            // A request without what is sent back takes nothing out.
            guard request.method == .get, let state = came["state"], let cookie = BrowserCookie(request)
            else {
                throw foreign
            }
            let taken: (signIn: PageSignIn, attempt: any CodeSignIn)
            do throws(PageSignIns.Refusal) {
                taken = try authority.pageSignIns.take(
                    state: state, provider: provider, browser: cookie.value, at: authority.now)
            } catch .otherBrowser {
                throw foreign
            } catch {
                throw problem(error)
            }
            _ = try await asking { () async throws(SignInFailure) in
                try await finish(taken.signIn, taken.attempt, came)
            }
            return Response.seeOther(Self.path(taken.signIn.link))
        }
    }

    /// Ties the browser to the sign-in, and sends it to the provider.
    private func start(
        _ signIn: PageSignIn, _ cookie: BrowserCookie, _ context: PlaneContext
    ) async throws -> Response {
        let attempt = try await asking { () async throws(SignInFailure) in
            try await provider(signIn.provider, .page).beginPageSignIn(
                redirectURI: ServerConfiguration.redirectURI(of: signIn.provider, at: publicURL(context)))
        }
        do throws(PageSignIns.Refusal) {
            try authority.pageSignIns.start(
                link: signIn.link, browser: cookie.value, attempt: attempt, at: authority.now)
        } catch {
            throw problem(error)
        }
        return Page.onward(signIn.provider, attempt.authorizationURL).response()
    }

    /// Asks the provider whom the code names. What comes of it is kept whatever happens to this connection.
    private func finish(
        _ signIn: PageSignIn, _ attempt: any CodeSignIn, _ came: FormFields
    ) async throws(SignInFailure) -> Person {
        let result: Result<Person, SignInFailure>
        do throws(SignInFailure) {
            result = .success(
                try await attempt.finish(
                    code: came["code"], state: came["state"], issuer: came["iss"], error: came["error"]))
        } catch {
            result = .failure(error)
        }
        authority.pageSignIns.finish(signIn.id, result)
        return try result.get()
    }

    private func approve(
        _ signIn: PageSignIn, _ cookie: BrowserCookie, _ typed: String, _ context: PlaneContext
    ) async throws -> Response {
        guard let code = MatchCode.typed(typed) else {
            guard case .signedIn(let person) = signIn.stage else { throw problem(.outOfTurn) }
            return Page.consent(
                visit(signIn, cookie, context), person,
                complaint: "That is no code: it has \(MatchCode.digits) digits."
            ).response(.forbidden)
        }
        let decision = try decide(signIn, cookie, .mine(matchCode: code), context)
        return try await answer(decision, signIn, cookie, context)
    }

    private func decide(
        _ signIn: PageSignIn, _ cookie: BrowserCookie, _ answer: PageSignIns.Answer, _ context: PlaneContext
    ) throws -> PageSignIns.Decision {
        do throws(PageSignIns.Refusal) {
            return try authority.pageSignIns.decide(
                link: signIn.link, browser: cookie.value, answer, from: context.sourceAddress,
                at: authority.now)
        } catch {
            throw problem(error)
        }
    }

    private func answer(
        _ decision: PageSignIns.Decision, _ signIn: PageSignIn, _ cookie: BrowserCookie,
        _ context: PlaneContext
    ) async throws -> Response {
        switch decision {
        case .approved: return Page.approved.response()
        case .wrongCode(let left):
            guard case .signedIn(let person) = signIn.stage else { throw problem(.outOfTurn) }
            return Page.consent(
                visit(signIn, cookie, context), person,
                complaint:
                    "That is not the code that the terminal shows. \(left) more \(left == 1 ? "try" : "tries")."
            ).response(.forbidden)
        case .ended(let end, let person):
            metrics.countLogin("refused")
            context.logger.warning(
                "login refused in a browser",
                metadata: [
                    "daypass.identity": "\("\(person.identity)".escapedForTerminal)",
                    "daypass.reason": "\(end.reason.escapedForTerminal)",
                    "daypass.key": "\(signIn.sessionKey.fingerprint)",
                    "daypass.source": "\(signIn.source?.description ?? "")",
                    "daypass.browser": "\(context.sourceAddress?.description ?? "")",
                ])
            try await authority.recordRefusal(signIn, person, end.reason, browser: context.sourceAddress)
            return Page.refused(end.reason).response()
        }
    }

    // MARK: What is asked of a request

    /// The sign-in of a link, as far as this browser may see it.
    private func signIn(_ link: String, _ cookie: BrowserCookie?) throws -> PageSignIn {
        do throws(PageSignIns.Refusal) {
            return try authority.pageSignIns.signIn(link: link, browser: cookie?.value, at: authority.now)
        } catch {
            throw problem(error)
        }
    }

    private func page(of signIn: PageSignIn, _ visit: Page.Visit) -> Page {
        switch signIn.stage {
        case .begun, .atProvider, .exchanging: .start(visit)
        case .signedIn(let person): .consent(visit, person)
        case .approved: .approved
        case .ended(let end): .over(end.reason)
        }
    }

    private func visit(
        _ signIn: PageSignIn, _ cookie: BrowserCookie, _ context: PlaneContext
    ) -> Page.Visit {
        Page.Visit(
            signIn: signIn, cookie: cookie, server: info.origin, address: context.sourceAddress,
            now: authority.now)
    }

    /// A browser that calls the server by another name than its own was led here by somebody.
    private func checkHost(_ request: Request) throws {
        guard isOwnName(request.head.authority ?? "") else {
            throw Problem(
                .denied, "this server is not called that",
                hint: "names of this server are listed in its configuration under names")
        }
    }

    /// The form that came with a request.
    private func form(_ request: Request, _ context: PlaneContext) async throws -> FormFields {
        let bytes = try await body(request, context, type: Operation.formMediaType)
        return try FormFields(parsing: bytes, maximumBytes: Operation.maximumBodyBytes)
    }

    /// How browsers reach this server.
    private func publicURL(_ context: PlaneContext) -> String { publicURL(context.localPort ?? 443) }

    private static func path(_ link: String) -> String { "/login/\(link)" }

    private func problem(_ refusal: PageSignIns.Refusal) -> Problem {
        switch refusal {
        case .over:
            Problem(
                .notFound, "there is no such login, or it is over",
                hint: "start it again in the terminal: daypass login")
        case .otherBrowser:
            Problem(
                .denied, "this login was opened in another browser, and goes on there",
                hint: "start a new one in the terminal: daypass login")
        case .outOfTurn:
            Problem(
                .conflict, "this login is at another step",
                hint: "open the terminal's link again to see at which")
        }
    }

    /// An answer of a provider that this browser was not sent for.
    private var foreign: Problem {
        Problem(
            .denied, "this browser was not sent to the identity provider from here",
            hint: "open the terminal's link in one browser, and go on in it")
    }
}
