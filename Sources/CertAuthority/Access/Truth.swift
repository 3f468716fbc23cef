// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Whether something holds: Kleene's strong logic of three values.
///
/// `unknown` stands for what a login would tell: who somebody is while nobody has logged in, or whether somebody who
/// logged in long ago is still there. The values are ordered no < unknown < yes, and
///
/// - a conjunction is the least of its parts: one `no` makes it `no`, whatever the unknown ones are;
/// - a disjunction is the greatest of its parts: one `yes` makes it `yes`;
/// - a negation exchanges `yes` and `no` and leaves `unknown`.
///
/// So a result is `unknown` only when a login could make it either; it is never a guess.
public enum Truth: String, Sendable, Hashable, CaseIterable, Comparable, Encodable {
    case no
    case unknown
    case yes

    public init(_ holds: Bool) { self = holds ? .yes : .no }

    private var rank: UInt8 {
        switch self {
        case .no: 0
        case .unknown: 1
        case .yes: 2
        }
    }

    public static func < (one: Truth, other: Truth) -> Bool { one.rank < other.rank }

    /// Both hold.
    public static func && (one: Truth, other: @autoclosure () -> Truth) -> Truth {
        one == .no ? .no : min(one, other())
    }

    /// One of them holds, or both.
    public static func || (one: Truth, other: @autoclosure () -> Truth) -> Truth {
        one == .yes ? .yes : max(one, other())
    }

    /// It doesn't hold.
    public static prefix func ! (truth: Truth) -> Truth {
        switch truth {
        case .no: .yes
        case .unknown: .unknown
        case .yes: .no
        }
    }
}
