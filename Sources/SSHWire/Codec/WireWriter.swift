// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Appends SSH's data types (RFC 4251, section 5) to bytes of its own.
///
/// Lengths that do not fit 32 bits can't come from a parsed or checked value; meeting one is our own mistake and
/// traps.
public struct WireWriter: Sendable {
    /// What has been written.
    public private(set) var bytes: [UInt8] = []

    /// An empty writer with room for `capacity` bytes.
    public init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Appends bytes as they are.
    public mutating func writeRaw(_ raw: [UInt8]) {
        // Lent, not handed over: `+=` retains and releases the array, which costs more than a short copy.
        unsafe raw.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends bytes as they are.
    public mutating func writeRaw(_ raw: Span<UInt8>) {
        unsafe raw.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends one byte.
    public mutating func write(_ value: UInt8) { bytes.append(value) }

    /// Appends a big-endian 32-bit number.
    public mutating func write(_ value: UInt32) {
        // Four short appends are inlined; one of four bytes is a call.
        bytes.append(UInt8(truncatingIfNeeded: value >> 24))
        bytes.append(UInt8(truncatingIfNeeded: value >> 16))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    /// Appends a big-endian 64-bit number.
    public mutating func write(_ value: UInt64) {
        unsafe withUnsafeBytes(of: value.bigEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends a `string`.
    public mutating func writeString(_ content: [UInt8]) {
        write(UInt32(content.count))
        writeRaw(content)
    }

    /// Appends a `string` of UTF-8 text.
    public mutating func writeString(_ text: String) {
        write(UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// Appends a `string` of UTF-8 text.
    public mutating func writeString(_ text: ExactText) { writeString(text.string) }

    /// Appends a `string` that holds whatever `body` writes.
    public mutating func writeNested<Failure: Error>(
        _ body: (inout WireWriter) throws(Failure) -> Void
    ) throws(Failure) {
        let start = bytes.count
        write(UInt32(0))
        try body(&self)
        let length = UInt32(bytes.count - start - 4)
        // Nothing was written: the 0 that stands there is right.
        guard length > 0 else { return }
        unsafe bytes.withUnsafeMutableBytes { bytes in
            // The four bytes at `start` were written above.
            unsafe bytes.storeBytes(of: length.bigEndian, toByteOffset: start, as: UInt32.self)
        }
    }

    /// Appends a positive `mpint` from its big-endian magnitude; superfluous leading zero bytes are left out.
    public mutating func writePositiveInteger(_ magnitude: [UInt8]) {
        let significant = magnitude.drop { $0 == 0 }
        let needsSignByte = (significant.first ?? 0) & 0x80 != 0
        write(UInt32(significant.count + (needsSignByte ? 1 : 0)))
        if needsSignByte { bytes.append(0) }
        bytes += significant
    }
}
