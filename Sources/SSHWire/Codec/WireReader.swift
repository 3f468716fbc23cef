// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A cursor over borrowed bytes that reads SSH's data types (RFC 4251, section 5).
///
/// Every read names its field, for the error, and the most bytes that it may take; the maximum is tested before
/// what is left. Nothing is copied until a caller asks for an array, and nothing is allocated that the input did
/// not bring. End every parse with ``finish(_:)``.
public struct WireReader: ~Escapable {
    @usableFromInline let bytes: Span<UInt8>
    /// Where the next read starts, in bytes from the start of the input.
    public private(set) var offset = 0

    /// Reads from the start of `bytes`.
    @_lifetime(copy bytes)
    public init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    /// How many bytes have not been read.
    public var remaining: Int { bytes.count - offset }

    /// True when every byte has been read.
    public var isAtEnd: Bool { offset == bytes.count }

    /// Everything that has not been read, without moving the cursor.
    public var rest: Span<UInt8> {
        @_lifetime(copy self)
        get { bytes.extracting(offset..<bytes.count) }
    }

    /// Throws `.trailingBytes` unless every byte of `field` has been read.
    public func finish(_ field: StaticString) throws(SSHWireError) {
        guard isAtEnd else {
            throw SSHWireError(.trailingBytes, "\(field): \(remaining) bytes follow its last field")
        }
    }

    /// Reads `count` bytes as they are.
    @_lifetime(copy self)
    public mutating func readRaw(_ field: StaticString, count: Int) throws(SSHWireError) -> Span<UInt8> {
        guard count >= 0, count <= remaining else {
            throw SSHWireError(.truncated, "\(field): \(count) bytes expected, \(remaining) left")
        }
        let start = offset
        offset += count
        return bytes.extracting(start..<offset)
    }

    /// Reads one byte.
    public mutating func readUInt8(_ field: StaticString) throws(SSHWireError) -> UInt8 {
        guard remaining >= 1 else { throw SSHWireError(.truncated, "\(field): 1 byte expected, 0 left") }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Reads a big-endian 32-bit number.
    public mutating func readUInt32(_ field: StaticString) throws(SSHWireError) -> UInt32 {
        guard remaining >= 4 else {
            throw SSHWireError(.truncated, "\(field): 4 bytes expected, \(remaining) left")
        }
        var value: UInt32 = 0
        for index in offset..<(offset + 4) { value = value << 8 | UInt32(bytes[index]) }
        offset += 4
        return value
    }

    /// Reads a big-endian 64-bit number.
    public mutating func readUInt64(_ field: StaticString) throws(SSHWireError) -> UInt64 {
        guard remaining >= 8 else {
            throw SSHWireError(.truncated, "\(field): 8 bytes expected, \(remaining) left")
        }
        var value: UInt64 = 0
        for index in offset..<(offset + 8) { value = value << 8 | UInt64(bytes[index]) }
        offset += 8
        return value
    }

    /// Reads a `string`: a 32-bit length, then that many bytes.
    ///
    /// - Parameter maximum: the most bytes it may hold, its length not counted.
    @_lifetime(copy self)
    public mutating func readString(
        _ field: StaticString, upTo maximum: Int
    ) throws(SSHWireError) -> Span<UInt8> {
        let length = try readUInt32(field)
        guard let count = Int(exactly: length), count <= maximum else {
            throw SSHWireError(.tooLong, "\(field): \(length) bytes, at most \(maximum) are allowed")
        }
        return try readRaw(field, count: count)
    }

    /// Reads a `string` into an array of its own.
    public mutating func readBytes(_ field: StaticString, upTo maximum: Int) throws(SSHWireError) -> [UInt8] {
        [UInt8](try readString(field, upTo: maximum))
    }

    /// Reads a `string` of UTF-8 text without NUL.
    public mutating func readText(_ field: StaticString, upTo maximum: Int) throws(SSHWireError) -> ExactText
    {
        try ExactText(field, try readString(field, upTo: maximum))
    }

    /// Reads a `string` whose content `body` must read to its last byte.
    public mutating func readNested<Value>(
        _ field: StaticString, upTo maximum: Int,
        _ body: (inout WireReader) throws(SSHWireError) -> Value
    ) throws(SSHWireError) -> Value {
        var inner = WireReader(try readString(field, upTo: maximum))
        let value = try body(&inner)
        try inner.finish(field)
        return value
    }

    /// Reads an `mpint` that must be positive and in its shortest form; returns its magnitude, big-endian.
    ///
    /// OpenSSH strips superfluous leading zero bytes (`sshbuf_get_bignum2_bytes_direct`); they are refused here,
    /// so that one key has one encoding and so one fingerprint.
    @_lifetime(copy self)
    public mutating func readPositiveInteger(
        _ field: StaticString, upTo maximum: Int
    ) throws(SSHWireError) -> Span<UInt8> {
        let encoded = try readString(field, upTo: maximum + 1)
        guard encoded.count > 0 else {
            throw SSHWireError(.invalidValue, "\(field): 0, a positive number expected")
        }
        guard encoded[0] & 0x80 == 0 else {
            throw SSHWireError(.invalidValue, "\(field): negative, a positive number expected")
        }
        guard encoded[0] == 0 else {
            guard encoded.count <= maximum else {
                throw SSHWireError(
                    .tooLong, "\(field): \(encoded.count) bytes, at most \(maximum) are allowed")
            }
            return encoded
        }
        guard encoded.count > 1, encoded[1] & 0x80 != 0 else {
            throw SSHWireError(.notCanonical, "\(field): leading zero bytes")
        }
        return encoded.extracting(1..<encoded.count)
    }
}

extension Array where Element == UInt8 {
    /// Copies borrowed bytes.
    public init(_ span: Span<UInt8>) {
        self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
