// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a key ID of this authority says: for whom a certificate is, `#`, and its serial.
public struct KeyIDParts: Sendable, Hashable {
    /// The text of the identity, which has no `#`.
    public let identity: String
    public let serial: UInt64

    /// - Returns: nil for a text that is made otherwise.
    public init?(_ keyID: ExactText) {
        let text = keyID.string
        guard let mark = text.utf8.lastIndex(of: UInt8(ascii: "#")),
            let serial = UInt64(text[text.utf8.index(after: mark)...])
        else { return nil }
        identity = String(text[..<mark])
        self.serial = serial
    }
}
