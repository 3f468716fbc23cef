// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire
import TransparencyLog

/// The hosts as witnesses of the log.
extension Plane {
    func addWitnesses(_ v1: RouterGroup<PlaneContext>) {
        v1.get("witnesses") { [self] request, context in
            _ = try await authenticate(request, context)
            let standings = hub.witnessBoard.standings
            let witnesses = hub.fleet.hosts.map { host in
                let standing = standings[host.id]
                return WitnessInfo(
                    host: host.id, key: standing?.key, size: standing?.size,
                    heard: standing?.heard?.seconds, refusal: standing?.refusal)
            }
            return try page(witnesses, request, by: \.host) { $0.json }
        }
        v1.get("witnesses/checkpoint") { [self] _, _ in
            guard let note = hub.witnessBoard.cosigned else {
                throw Problem(
                    .notFound, "no host has cosigned a checkpoint yet",
                    hint: "hosts do while their tunnels are open: daypass hosts list")
            }
            return Response(
                json: .object([.init("checkpoint", .string(String(decoding: note.bytes, as: UTF8.self)))]))
        }
    }
}
