// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A CA key, wherever it lives.
public protocol CertificateSigner: Sendable {
    /// Its public half.
    var publicKey: PublicKey { get }

    /// Whether each signature must be verified before a certificate leaves.
    ///
    /// True unless a type says otherwise. Only a signer whose signatures are made by a library call in this process
    /// may: what comes from an agent, a token or a service can be over other bytes, and verifying an Ed25519
    /// signature takes more than twice as long as making one.
    var signaturesNeedVerifying: Bool { get }

    /// Signs each certificate by itself, in order; all or none.
    func sign(_ recorded: [RecordedIssuance]) async throws(CertAuthorityError) -> [Signature]
}

extension CertificateSigner {
    public var signaturesNeedVerifying: Bool { true }
}

/// A CA key that signs bytes when it is called: in this process, or by an ssh-agent that is asked and answers.
public protocol LocalSigner: CertificateSigner {
    /// Signs each message by itself, in order; all or none.
    func sign(_ messages: [[UInt8]]) throws(CertAuthorityError) -> [Signature]
}

extension LocalSigner {
    public func sign(_ recorded: [RecordedIssuance]) async throws(CertAuthorityError) -> [Signature] {
        try sign(recorded.map(\.certificate.toBeSigned))
    }
}
