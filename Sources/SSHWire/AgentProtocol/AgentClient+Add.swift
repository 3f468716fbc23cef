// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What an agent is given: a private key, and whether it is to be used as itself or by a certificate on it.
public struct AgentAddition: Sendable {
    /// The key.
    public let key: PrivateKey
    /// The certificate under which the agent offers the key; nil for the plain key. Both take two additions.
    public let certificate: Certificate?
    /// What the agent shows beside it.
    public let comment: ExactText

    /// - Throws: `.invalidKey` for a certificate on another key, and what is wrong with a comment that does not fit
    ///   one line.
    public init(
        _ key: PrivateKey, certificate: Certificate? = nil, comment: ExactText
    ) throws(SSHWireError) {
        if let certificate, certificate.fields.key != key.publicKey {
            throw SSHWireError(
                .invalidKey,
                "certificate: on \(certificate.fields.key.fingerprint), the private key is "
                    + key.publicKey.fingerprint)
        }
        try checkComment(comment)
        self.key = key
        self.certificate = certificate
        self.comment = comment
    }
}

extension AgentClient {
    /// Gives the agent one identity (draft-ietf-sshm-ssh-agent, section 3.2).
    ///
    /// The request is put together and sent from guarded memory; no copy of the key is left here.
    ///
    /// - Throws: `.agentRefused`, also when the agent does not know one of the constraints: then it has not got the key
    ///   either. `.invalidValue`, `.duplicate` and `.tooLong` for constraints that would not do what they say.
    public mutating func add(
        _ addition: AgentAddition, constraints: [AgentConstraint] = []
    ) throws(SSHWireError) {
        try AgentConstraint.check(constraints)
        let request = try addition.request(constraints)
        let names = constraints.map { $0.name.string.escapedForTerminal }.joined(separator: ", ")
        let purpose = names.isEmpty ? "add a key" : "add a key with the constraints \(names)"
        try request.withSpan { (bytes) throws(SSHWireError) in try command(bytes, purpose) }
    }

    /// Gives the agent several identities, each with all the constraints.
    ///
    /// - Throws: at the first that is refused; those before it are in the agent, as constrained as was asked for.
    public mutating func add(
        _ additions: [AgentAddition], constraints: [AgentConstraint] = []
    ) throws(SSHWireError) {
        for addition in additions { try add(addition, constraints: constraints) }
    }
}

extension AgentAddition {
    /// The request, in guarded memory.
    fileprivate func request(_ constraints: [AgentConstraint]) throws(SSHWireError) -> SecretBytes {
        var tail = WireWriter()
        for constraint in constraints { constraint.write(to: &tail) }
        let number: AgentMessageNumber = constraints.isEmpty ? .addIdentity : .addIdentityConstrained
        let publicParts = key.publicKey.encoded.count + (certificate?.encoded.count ?? 0)
        // 512 bytes are more than the names' and all lengths' together.
        let capacity =
            publicParts + key.secret.count + comment.string.utf8.count + tail.bytes.count + 512
        return try unsafe SecretBytes(upTo: capacity) { buffer throws(SSHWireError) in
            var writer = unsafe SecretWriter(buffer)
            try writer.write(number.rawValue)
            try writer.writeString(certificate?.typeName ?? key.publicKey.keyType.rawValue)
            if let certificate { try writer.writeString(certificate.encoded.span) }
            try key.secret.withSpan { (secret) throws(SSHWireError) in
                try writeFields(secret, to: &writer)
            }
            try writer.writeString(comment.string)
            try writer.writeRaw(tail.bytes.span)
            return writer.count
        }
    }

    /// The fields that OpenSSH's `sshkey_private_serialize` writes: with a certificate, ECDSA's and RSA's public ones
    /// are left out.
    private func writeFields(
        _ secret: Span<UInt8>, to writer: inout SecretWriter
    ) throws(SSHWireError) {
        switch key.publicKey.material {
        case .ed25519(let publicHalf):
            try writer.writeString(publicHalf.span)
            try writer.writeString(secret)
        case .ecdsa(let curve, let point):
            if certificate == nil {
                try writer.writeString(curve.rawValue)
                try writer.writeString(point.span)
            }
            try writer.writePositiveInteger(secret)
        case .rsa(let modulus, let exponent):
            if certificate == nil {
                try writer.writePositiveInteger(modulus.span)
                try writer.writePositiveInteger(exponent.span)
            }
            var reader = WireReader(secret)
            for _ in RSANumbers.parametersInFiles {
                try writer.writeString(try reader.readString("RSA number", upTo: secret.count))
            }
        case .skEd25519, .skECDSA: throw livesInAuthenticator(key.publicKey.keyType)
        }
    }
}
