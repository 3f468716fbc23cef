// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Talks to an ssh-agent (draft-ietf-sshm-ssh-agent) over a transport of the caller's.
///
/// The agent is not trusted: what it signs is checked before it is given back.
public struct AgentClient<Transport: AgentTransport> {
    private var transport: Transport

    public init(_ transport: Transport) { self.transport = transport }

    /// What the agent can sign with, in its order; a locked agent says that it is empty.
    public mutating func identities() throws(SSHWireError) -> [AgentIdentity] {
        var request = WireWriter()
        request.write(AgentMessageNumber.requestIdentities.rawValue)
        guard case .identities(let identities) = try exchange(request.bytes.span, "list its keys") else {
            throw Self.outOfTurn("list its keys")
        }
        return identities
    }

    /// Has `message` signed.
    ///
    /// - Parameters:
    ///   - algorithm: nil is the key type's default, for RSA `rsa-sha2-512`.
    ///   - presence: what a FIDO key's authenticator must vouch for.
    /// - Throws: `.typeMismatch` when `algorithm` is another key type's, or the agent used another one than was
    ///   asked for; `.invalidSignature` when what came is not the key's signature over the message;
    ///   `.agentRefused`.
    public mutating func sign(
        _ message: Span<UInt8>, by signer: KeyOrCertificate, algorithm: SignatureAlgorithm? = nil,
        presence: UserPresence = .touch
    ) throws(SSHWireError) -> Signature {
        let key = signer.subject
        let algorithm = algorithm ?? key.keyType.defaultSignatureAlgorithm
        guard algorithm.keyType == key.keyType else {
            throw SSHWireError(
                .typeMismatch, "signature: \(algorithm.rawValue), but the key is \(key.keyType.rawValue)")
        }
        // The most that leaves room for the key: more would only be refused by the agent.
        guard message.count <= Limits.agentMessageBytes else {
            throw SSHWireError(
                .tooLong,
                "message to sign: \(message.count) bytes, at most \(Limits.agentMessageBytes) are allowed")
        }
        var request = WireWriter(reserving: signer.encoded.count + message.count + 16)
        request.write(AgentMessageNumber.signRequest.rawValue)
        request.writeString(signer.encoded)
        request.writeNested { $0.writeRaw(message) }
        request.write(algorithm.agentFlags)
        guard case .signature(let signature) = try exchange(request.bytes.span, "sign") else {
            throw Self.outOfTurn("sign")
        }
        // An agent that does not know the flags answers with SHA-1, or one may choose what it likes.
        guard signature.algorithm == algorithm else {
            throw SSHWireError(
                .typeMismatch,
                "ssh-agent: asked for \(algorithm.rawValue), signed with \(signature.algorithm.rawValue)")
        }
        try key.verify(signature, over: message, presence: presence)
        return signature
    }

    /// Has `message` signed; see sign(_:by:algorithm:presence:)-(Span<UInt8>,_,_,_).
    public mutating func sign(
        _ message: [UInt8], by signer: KeyOrCertificate, algorithm: SignatureAlgorithm? = nil,
        presence: UserPresence = .touch
    ) throws(SSHWireError) -> Signature {
        try sign(message.span, by: signer, algorithm: algorithm, presence: presence)
    }

    /// Makes the agent forget one identity; a key and a certificate on it are two.
    ///
    /// - Throws: `.agentRefused`, also when the agent hasn't got it.
    public mutating func remove(_ identity: KeyOrCertificate) throws(SSHWireError) {
        try remove(blob: identity.encoded)
    }

    /// Makes the agent forget one entry of its list, opaque ones too.
    public mutating func remove(_ identity: AgentIdentity) throws(SSHWireError) {
        try remove(blob: identity.blob)
    }

    /// Makes the agent forget everything that it holds.
    public mutating func removeAll() throws(SSHWireError) {
        var request = WireWriter()
        request.write(AgentMessageNumber.removeAllIdentities.rawValue)
        try command(request.bytes.span, "remove all keys")
    }

    private mutating func remove(blob: [UInt8]) throws(SSHWireError) {
        var request = WireWriter(reserving: blob.count + 8)
        request.write(AgentMessageNumber.removeIdentity.rawValue)
        request.writeString(blob)
        try command(request.bytes.span, "remove a key")
    }

    /// Sends a request that is answered by yes or no.
    mutating func command(_ request: Span<UInt8>, _ purpose: String) throws(SSHWireError) {
        guard case .success = try exchange(request, purpose) else { throw Self.outOfTurn(purpose) }
    }

    private mutating func exchange(
        _ request: Span<UInt8>, _ purpose: String
    ) throws(SSHWireError) -> AgentReply {
        guard request.count <= Limits.agentMessageBytes else {
            throw SSHWireError(
                .tooLong,
                "agent request: \(request.count) bytes, at most \(Limits.agentMessageBytes) are allowed")
        }
        let reply = try AgentReply(
            encoded: try transport.exchange(request, maximumReplyBytes: Limits.agentMessageBytes))
        if case .failure = reply {
            throw SSHWireError(.agentRefused, "ssh-agent: refused to \(purpose)")
        }
        return reply
    }

    private static func outOfTurn(_ purpose: String) -> SSHWireError {
        SSHWireError(.agentRefused, "ssh-agent: asked to \(purpose), it answered something else")
    }
}

extension AgentClient: Sendable where Transport: Sendable {}
