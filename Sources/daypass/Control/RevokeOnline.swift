// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import ControlProtocol
import SSHWire

/// A revocation at the control plane, which tells the hosts.
struct OnlineRevocation {
    let request: RevocationRequest

    func run(_ format: FormatOptions) async throws {
        let answer = try RevocationAnswer(
            json: try await ClientState().ask("POST", "/v1/revocations", request.json))
        if format.format == .json { return Terminal.say(answer.json.text) }
        for line in answer.revoked { Terminal.say("revoked \(line.escapedForTerminal)") }
        if answer.revoked.isEmpty { Terminal.say("nothing is good any more that could be revoked") }
        if !answer.acknowledged.isEmpty {
            Terminal.say(
                "in place on \(answer.acknowledged.count) hosts: "
                    + answer.acknowledged.map(\.escapedForTerminal).joined(separator: " "))
        }
        for host in answer.pending {
            Terminal.complain(
                "warning",
                "\(host.host.escapedForTerminal) does not have it yet: \(host.reason.escapedForTerminal)")
        }
    }
}
