// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// Who may enter a host, and how somebody came to be on one.
extension Plane {
    func addHostAccess(_ v1: RouterGroup<PlaneContext>) {
        v1.get("hosts/:id/access") { [self] request, context in
            let caller = try await authenticate(request, context)
            let access = try authority.whoCan(
                enter: try context.parameters.require("id"),
                as: request.uri.queryParameters["login"].map(String.init), for: caller.session,
                from: context.sourceAddress)
            return Response(json: HostAccessInfo(access).json)
        }
        v1.get("why") { [self] request, context in
            let caller = try await authenticate(request, context)
            let viewer = ChainReader.Viewer(
                caller.session.person.identity,
                isAdministrator: authority.isAdministrator(caller.session.person, from: context.sourceAddress)
            )
            let chain = try await chains.chain(try question(request), for: viewer)
            return Response(json: ChainInfo(chain).json)
        }
    }

    private func question(_ request: Request) throws -> ChainQuestion {
        let query = request.uri.queryParameters
        let wanted = ["session", "serial", "keyId", "request"].filter { query[Substring($0)] != nil }
        guard wanted.count == 1, let name = wanted.first, let text = query[Substring(name)].map(String.init)
        else {
            throw Problem(.invalidRequest, "one of session, serial, keyId and request expected in the query")
        }
        switch name {
        case "session": return .session(text, host: query["host"].map(String.init))
        case "serial":
            guard let serial = UInt64(text) else {
                throw Problem(.invalidRequest, "serial: a number of 64 bits expected")
            }
            return .serial(serial)
        case "keyId": return .keyID(text)
        default: return .request(text)
        }
    }
}

extension HostAccessInfo {
    init(_ access: HostAccess) {
        self.init(
            host: access.host.id, names: access.host.names, labels: access.host.labels,
            ways: access.ways.map { way in
                Way(
                    login: way.login, rule: way.rule, condition: way.condition,
                    approvals: way.approval.map { Int64($0.count) }, approvers: way.approval?.approvers,
                    longestGrant: way.approval.map { Int64(clamping: $0.longestGrant) },
                    breakGlass: way.breakGlass, mayUseSudo: way.mayUseSudo,
                    people: way.people.map {
                        Somebody(identity: $0.identity.description, knownBy: $0.knownBy)
                    })
            },
            grants: access.grants.map { grant in
                Grant(
                    request: grant.id, person: grant.person.description, login: grant.login, rule: grant.rule,
                    until: Int64(clamping: grant.window?.until.seconds ?? 0),
                    approvedBy: grant.approvals.map(\.person.identity.description),
                    isBreakGlass: grant.isBreakGlass)
            },
            denials: access.denials.map {
                Denial(rule: $0.rule, logins: $0.logins, condition: $0.condition)
            }, known: Int64(access.known), asked: Int64(access.asked))
    }
}

extension ChainInfo {
    init(_ chain: Chain) {
        self.init(steps: chain.steps.map(Step.init), isCut: chain.isCut)
    }
}

extension ChainInfo.Step {
    init(_ step: ChainStep) {
        self.init(
            index: step.index, recorded: step.milliseconds, step: step.kind.rawValue, who: step.who,
            facts: step.facts.map { .init(name: $0.name, value: $0.value) })
    }
}
