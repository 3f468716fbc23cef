// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// The hosts' agents: how they join, and what comes through their tunnels.
extension Plane {
    func addFleet(_ v1: RouterGroup<PlaneContext>) {
        let fleet = hub.fleet
        v1.post("hosts/join") { [self] request, context in
            let wish = try JoinRequest(json: try json(try await body(request, context)))
            let host = try await fleet.join(
                token: wish.token, name: wish.hostname.lowercased(), key: wish.key.key,
                hostKeys: wish.hostKeys, from: context.sourceAddress)
            return Response(.created, json: joined(host, request).json)
        }
        v1.post("hosts/register") { [self] request, context in
            let wish = try RegistrationRequest(p0Body: try json(try await body(request, context)))
            let host = try await fleet.join(
                token: try bearer(request), name: wish.hostName.lowercased(), key: wish.key.key,
                hostKeys: [wish.hostKey], isOwnAgent: false, from: context.sourceAddress)
            return Response(
                json: RegistrationReply(
                    organisation: Fleet.organisation, hostID: host.id,
                    environmentID: wish.environmentID.isEmpty ? "default" : wish.environmentID,
                    tunnelURL: tunnelURL(request)
                ).json)
        }
        v1.post("hosts/key") { [self] request, context in
            let wish = try HostKeyChange(json: try json(try await body(request, context)))
            let host = try await hub.changeKey(
                wish, authorization: request.headers[.authorization], from: context.sourceAddress)
            return Response(
                json: .object([.init("thumbprint", .string(try JSONWebKey(host.key).thumbprint))]))
        }
        v1.get("join-tokens") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            return try page(fleet.joinTokens, request, by: \.id) { JoinTokenInfo($0).json }
        }
        v1.post("join-tokens") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wish = try JoinTokenInfo(json: try json(caller.body))
            return try await remember(request, of: caller) {
                let (token, text) = try await fleet.makeJoinToken(
                    hostPattern: wish.hostPattern, labels: wish.labels,
                    lifetime: wish.lifetime ?? JoinToken.defaultLifetime,
                    by: caller.session.person.identity)
                var info = JoinTokenInfo(token)
                info.token = text
                return Answer(.created, json: info.json)
            }
        }
        v1.delete("join-tokens/:id") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            try await fleet.removeJoinToken(
                try context.parameters.require("id"), by: caller.session.person.identity)
            return Response.done
        }
        v1.get("agents") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            let agents = try fleet.hosts.map { try agentInfo($0) }
            return try page(agents, request, by: \.id) { $0.json }
        }
        v1.post("agents") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wish = try EnrolmentRequest(json: try json(caller.body))
            return try await remember(request, of: caller) {
                let host = try await fleet.enrol(Enrolment(wish), by: caller.session.person.identity)
                // Whoever is connected by the key before is not this host any more.
                hub.disconnect(host.id)
                return Answer(.created, json: joined(host, request).json)
            }
        }
        v1.delete("agents/:id") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let id = try context.parameters.require("id")
            try await fleet.removeKey(of: id, by: caller.session.person.identity)
            hub.disconnect(id)
            return Response.done
        }
        v1.post("agents/:id/call") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wish = try json(caller.body)
            guard case .object = wish else { throw Problem(.invalidRequest, "an object expected") }
            let id = try context.parameters.require("id")
            try await fleet.recordCall(
                wish["command"]?.string ?? "", on: id, by: caller.session.person.identity)
            let reply = try await hub.call(id, wish)
            return Response(json: reply.callAnswer)
        }
        addRevocations(v1)
        v1.get("host-sessions") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            return try await hostSessions(request)
        }
    }

    /// What a host is told once its key is known.
    private func joined(_ host: EnrolledHost, _ request: Request) -> JoinAnswer {
        JoinAnswer(
            clientID: host.clientID, tunnelURL: tunnelURL(request), revocationKey: hub.revocationKey,
            fleetRoots: hub.fleet.roots)
    }

    /// Where tunnels go, by the name by which whoever asks has come here.
    private func tunnelURL(_ request: Request) -> String {
        "wss://\((request.head.authority ?? "").lowercased())/v1/tunnel"
    }

    private func bearer(_ request: Request) throws -> String {
        let scheme = "bearer "
        guard let value = request.headers[.authorization], value.lowercased().hasPrefix(scheme) else {
            throw Problem(
                .notLoggedIn, "Authorization: Bearer and a join token expected",
                hint: "an administrator makes one: daypass hosts join-token")
        }
        return String(value.dropFirst(scheme.count))
    }

    private func hostSessions(_ request: Request) async throws -> Response {
        let query = request.uri.queryParameters
        var filter = HostEventFilter()
        filter.host = query["host"].map { String($0) }
        filter.who = query["who"].map { String($0) }
        filter.session = query["session"].map { String($0) }
        filter.since = try number(query["since"], "since", 0...UInt64.max)
        filter.alertsOnly = query["alerts"] == "true"
        let limit = try number(query["limit"], "limit", 1...1_000) ?? 100
        let before = try number(query["after"], "after", 0...UInt64.max)
        let events = try await hub.fleet.events(filter, before: before, limit: Int(limit))
        var members = [
            JSONValue.Member(
                "items", .array(events.map { HostEventInfo($0.event, $0.index, $0.milliseconds).json }))
        ]
        if events.count == Int(limit), let last = events.last {
            members.append(.init("next", .string(String(last.index))))
        }
        return Response(json: .object(members))
    }

    func number(_ text: Substring?, _ name: String, _ range: ClosedRange<UInt64>) throws -> UInt64? {
        guard let text else { return nil }
        guard let number = UInt64(text), range.contains(number) else {
            throw Problem(
                .invalidRequest, "\(name): a number from \(range.lowerBound) to \(range.upperBound) expected")
        }
        return number
    }

    private func agentInfo(_ host: EnrolledHost) throws -> AgentInfo {
        let status = hub.status(of: host.id)
        return AgentInfo(
            id: host.id, clientID: host.clientID, keyThumbprint: try JSONWebKey(host.key).thumbprint,
            joined: host.joined.seconds, connected: status.connected?.seconds,
            lastSeen: status.lastSeen?.seconds,
            recorded: hub.fleet.recordPlace(of: host.id)?.sequence ?? 0,
            revocations: status.isDryRun ? nil : status.revocations,
            version: status.agentVersion,
            dialect: hub.link(to: host.id).map { $0.dialect == .p0 ? "p0" : "daypass" })
    }
}

