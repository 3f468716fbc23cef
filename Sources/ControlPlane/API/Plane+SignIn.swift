// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// Logins by identity providers: this server asks them, and holds what proves that it may.
extension Plane {
    func addSignIn(_ v1: RouterGroup<PlaneContext>) {
        v1.post("login/device") { [self] request, context in
            let wanted = try SignInRequest(json: try json(try await body(request, context)))
            let attempt: any DeviceSignIn = try await asking {
                () async throws(SignInFailure) in
                try await provider(wanted.provider, .device).beginDeviceSignIn()
            }
            return Response(
                .created,
                json: PendingSignIn(
                    id: try keep(.device(attempt), wanted.sessionKey), url: attempt.verificationURL,
                    urlWithCode: attempt.verificationURLWithCode, userCode: attempt.userCode,
                    interval: Int64(clamping: attempt.interval),
                    expires: Int64(clamping: attempt.expires.seconds)
                ).json)
        }
        v1.post("login/device/poll") { [self] request, context in
            let id = try idOnly(try await body(request, context))
            guard let pending = authority.signIns.attempt(id, at: authority.now),
                case .device(let attempt) = pending.attempt
            else { throw gone }
            switch try await asking({ () async throws(SignInFailure) in try await attempt.poll() }) {
            case .pending(let interval):
                throw Problem(
                    .loginPending, "nobody has decided yet", hint: "ask again in \(interval) seconds")
            case .refused(let reason):
                _ = authority.signIns.remove(id)
                metrics.countLogin("refused")
                throw Problem(.loginRefused, reason, hint: "log in again: daypass login")
            case .signedIn(let person):
                return try await start(person, id, pending.sessionKey, context)
            }
        }
        v1.post("login/code") { [self] request, context in
            let wanted = try SignInRequest(json: try json(try await body(request, context)))
            guard let redirectURI = wanted.redirectURI else {
                throw Problem(.invalidRequest, "redirectURI is missing")
            }
            let attempt: any CodeSignIn = try await asking {
                () async throws(SignInFailure) in
                try await provider(wanted.provider, .code).beginCodeSignIn(redirectURI: redirectURI)
            }
            return Response(
                .created,
                json: PendingSignIn(
                    id: try keep(.code(attempt), wanted.sessionKey), url: attempt.authorizationURL,
                    expires: Int64(clamping: attempt.expires.seconds)
                ).json)
        }
        v1.post("login/code/complete") { [self] request, context in
            let came = try CodeCompletion(json: try json(try await body(request, context)))
            guard let pending = authority.signIns.attempt(came.id, at: authority.now),
                case .code(let attempt) = pending.attempt
            else { throw gone }
            let person = try await asking { () async throws(SignInFailure) in
                try await attempt.finish(
                    code: came.code, state: came.state, issuer: came.issuer, error: came.error)
            }
            return try await start(person, came.id, pending.sessionKey, context)
        }
        v1.post("login/token") { [self] request, context in
            let login = try TokenLogin(json: try json(try await body(request, context)))
            if login.provider == Person.apiKeys {
                return try answer(
                    try await authority.logIn(
                        byAPIKey: login.token, sessionKey: login.sessionKey, from: context.sourceAddress),
                    context)
            }
            guard let provider = authority.workloads[login.provider] else {
                throw Problem(
                    .notFound, "no workloads of \"\(login.provider.escapedForTerminal)\" log in here")
            }
            let person = try await asking { () async throws(SignInFailure) in
                try await provider.person(token: login.token)
            }
            return try answer(
                try await authority.start(
                    person, by: .provider, sessionKey: login.sessionKey, from: context.sourceAddress),
                context)
        }
    }

    /// Starts the session, once.
    private func start(
        _ person: Person, _ id: String, _ sessionKey: PublicKey, _ context: PlaneContext
    ) async throws -> Response {
        guard authority.signIns.remove(id) else { throw gone }
        return try answer(
            try await authority.start(
                person, by: .provider, sessionKey: sessionKey, from: context.sourceAddress), context)
    }

    /// The provider of this name, if people may sign in there this way.
    func provider(_ name: String, _ way: SignInWay) throws(SignInFailure) -> any SignInProvider {
        guard let provider = authority.providers[name] else {
            throw SignInFailure("there is no identity provider \"\(name.escapedForTerminal)\" here")
        }
        guard provider.ways.contains(way) else {
            throw SignInFailure(
                "nobody signs in at \(name) by \(way.rawValue) here",
                hint: "its ways here: \(provider.ways.map(\.rawValue).joined(separator: ", "))")
        }
        return provider
    }

    private func keep(_ attempt: PendingSignIns.Attempt, _ key: PublicKey) throws -> String {
        do {
            return try authority.signIns.add(attempt, sessionKey: key, at: authority.now)
        } catch {
            throw Problem(.tooManyRequests, error.reason, hint: error.hint, retryAfter: 10)
        }
    }

    /// Runs what asks a provider, and makes a problem of its failure.
    func asking<Value>(_ body: () async throws(SignInFailure) -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            metrics.countLogin(error.isProviders ? "failed" : "refused")
            throw Problem(
                error.isProviders ? .providerUnavailable : .loginRefused, error.reason, hint: error.hint)
        }
    }

    func idOnly(_ body: [UInt8]) throws -> String {
        guard case .object(let members) = try json(body), members.count == 1, members[0].name == "id",
            let id = members[0].value.string
        else { throw Problem(.invalidRequest, "an object with id expected") }
        return id
    }

    var gone: Problem {
        Problem(.notFound, "there is no such sign-in, or it is over", hint: "log in again: daypass login")
    }
}
