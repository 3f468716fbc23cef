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
            return try page(
                shown, request, by: { "\(String($0.created.seconds + 1_000_000_000_000))\n\($0.id)" }
            ) { sessionInfo($0, context).json }
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
}
