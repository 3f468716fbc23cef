// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// UTF-8 text that is equal only to the very same bytes, and ordered by them.
///
/// Swift's `String` holds "é" in its two Unicode spellings to be equal. sshd compares principals, key IDs and
/// option names with `strcmp`; so must whoever judges or sorts them.
public struct ExactText: Sendable {
    /// The text.
    public let string: String

    /// Takes text as it is.
    public init(_ string: String) { self.string = string }

    /// Takes bytes that must be UTF-8 without NUL.
    ///
    /// - Throws: `.notText`. OpenSSH refuses NUL too (`sshbuf_get_cstring`) and lets other encodings pass; two
    ///   readers would show those differently, so they are refused here.
    public init(_ field: StaticString, _ bytes: Span<UInt8>) throws(SSHWireError) {
        var isASCII = true
        for index in 0..<bytes.count {
            if bytes[index] == 0 { throw SSHWireError(.notText, "\(field): NUL at byte \(index)") }
            if bytes[index] > 0x7f { isASCII = false }
        }
        let content = [UInt8](bytes)
        if isASCII {
            // Nothing to repair, and several times faster than validating, which is not specialised.
            string = String(decoding: content, as: UTF8.self)
        } else {
            guard let text = String(validating: content, as: UTF8.self) else {
                throw SSHWireError(.notText, "\(field): not UTF-8")
            }
            string = text
        }
    }

    /// Lends the bytes, without a copy wherever Swift holds them in one run.
    @inlinable
    public func withBytes<Value>(_ body: (Span<UInt8>) -> Value) -> Value {
        let value = unsafe string.utf8.withContiguousStorageIfAvailable { bytes in
            unsafe body(Span(_unsafeElements: bytes))
        }
        return value ?? body(Array(string.utf8).span)
    }

    /// True when there is no byte in it.
    public var isEmpty: Bool { string.isEmpty }
}

extension ExactText: Hashable, Comparable {
    public static func == (one: ExactText, other: ExactText) -> Bool {
        // By whole runs of bytes where Swift lends them: `elementsEqual` goes byte by byte.
        let areEqual = unsafe one.string.utf8.withContiguousStorageIfAvailable { one in
            unsafe other.string.utf8.withContiguousStorageIfAvailable { other in
                guard one.count == other.count else { return false }
                guard let first = one.baseAddress, let second = other.baseAddress else { return true }
                return unsafe memcmp(first, second, one.count) == 0
            }
        }
        return (areEqual ?? nil) ?? one.string.utf8.elementsEqual(other.string.utf8)
    }

    public static func < (one: ExactText, other: ExactText) -> Bool {
        one.string.utf8.lexicographicallyPrecedes(other.string.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        for byte in string.utf8 { hasher.combine(byte) }
    }
}

extension ExactText: CustomStringConvertible, ExpressibleByStringLiteral {
    public var description: String { string }
    public init(stringLiteral value: String) { self.init(value) }
}
