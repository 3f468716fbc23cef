// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// The CAs that hosts take, as the fleet's root key signs it.
extension Plane {
    func addFleetTrust(_ v1: RouterGroup<PlaneContext>) {
        v1.get("fleet/trust") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            return Response(json: try fleetTrust().json)
        }
        v1.put("fleet/trust") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wish = try FleetTrustRequest(json: try json(caller.body))
            return try await remember(request, of: caller) {
                let record = try FleetTrustRecord(
                    verifying: wish.statement.text, version: wish.statement.version,
                    signature: wish.signature)
                try await hub.fleet.take(record, by: caller.session.person.identity)
                await hub.deliverTrust()
                return Answer(json: try fleetTrust().json)
            }
        }
    }

    private func fleetTrust() throws -> FleetTrustInfo {
        let current = try hub.fleet.trust.map { record in
            FleetTrustRequest(
                statement: try TrustStatement(parsing: record.statement.string),
                signature: try SSHSignature(encoded: record.signature))
        }
        return FleetTrustInfo(current: current, roots: hub.fleet.roots, hosts: hub.trustStates)
    }
}
