// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

/// Finds CA keys in the ssh-agent that SSH_AUTH_SOCK names.
enum AgentKeySource {
    static func socketPath() throws -> String {
        guard let path = environment("SSH_AUTH_SOCK"), !path.isEmpty else {
            throw Failure(
                "this CA's key is in an ssh-agent, but SSH_AUTH_SOCK is not set",
                hint: "start ssh-agent and add the key with ssh-add")
        }
        return path
    }

    /// The key that the agent holds and `text` names: the path of a public key or a `SHA256:` fingerprint.
    static func find(_ text: String) throws -> PublicKey {
        let wanted = text.hasPrefix("SHA256:") ? nil : try PublicKeyFile.read(text)
        let held: [PublicKey]
        do {
            var client = AgentClient(try AgentSocket(path: try socketPath(), timeout: .seconds(10)))
            held = try client.identities().compactMap { identity in
                if case .key(let key)? = identity.known { key } else { nil }
            }
        } catch let error as SSHWireError {
            throw CertAuthorityError(.key, "ssh-agent: \(error.reason)")
        }
        guard let key = held.first(where: { wanted == nil ? $0.fingerprint == text : $0 == wanted }) else {
            throw CertAuthorityError(
                .key, "the ssh-agent does not hold \(text.escapedForTerminal)",
                hint: "ssh-add -l lists what it holds")
        }
        return key
    }
}
