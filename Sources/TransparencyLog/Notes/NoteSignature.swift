// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One signature line of a note, which nobody has verified (C2SP signed-note).
public struct NoteSignature: Hashable, Sendable {
    /// The name of the key that is said to have signed.
    public let name: KeyName
    /// The key ID, which tells a name's keys apart; it is no proof of anything.
    public let keyID: UInt32
    /// The signature itself, 1...``LogLimits/signatureBytes`` bytes whose meaning the key's type gives.
    public let signature: [UInt8]

    /// Throws `.truncated` for an empty signature and `.tooLong` above ``LogLimits/signatureBytes``.
    public init(name: KeyName, keyID: UInt32, signature: [UInt8]) throws(TransparencyLogError) {
        guard !signature.isEmpty else {
            throw TransparencyLogError(.truncated, "note signature: it is empty")
        }
        guard signature.count <= LogLimits.signatureBytes else {
            throw TransparencyLogError(
                .tooLong,
                "note signature: \(signature.count) bytes, at most \(LogLimits.signatureBytes) are allowed")
        }
        self.name = name
        self.keyID = keyID
        self.signature = signature
    }

    /// Reads a signature line, without its newline: em dash, space, name, space, base64(key ID || signature).
    ///
    /// Throws `.malformed`, or what the name's and base64's rules ask for.
    public init(line: String) throws(TransparencyLogError) { try self.init(line: Array(line.utf8)[...]) }

    init(line: ArraySlice<UInt8>) throws(TransparencyLogError) {
        guard line.starts(with: Self.prefix) else {
            throw TransparencyLogError(
                .malformed, "note signature: \(quoted(line)) does not start with an em dash and a space")
        }
        let rest = line.dropFirst(Self.prefix.count)
        guard let space = rest.firstIndex(of: UInt8(ascii: " ")) else {
            throw TransparencyLogError(.malformed, "note signature: \(quoted(line)) has no second space")
        }
        let name = try KeyName(rest[..<space])
        let blob = try Base64.decode(
            rest[(space + 1)...], "note signature", upTo: 4 + LogLimits.signatureBytes)
        guard blob.count > 4 else {
            throw TransparencyLogError(
                .truncated, "note signature: \(blob.count) bytes, a key ID of 4 and a signature expected")
        }
        var keyID: UInt32 = 0
        for byte in blob.prefix(4) { keyID = keyID << 8 | UInt32(byte) }
        try self.init(name: name, keyID: keyID, signature: Array(blob.dropFirst(4)))
    }

    /// The signature line, without its newline.
    public var line: String { "\u{2014} \(name) \(Base64.encode(bigEndianBytes(keyID) + signature))" }

    private static let prefix = Array("\u{2014} ".utf8)
}

/// The bytes of a number, most significant first.
func bigEndianBytes<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) -> [UInt8] {
    stride(from: Number.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
}
