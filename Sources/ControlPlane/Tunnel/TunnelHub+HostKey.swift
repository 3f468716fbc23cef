// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Logging
import SSHWire

/// Hosts that change the key by which their agents are known.
extension TunnelHub {
    /// Takes another key for a host: the one that it has says so, and the new one that it is in the same hands.
    ///
    /// Tunnels that were opened by the old key are closed: who may have a copy of it is out. A host that didn't hear the answer
    /// asks again by the new key, which changes nothing.
    ///
    /// - Parameter authorization: `Bearer` and a token of the host's, as for a tunnel of Daypass's kind.
    func changeKey(
        _ wish: HostKeyChange, authorization: String?, from source: IPAddress?
    ) async throws -> EnrolledHost {
        let host = try admitted(
            authorization: authorization, authority: "", speaksDaypass: true, from: source
        ).host
        try checkProof(wish, of: host)
        guard host.key != wish.key.key else { return host }
        let changed = try await fleet.changeKey(of: host, to: wish.key.key, from: source)
        link(to: host.id)?.close("the host's key was changed")
        logger.info(
            "host key changed",
            metadata: ["daypass.host": "\(host.id)", "daypass.key": "\(changed.key.fingerprint)"])
        return changed
    }

    private func checkProof(_ wish: HostKeyChange, of host: EnrolledHost) throws {
        do {
            let unverified = try SignedToken(parsing: wish.proof)
            let proof = try HostToken(
                verifying: wish.proof, by: wish.key, subject: host.clientID,
                profile: .daypass(audience: try audience(unverified.claims.audiences.first ?? "")),
                now: fleet.now)
            let end = proof.expires.adding(HostToken.maximumClockSkewSeconds) ?? proof.expires
            guard let id = proof.tokenID, fleet.spend(id, of: host, until: end) else {
                throw ControlProtocolError(.invalidValue, "it was used before")
            }
        } catch let error as ControlProtocolError {
            throw Problem(.invalidRequest, "proof: \(error.reason)")
        }
    }
}
