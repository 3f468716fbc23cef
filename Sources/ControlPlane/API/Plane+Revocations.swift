// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

extension Plane {
    func addRevocations(_ v1: RouterGroup<PlaneContext>) {
        v1.post("revocations") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            let wish = try wish(RevocationRequest(json: try json(caller.body)))
            return try await remember(request, of: caller) {
                let records = try await hub.fleet.revoke(
                    wish, by: caller.session.person.identity, from: context.sourceAddress)
                try await hub.refreshRevocations()
                let delivery = await hub.deliverRevocations()
                return Answer(
                    .created,
                    json: RevocationAnswer(
                        revoked: records.map(\.target.words), version: delivery.version,
                        acknowledged: delivery.acknowledged,
                        pending: delivery.pending.map { .init(host: $0.host, reason: $0.reason) }
                    ).json)
            }
        }
    }

    private func wish(_ message: RevocationRequest) throws -> RevocationWish {
        var wish = RevocationWish(reason: message.reason)
        wish.serials = message.serials
        wish.keyIDs = message.keyIDs
        wish.keys = message.keys
        wish.people = try message.people.map { try Identity($0) }
        wish.sessions = try message.sessions.map { text in
            guard let slash = text.lastIndex(of: "/") else {
                throw Problem(.invalidRequest, "sessions: HOST/SESSION expected")
            }
            return (String(text[..<slash]), String(text[text.index(after: slash)...]))
        }
        return wish
    }
}

extension RevocationRecord.Target {
    fileprivate var words: String {
        switch self {
        case .serial(let serial, _): "serial \(serial)"
        case .keyID(let keyID, _): "key ID \(keyID.string.escapedForTerminal)"
        case .key(let key): "key \(key.fingerprint)"
        }
    }
}
