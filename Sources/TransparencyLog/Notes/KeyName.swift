// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The name of a key that signs notes (C2SP signed-note): a host name with a path, by convention.
///
/// Not empty, without `+`, without Unicode white space and characters that can't be seen; names are equal when their bytes are.
public struct KeyName: Sendable {
    /// The name.
    public let string: String

    /// Throws `.malformed` for an empty name, `.tooLong` above ``LogLimits/keyNameBytes``, `.notText` for a
    /// character that may not be in it.
    public init(_ string: String) throws(TransparencyLogError) {
        try self.init(Array(string.utf8)[...])
    }

    init(_ bytes: ArraySlice<UInt8>) throws(TransparencyLogError) {
        guard !bytes.isEmpty else { throw TransparencyLogError(.malformed, "key name: it is empty") }
        guard bytes.count <= LogLimits.keyNameBytes else {
            throw TransparencyLogError(
                .tooLong,
                "key name: \(bytes.count) bytes, at most \(LogLimits.keyNameBytes) are allowed")
        }
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw TransparencyLogError(.notText, "key name: \(quoted(bytes)) is not UTF-8")
        }
        for scalar in string.unicodeScalars
        where scalar == "+" || scalar.properties.isWhitespace || scalar.isUnprintable {
            throw TransparencyLogError(
                .notText, "key name: \(quoted(bytes)) holds U+\(hexadecimal(UInt64(scalar.value), digits: 4))"
            )
        }
        self.string = string
    }
}

extension KeyName: Hashable, CustomStringConvertible {
    // String's own equality takes the two Unicode spellings of "é" for one name.
    public static func == (one: KeyName, other: KeyName) -> Bool {
        one.string.utf8.elementsEqual(other.string.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        for byte in string.utf8 { hasher.combine(byte) }
    }

    public var description: String { string }
}
