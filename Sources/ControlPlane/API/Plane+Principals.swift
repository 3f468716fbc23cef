// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// Who may enter accounts of hosts for good.
extension Plane {
    /// How long whoever changes it is kept waiting for the host.
    private static let patience = Duration.seconds(10)

    func addPrincipals(_ v1: RouterGroup<PlaneContext>) {
        v1.get("hosts/:id/principals") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            let id = try context.parameters.require("id")
            guard authority.hosts.contains(where: { $0.id == id }) else {
                throw Problem(.notFound, "there is no host \(id.escapedForTerminal)")
            }
            return try page(principals(of: id), request, by: \.login) { $0.json }
        }
        v1.put("hosts/:id/principals/:login") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wish = try PrincipalsRequest(json: try json(caller.body))
            let said = try HostPrincipals(
                host: try context.parameters.require("id"), login: try context.parameters.require("login"),
                principals: wish.principals)
            return try await remember(request, of: caller) {
                try await hub.fleet.set(said, by: caller.session.person.identity)
                delivery?.look(at: [said.host])
                await delivery?.settlePrincipals(of: said.host, said.login, within: Self.patience)
                guard let info = principals(of: said.host).first(where: { $0.login == said.login }) else {
                    throw Problem(.notFound, "it was forgotten meanwhile")
                }
                return Answer(json: info.json)
            }
        }
        v1.delete("hosts/:id/principals/:login") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            try await hub.fleet.forgetPrincipals(
                of: try context.parameters.require("id"), login: try context.parameters.require("login"),
                by: caller.session.person.identity)
            return Response.done
        }
    }

    private func principals(of host: String) -> [HostPrincipalsInfo] {
        delivery?.deliveries(to: host)
            ?? hub.fleet.principals(of: host).map {
                HostPrincipalsInfo(
                    login: $0.login, principals: $0.principals, state: .pending,
                    reason: "this server tells hosts nothing")
            }
    }
}
