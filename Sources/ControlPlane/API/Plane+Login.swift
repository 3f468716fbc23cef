// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

extension Plane {
    func addLogin(_ v1: RouterGroup<PlaneContext>) {
        v1.post("login/challenge") { [self] request, context in
            _ = try await body(request, context)
            let (challenge, expires) = authority.challenges.issue(at: authority.now)
            return Response(
                .created,
                json: LoginChallenge(challenge: challenge, expires: Int64(clamping: expires.seconds)).json)
        }
        v1.post("login/keys") { [self] request, context in
            let login = try KeyLoginRequest(json: try json(try await body(request, context)))
            let signature: SSHSignature
            do {
                signature = try SSHSignature(armoured: Array(login.signature.utf8))
            } catch {
                throw Problem(.invalidRequest, "signature: \(error)")
            }
            let message = LoginChallenge.message(
                challenge: login.challenge, origin: info.origin, sessionKey: login.sessionKey)
            let outcome = try await authority.logIn(
                by: signature, over: message, namespace: ExactText(LoginChallenge.namespace),
                challenge: login.challenge, sessionKey: login.sessionKey, from: context.sourceAddress)
            return try answer(outcome, context)
        }
    }

    /// A session, or why there is none.
    func answer(_ outcome: AccessAuthority.LoginOutcome, _ context: PlaneContext) throws -> Response {
        switch outcome {
        case .started(let session):
            metrics.countLogin("started")
            return Response(.created, json: sessionInfo(session, context).json)
        case .refused(let refusal):
            metrics.countLogin("refused")
            throw Problem(.loginRefused, refusal.reason, hint: refusal.hint)
        }
    }

    func sessionInfo(_ session: LoginSession, _ context: PlaneContext) -> SessionInfo {
        SessionInfo(
            id: session.id, identity: session.person.identity.description, provider: session.person.provider,
            email: session.person.email, groups: session.person.groups,
            isAdministrator: authority.isAdministrator(session.person, from: context.sourceAddress),
            keyFingerprint: session.key.fingerprint, sourceAddress: session.sourceAddress,
            created: Int64(clamping: session.created.seconds),
            expires: Int64(clamping: session.expires.seconds))
    }
}
