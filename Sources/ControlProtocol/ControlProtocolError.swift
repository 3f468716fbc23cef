// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What a message of ours may not hold, and why. Two errors are equal when their codes are.
public struct ControlProtocolError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; new codes may be added.
    public enum Code: String, Sendable, CaseIterable {
        /// Not JSON, or JSON in a form that is not taken.
        case notJSON
        /// Longer or deeper than its limit.
        case tooLong
        /// Bytes that are not UTF-8, or a control character where none may be.
        case notText
        /// A member or line that must be there isn't.
        case missing
        /// A member or line that must not be there is, or is there twice.
        case unexpected
        /// A value that its type excludes.
        case invalidValue
    }

    public let code: Code
    /// One line, lower case, no full stop; what it quotes of the input is escaped.
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }
}

extension ControlProtocolError: Equatable {
    public static func == (one: Self, other: Self) -> Bool { one.code == other.code }
}
