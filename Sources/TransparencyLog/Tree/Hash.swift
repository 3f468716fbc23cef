// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A SHA-256 hash: 32 bytes, stored in place.
public struct Hash: Hashable, Sendable {
    /// A hash's size, in bytes.
    public static let byteCount = 32

    // The bytes in memory order. Not an array: a tree of a million entries has two million of these.
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt64 = 0
    private var fourth: UInt64 = 0

    /// All zeros, to be written over by libcrypto.
    init() {}

    /// Copies 32 bytes; throws `.truncated` or `.tooLong` for any other count.
    public init(_ bytes: Span<UInt8>) throws(TransparencyLogError) {
        guard bytes.count == Self.byteCount else {
            throw TransparencyLogError(
                bytes.count < Self.byteCount ? .truncated : .tooLong,
                "hash: \(bytes.count) bytes, \(Self.byteCount) expected")
        }
        let raw = unsafe bytes.bytes
        unsafe first = raw.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)
        unsafe second = raw.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
        unsafe third = raw.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt64.self)
        unsafe fourth = raw.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt64.self)
    }

    /// Reads standard Base64 (44 characters, padded); throws `.notCanonical` or `.malformed` for anything else.
    public init(base64 text: String) throws(TransparencyLogError) {
        try self.init(base64: Array(text.utf8)[...], "hash")
    }

    init(base64 text: ArraySlice<UInt8>, _ field: StaticString) throws(TransparencyLogError) {
        let decoded = try Base64.decode(text, field, upTo: Self.byteCount)
        try self.init(decoded.span)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        var copy: [UInt8] = []
        append(to: &copy)
        return copy
    }

    /// The hash in standard Base64, 44 characters.
    public var base64: String { Base64.encode(bytes) }

    /// Appends the 32 bytes.
    func append(to buffer: inout [UInt8]) {
        unsafe withUnsafeBytes(of: self) { unsafe buffer.append(contentsOf: $0) }
    }
}

extension Hash: CustomStringConvertible {
    public var description: String { base64 }
}

extension Array where Element == UInt8 {
    /// Copies borrowed bytes.
    init(copying span: Span<UInt8>) {
        self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
