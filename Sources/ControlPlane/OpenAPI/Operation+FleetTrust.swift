// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes

/// What the API does with the CAs that hosts take.
extension Operation {
    static let fleetTrust = [
        Operation(
            method: .get, path: "/v1/fleet/trust", name: "fleetTrust",
            summary: "The newest statement about the CAs that hosts take, and which hosts have it.",
            access: .administrator, answer: .json(.reference("FleetTrust")), problems: [.denied]),
        Operation(
            method: .put, path: "/v1/fleet/trust", name: "setFleetTrust",
            summary: "Takes a statement that the fleet's root key signed, and sends it to hosts.",
            access: .administrator,
            body: .object([
                Schema.need("statement", .text("JSON, as docs/formats/host-operations.md has it.")),
                Schema.need("signature", .text("SSHSIG, armoured, in the namespace daypass-fleet.")),
            ]), maximumBodyBytes: FleetTrustRequest.maximumBytes, isRemembered: true,
            answer: .json(.reference("FleetTrust")),
            problems: [.denied, .conflict, .storeUnavailable]),
    ]
}

extension Schema {
    /// A statement, and how far hosts are.
    static let fleetTrust = Schema.object([
        may("version", .number("The statement's.", minimum: 1)), may("statement", .text("What was signed.")),
        may("signature", .text("SSHSIG, armoured.")),
        need("roots", .list(.text("A key whose statements are taken."))),
        need(
            "hosts",
            .list(
                .object([
                    need("host", .text()),
                    need("state", .text(words: FleetTrustInfo.Host.State.allCases.map(\.rawValue))),
                    may("reason", .text("Why it does not have it.")),
                ]))),
    ])
}
