// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A CA key that an ssh-agent holds: in its memory, or behind it in a token, a TPM or an HSM.
public struct AgentKeySigner: LocalSigner {
    public let publicKey: PublicKey
    private let socket: String

    /// How long one answer may take: the agent may ask a person for a touch or a confirmation.
    static let answerTime: Duration = .seconds(60)

    /// - Parameter socket: the path of the agent's socket.
    public init(publicKey: PublicKey, socket: String) {
        self.publicKey = publicKey
        self.socket = socket
    }

    /// The agent's client verifies each before it returns it.
    public var signaturesNeedVerifying: Bool { false }

    public func sign(_ messages: [[UInt8]]) throws(CertAuthorityError) -> [Signature] {
        do {
            var client = AgentClient(try AgentSocket(path: socket, timeout: Self.answerTime))
            var signatures: [Signature] = []
            for message in messages {
                // The client checks that the signature is this key's before it returns it.
                signatures.append(try client.sign(message.span, by: .key(publicKey), presence: .notRequired))
            }
            return signatures
        } catch {
            throw CertAuthorityError(
                .key, "the ssh-agent could not sign with \(publicKey.fingerprint): \(error.reason)",
                hint: "ssh-add -l lists what the agent holds")
        }
    }
}
