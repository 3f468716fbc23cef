// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

extension Plane {
    func addCertificates(_ v1: RouterGroup<PlaneContext>) {
        v1.post("certificates") { [self] request, context in
            let caller = try await authenticate(request, context)
            let wish = try wish(CertificateWish(json: try json(caller.body)))
            return try await remember(request, of: caller) {
                switch try await authority.issue(wish, for: caller.session, from: context.sourceAddress) {
                case .issued(let certificate, let index, let host, let rule):
                    metrics.countIssued()
                    let line = try PublicKeyLine(
                        .certificate(certificate), comment: certificate.fields.keyID)
                    return Answer(
                        .created,
                        json: IssuedCertificate(
                            certificate: line.text, host: host.id, login: wish.login, rule: rule,
                            logIndex: index
                        ).json)
                case .refused(let decision):
                    throw refusal(decision)
                }
            }
        }
        v1.post("explain") { [self] request, context in
            let caller = try await authenticate(request, context)
            let wish = try wish(CertificateWish(json: try json(caller.body)))
            guard
                let explanation = authority.explain(
                    wish, for: caller.session.person, from: context.sourceAddress)
            else { throw Problem(.notFound, "host \"\(wish.host.escapedForTerminal)\" is not known here") }
            return Response(json: .object([.init("text", .string(explanation.text))]))
        }
        v1.get("access") { [self] request, context in
            let caller = try await authenticate(request, context)
            let reachable = authority.reachable(by: caller.session, from: context.sourceAddress)
            return try page(reachable, request, by: { $0.host.id }) { host, logins in
                HostInfo(
                    id: host.id, names: host.names, labels: host.labels,
                    logins: logins.filter { !$0.needsApproval }.map(\.login),
                    loginsOnApproval: logins.filter(\.needsApproval).map(\.login)
                ).json
            }
        }
    }

    private func wish(_ message: CertificateWish) throws -> AccessWish {
        try AccessWish(
            host: message.host, login: message.login, key: message.key, lifetime: message.lifetime,
            permissions: try message.permissions.map(permissions), forceCommand: message.forceCommand, reason: message.reason)
    }

    func permissions(_ names: [String]) throws -> Set<Permission> {
        Set(
            try names.map { name in
                guard let permission = Permission(rawValue: name) else {
                    throw Problem(
                        .invalidRequest, "permissions: \"\(name.escapedForTerminal)\" is not known",
                        hint: "known are \(Permission.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                return permission
            })
    }

    func refusal(_ decision: AccessDecision) -> Problem {
        let code: Problem.Code =
            switch decision.verdict {
            case .allowed, .denied: .denied
            case .needsApproval: .needsApproval
            case .needsLogin: .needsLogin
            }
        metrics.countRefused(code.rawValue)
        return Problem(
            code, decision.reasons.first ?? "no rule allows it", reasons: decision.reasons)
    }
}
