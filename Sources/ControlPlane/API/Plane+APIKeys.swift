// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// Workloads' API keys, and whose identities are.
extension Plane {
    func addAPIKeys(_ v1: RouterGroup<PlaneContext>) {
        v1.get("api-keys") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            return try page(authority.apiKeys, request, by: \.name) { info($0).json }
        }
        v1.post("api-keys") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wanted = try NewAPIKey(json: try json(caller.body))
            let addresses = try wanted.sourceAddresses.map { text in
                do {
                    return try AddressBlock(text)
                } catch {
                    throw Problem(.invalidRequest, "sourceAddresses: \(error)")
                }
            }
            return try await remember(request, of: caller) {
                let (key, token) = try await authority.createAPIKey(
                    named: wanted.name, groups: wanted.groups, sourceAddresses: addresses,
                    lifetime: wanted.lifetime, by: caller.session.person.identity)
                var info = info(key)
                info.token = token.text
                return Answer(.created, json: info.json)
            }
        }
        v1.delete("api-keys/:id") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            try await authority.removeAPIKey(
                try context.parameters.require("id"), by: caller.session.person.identity,
                from: context.sourceAddress)
            return Response.done
        }
    }

    func addIdentities(_ v1: RouterGroup<PlaneContext>) {
        v1.get("identities") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            let bindings = try await authority.identityBindings()
            return try page(bindings, request, by: \.identity.text.string) { binding in
                IdentityBindingInfo(
                    identity: binding.identity.description, provider: binding.provider,
                    subject: binding.subject, firstSeen: Int64(clamping: binding.firstSeen.seconds)
                ).json
            }
        }
        // Identities may have slashes: they are no part of a path.
        v1.delete("identities") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            guard let identity = request.uri.queryParameters["identity"] else {
                throw Problem(.invalidRequest, "identity is missing in the query")
            }
            try await authority.freeIdentity(
                try Identity(String(identity)), by: caller.session.person.identity,
                from: context.sourceAddress)
            return Response.done
        }
    }

    private func info(_ key: APIKey) -> APIKeyInfo {
        APIKeyInfo(
            id: key.id, name: key.name, identity: key.identity.description, groups: key.groups,
            sourceAddresses: key.sourceAddresses.map(\.description),
            created: Int64(clamping: key.created.seconds),
            expires: key.expires.map { Int64(clamping: $0.seconds) })
    }
}
