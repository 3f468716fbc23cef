// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A CA key that lives in this process, in guarded memory.
public struct GuardedKeySigner: LocalSigner {
    private let key: PrivateKey

    /// How many signatures share one opening of the memory: opening costs about a tenth of an Ed25519 signature, and
    /// the key should not lie open for long.
    private static let signaturesPerOpening = 64

    public init(_ key: PrivateKey) { self.key = key }

    public var publicKey: PublicKey { key.publicKey }

    /// The signatures are made by a library call in this process, on the bytes that were given.
    public var signaturesNeedVerifying: Bool { false }

    public func sign(_ messages: [[UInt8]]) throws(CertAuthorityError) -> [Signature] {
        var signatures: [Signature] = []
        signatures.reserveCapacity(messages.count)
        do {
            var start = 0
            while start < messages.count {
                let end = min(start + Self.signaturesPerOpening, messages.count)
                try key.withSigner { signer throws(SSHWireError) in
                    for message in messages[start..<end] { signatures.append(try signer.sign(message.span)) }
                }
                start = end
            }
        } catch {
            throw CertAuthorityError(.key, "the CA key could not sign: \(error.reason)")
        }
        return signatures
    }
}
