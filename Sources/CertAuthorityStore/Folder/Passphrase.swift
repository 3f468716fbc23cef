// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
public import SSHWire

/// The passphrase of a CA's keys.
public enum Passphrase {
    /// The longest one, in bytes.
    public static let maximumBytes = 1_024

    /// Reads a file's first line; the rest must be empty.
    public static func read(_ path: String) throws -> SecretBytes {
        let content = try FileIO.readSecret(path, maximumBytes: maximumBytes + 1)
        let length = content.withSpan { bytes -> Int? in
            let end = bytes.indices.first { bytes[$0] == UInt8(ascii: "\n") } ?? bytes.count
            return end >= bytes.count - 1 ? end : nil
        }
        guard let length, length > 0 else {
            throw CertAuthorityError(
                .passphrase, "\(path.escapedForTerminal): one line with the passphrase expected")
        }
        return try prefix(content, length)
    }

    /// The first bytes of a secret.
    public static func prefix(_ secret: SecretBytes, _ length: Int) throws -> SecretBytes {
        try unsafe SecretBytes(count: length) { target throws(SSHWireError) in
            secret.withSpan { bytes in
                for index in 0..<length { unsafe target[index] = bytes[index] }
            }
        }
    }
}
