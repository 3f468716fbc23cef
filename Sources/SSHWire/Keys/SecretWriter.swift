// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// Appends SSH's data types (RFC 4251, section 5) to memory that somebody else guards, as ``WireWriter`` does to an
/// array of its own; it never grows.
@safe struct SecretWriter: ~Copyable {
    private let buffer: UnsafeMutableRawBufferPointer
    /// How many bytes have been written.
    private(set) var count = 0

    /// Writes from the start of `buffer`, which must outlive the writer.
    init(_ buffer: UnsafeMutableRawBufferPointer) { unsafe self.buffer = buffer }

    /// Makes room for `size` bytes and returns it.
    private mutating func take(_ size: Int) throws(SSHWireError) -> UnsafeMutableRawBufferPointer {
        guard size >= 0, unsafe size <= buffer.count - count else {
            throw SSHWireError(.tooLong, "private key: \(size) bytes more than there is room for")
        }
        defer { count += size }
        return unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count..<(count + size)])
    }

    /// Appends bytes as they are.
    mutating func writeRaw(_ bytes: Span<UInt8>) throws(SSHWireError) {
        let room = try unsafe take(bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe room.copyMemory(from: $0) }
    }

    /// Appends one byte.
    mutating func write(_ value: UInt8) throws(SSHWireError) { unsafe try take(1)[0] = value }

    /// Appends a big-endian 32-bit number.
    mutating func write(_ value: UInt32) throws(SSHWireError) {
        try unsafe take(4).storeBytes(of: value.bigEndian, as: UInt32.self)
    }

    /// Appends a `string`.
    mutating func writeString(_ bytes: Span<UInt8>) throws(SSHWireError) {
        try write(UInt32(clamping: bytes.count))
        try writeRaw(bytes)
    }

    /// Appends a `string`.
    mutating func writeString(_ text: String) throws(SSHWireError) { try writeString(Array(text.utf8).span) }

    /// Appends a positive `mpint` from its big-endian magnitude; superfluous leading zero bytes are left out.
    mutating func writePositiveInteger(_ magnitude: Span<UInt8>) throws(SSHWireError) {
        var start = 0
        while start < magnitude.count, magnitude[start] == 0 { start += 1 }
        let significant = magnitude.extracting(start..<magnitude.count)
        let needsSignByte = significant.count > 0 && significant[0] & 0x80 != 0
        try write(UInt32(clamping: significant.count + (needsSignByte ? 1 : 0)))
        if needsSignByte { try write(0 as UInt8) }
        try writeRaw(significant)
    }

    /// Appends a positive `mpint`.
    mutating func writePositiveInteger(_ number: SecretNumber) throws(SSHWireError) {
        // One bit more than the number has: the sign's.
        let size = number.bits == 0 ? 0 : number.bits / 8 + 1
        try write(UInt32(clamping: size))
        let room = try unsafe take(size)
        let bytes = unsafe room.assumingMemoryBound(to: UInt8.self).baseAddress
        guard unsafe BN_bn2binpad(number.pointer, bytes, Int32(clamping: size)) == size else {
            throw .libcrypto("writing a number")
        }
    }
}