extension Enrolment {
    fileprivate init(_ wish: EnrolmentRequest) {
        let registration = wish.registration
        self.init(
            name: registration.hostName, id: wish.id, clientID: registration.clientID,
            key: registration.key.key, hostKeys: [registration.hostKey], labels: wish.labels,
            replaces: wish.replaces)
    }
}

extension JoinTokenInfo {
    init(_ token: JoinToken) {
        self.init(
            id: token.id, hostPattern: token.hostPattern, labels: token.labels, expires: token.expires.seconds
        )
    }
}

extension HostEventInfo {
    init(_ event: HostEventRecord, _ index: UInt64, _ milliseconds: UInt64) {
        self.init(
            index: index, recorded: milliseconds, happened: event.happened, host: event.host.string,
            event: event.kind.name, session: event.session.string, account: event.account.string,
            who: event.who, source: event.sourceAddress.string, method: event.method.string,
            serial: event.serial, match: event.match.name, isAlert: event.isAlert, issuance: event.issuance,
            reason: event.gap.flatMap { gap in
                // In one text, as entries of the first version have it.
                gap.isEmpty
                    ? nil
                    : "gap: \(gap.string)" + (event.reason.isEmpty ? "" : "; \(event.reason.string)")
            } ?? event.reason.string)
    }
}

extension TunnelReply {
    fileprivate var callAnswer: JSONValue {
        var members = [
            JSONValue.Member("success", .bool(outcome.success)),
            .init("message", .string(outcome.message)), .init("status", .number(Int64(status))),
        ]
        if let output = outcome.output { members.append(.init("output", .string(output))) }
        return .object(members)
    }
}
