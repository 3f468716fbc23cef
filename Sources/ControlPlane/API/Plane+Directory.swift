// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// What administrators see and change.
extension Plane {
    func addDirectory(_ v1: RouterGroup<PlaneContext>) {
        v1.get("keys") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            return try page(
                authority.enrolledKeys, request, by: { "\($0.identity.text.string)\n\($0.key.fingerprint)" }
            ) { info($0).json }
        }
        v1.post("keys") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wanted = try EnrolledKeyInfo(json: try json(caller.body))
            let key = try EnrolledKey(
                key: wanted.key, identity: try Identity(wanted.identity), email: wanted.email,
                groups: wanted.groups, added: authority.now)
            return try await remember(request, of: caller) {
                try await authority.enrol(key, by: caller.session.person.identity)
                return Answer(.created, json: info(key).json)
            }
        }
        // Base64 has slashes: a fingerprint is no part of a path.
        v1.delete("keys") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            guard let fingerprint = request.uri.queryParameters["fingerprint"] else {
                throw Problem(.invalidRequest, "fingerprint is missing in the query")
            }
            try await authority.removeKey(
                fingerprint: String(fingerprint), by: caller.session.person.identity,
                from: context.sourceAddress)
            return Response.done
        }
        v1.get("hosts") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            return try page(authority.hosts, request, by: \.id) { info($0).json }
        }
        v1.put("hosts/:id") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wanted = try HostInfo(json: try json(caller.body))
            guard wanted.id == context.parameters.get("id") else {
                throw Problem(.invalidRequest, "id: it is not the path's")
            }
            let host = try ManagedHost(id: wanted.id, names: wanted.names, labels: wanted.labels)
            return try await remember(request, of: caller) {
                try await authority.set(host, by: caller.session.person.identity)
                return Answer(json: info(host).json)
            }
        }
        v1.delete("hosts/:id") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let id = try context.parameters.require("id")
            if hub.fleet.hosts.contains(where: { $0.id == id }) {
                try await hub.fleet.removeKey(of: id, by: caller.session.person.identity)
                hub.disconnect(id)
            }
            // A host that is added under its id later is another one.
            try await hub.fleet.forgetPrincipals(of: id, by: caller.session.person.identity)
            try await authority.removeHost(id, by: caller.session.person.identity)
            return Response.done
        }
    }

    private func info(_ key: EnrolledKey) -> EnrolledKeyInfo {
        EnrolledKeyInfo(
            identity: key.identity.description, key: key.key, email: key.email, groups: key.groups)
    }

    private func info(_ host: ManagedHost) -> HostInfo {
        HostInfo(id: host.id, names: host.names, labels: host.labels)
    }
}
