// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A cursor over DER (X.690, section 10) in borrowed bytes: only what private keys and ECDSA signatures need.
///
/// libcrypto's decoder is not used for private keys because it leaves copies of every key that it decodes on the heap
/// (seen with 3.0.19: `PEM_read_bio_PrivateKey` leaves two of a PKCS#8 key).
struct DERReader: ~Escapable {
    /// The tags that occur, as they stand in the first byte.
    enum Tag: UInt8 {
        case integer = 0x02
        case bitString = 0x03
        case octetString = 0x04
        case null = 0x05
        case objectIdentifier = 0x06
        case sequence = 0x30
        /// Context-specific and constructed: `[0]` and `[1]`, explicit.
        case explicit0 = 0xa0
        case explicit1 = 0xa1
        /// Context-specific and primitive: `[1]`, implicit.
        case implicit1 = 0x81
    }

    private var reader: WireReader

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) { reader = WireReader(bytes) }

    /// Throws `.trailingBytes` unless every element of `field` has been read.
    func finish(_ field: StaticString) throws(SSHWireError) { try reader.finish(field) }

    /// True when the next element has this tag.
    func isNext(_ tag: Tag) -> Bool { !reader.isAtEnd && reader.rest[0] == tag.rawValue }

    /// Reads an element of this tag and returns its content.
    @_lifetime(copy self)
    mutating func read(_ field: StaticString, _ tag: Tag) throws(SSHWireError) -> Span<UInt8> {
        let found = try reader.readUInt8(field)
        guard found == tag.rawValue else {
            throw SSHWireError(
                .invalidValue,
                "\(field): DER tag 0x\(hexadecimal([found])), 0x\(hexadecimal([tag.rawValue])) expected")
        }
        return try reader.readRaw(field, count: try readLength(field))
    }

    /// Passes over an element of this tag if it is next.
    mutating func skip(_ field: StaticString, ifNext tag: Tag) throws(SSHWireError) {
        if isNext(tag) { _ = try read(field, tag) }
    }

    /// Reads a positive number and returns its magnitude, big-endian in its shortest form.
    @_lifetime(copy self)
    mutating func readPositiveInteger(_ field: StaticString) throws(SSHWireError) -> Span<UInt8> {
        let content = try read(field, .integer)
        guard content.count > 0, content[0] & 0x80 == 0 else {
            throw SSHWireError(.invalidValue, "\(field): negative or empty, a positive number expected")
        }
        guard content[0] == 0 else { return content }
        guard content.count > 1 else {
            throw SSHWireError(.invalidValue, "\(field): 0, a positive number expected")
        }
        guard content[1] & 0x80 != 0 else {
            throw SSHWireError(.notCanonical, "\(field): leading zero bytes")
        }
        return content.extracting(1..<content.count)
    }

    /// Reads a number from 0 to 2^56 - 1: versions and counts.
    mutating func readCount(_ field: StaticString) throws(SSHWireError) -> Int {
        let content = try read(field, .integer)
        guard (1...8).contains(content.count), content[0] & 0x80 == 0, content.count < 8 || content[0] == 0
        else {
            throw SSHWireError(.invalidValue, "\(field): negative, empty or over 2^56")
        }
        var value = 0
        for index in 0..<content.count { value = value << 8 | Int(content[index]) }
        return value
    }

    /// Reads an object identifier and returns its dotted form.
    mutating func readObjectIdentifier(_ field: StaticString) throws(SSHWireError) -> String {
        let content = try read(field, .objectIdentifier)
        guard (1...32).contains(content.count), content[content.count - 1] & 0x80 == 0 else {
            throw SSHWireError(.invalidValue, "\(field): no object identifier")
        }
        var parts: [UInt64] = []
        var value: UInt64 = 0
        for index in 0..<content.count {
            guard value < 1 << 56 else { throw SSHWireError(.tooLong, "\(field): an arc over 2^63") }
            value = value << 7 | UInt64(content[index] & 0x7f)
            guard content[index] & 0x80 == 0 else { continue }
            if parts.isEmpty {
                let top = min(value / 40, 2)
                parts = [top, value - top * 40]
            } else {
                parts.append(value)
            }
            value = 0
        }
        return parts.map { String($0) }.joined(separator: ".")
    }

    /// X.690, section 10.1: definite, and in the fewest bytes.
    private mutating func readLength(_ field: StaticString) throws(SSHWireError) -> Int {
        let first = try reader.readUInt8(field)
        guard first >= 0x80 else { return Int(first) }
        let size = Int(first & 0x7f)
        guard (1...3).contains(size) else {
            throw SSHWireError(.tooLong, "\(field): a DER length that is indefinite or over 16 MiB")
        }
        let bytes = try reader.readRaw(field, count: size)
        var length = 0
        for index in 0..<size { length = length << 8 | Int(bytes[index]) }
        guard length >= 0x80, bytes[0] != 0 else {
            throw SSHWireError(.notCanonical, "\(field): a DER length in more bytes than it needs")
        }
        return length
    }
}
