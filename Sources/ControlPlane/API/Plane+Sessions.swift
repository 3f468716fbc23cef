// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

extension Plane {
    func addSessions(_ v1: RouterGroup<PlaneContext>) {
        v1.get("session") { [self] request, context in
            let caller = try await authenticate(request, context)
            return Response(json: sessionInfo(caller.session, context).json)
        }
        v1.delete("session") { [self] request, context in
            let caller = try await authenticate(request, context)
            try await authority.endSession(
                caller.session.id, by: caller.session, isAdministrator: false, from: context.sourceAddress,
                reason: "logged out")
            return Response.done
        }
        // One's own; everybody's for an administrator who asks for all.
        v1.get("sessions") { [self] request, context in
            let caller = try await authenticate(request, context)
            let wantsAll = request.uri.queryParameters["all"] == "true"
            if wantsAll, !authority.isAdministrator(caller.session.person, from: context.sourceAddress) {
                throw Problem(.denied, "only administrators see the sessions of others")
            }
            let shown = authority.sessions.open(at: authority.now).filter {
                wantsAll || $0.person.identity == caller.session.person.identity
            }
            return try page(shown.map { sessionInfo($0, context).json }, request)
        }
        v1.delete("sessions/:id") { [self] request, context in
            let caller = try await authenticate(request, context)
            try await authority.endSession(
                try context.parameters.require("id"), by: caller.session,
                isAdministrator: authority.isAdministrator(
                    caller.session.person, from: context.sourceAddress),
                from: context.sourceAddress, reason: "ended by \(caller.session.person.identity)")
            return Response.done
        }
    }

    /// A part of a list: `?after=N&limit=N`, in the list's order; `next` is where to go on.
    func page(_ items: [JSONValue], _ request: Request) throws -> Response {
        let after = try number(request, "after", 0...1_000_000) ?? 0
        let limit = try number(request, "limit", 1...1_000) ?? 100
        let part = items.dropFirst(after).prefix(limit)
        var members = [JSONValue.Member("items", .array(Array(part)))]
        if after + part.count < items.count {
            members.append(.init("next", .number(Int64(after + part.count))))
        }
        return Response(json: .object(members))
    }

    private func number(_ request: Request, _ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = request.uri.queryParameters[Substring(name)] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Problem(
                .invalidRequest, "\(name): a number from \(range.lowerBound) to \(range.upperBound) expected")
        }
        return number
    }
}
