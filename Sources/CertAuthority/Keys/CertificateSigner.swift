// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A CA key, wherever it lives.
public protocol CertificateSigner: Sendable {
    /// Its public half.
    var publicKey: PublicKey { get }

    /// Signs each message by itself, in order; all or none.
    func sign(_ messages: [[UInt8]]) throws(CertAuthorityError) -> [Signature]
}
