// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Tells whether a bare Ed25519 signature (RFC 8032) over a message is a bare public key's, as notes of logs have them.
///
/// Keys of small order and signatures that are not canonical are refused, and whatever has not 32 and 64 bytes.
@Sendable public func isValidEd25519(_ key: [UInt8], _ message: [UInt8], _ signature: [UInt8]) -> Bool {
    guard let key = try? PublicKey(.ed25519(key)) else { return false }
    do {
        try key.verify(Signature(.ed25519, blob: signature), over: message.span)
        return true
    } catch {
        return false
    }
}
