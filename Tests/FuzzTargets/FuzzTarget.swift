// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

/// A parser with what must hold for every input: called by the fuzzer with mutations, by tests with the corpus.
public struct FuzzTarget: Sendable {
    /// What became of an input.
    public enum Outcome: Sendable {
        /// It was parsed, and everything held.
        case accepted
        /// It was refused, with a reason that is fit to be shown.
        case refused
    }

    /// The target's name, which is also its folder's in the corpus.
    public let name: String
    /// The longest input that is worth trying, in bytes: what the format's limits need, and little more.
    public let maximumBytes: Int
    private let body: @Sendable ([UInt8]) throws(BrokenProperty) -> Outcome

    init(
        _ name: String, maximumBytes: Int = 4 << 10,
        _ body: @escaping @Sendable ([UInt8]) throws(BrokenProperty) -> Outcome
    ) {
        self.name = name
        self.maximumBytes = maximumBytes
        self.body = body
    }

    /// Parses the input and tests what must hold.
    ///
    /// - Throws: what doesn't hold. A trap, a hang or too much memory is for the caller to notice.
    public func run(_ input: [UInt8]) throws(BrokenProperty) -> Outcome { try body(input) }
}

extension FuzzTarget: CustomStringConvertible {
    public var description: String { name }
}

/// Something that must hold for every input and doesn't for this one.
public struct BrokenProperty: Error, CustomStringConvertible {
    /// What should have held.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Throws unless the property holds.
func require(_ holds: Bool, _ property: @autoclosure () -> String) throws(BrokenProperty) {
    guard holds else { throw BrokenProperty(property()) }
}

/// What `parse` makes of its input; nil when it refuses, once its reason is known to be fit for a terminal or a log.
func attempt<Value>(_ parse: () throws -> Value) throws(BrokenProperty) -> Value? {
    do {
        return try parse()
    } catch {
        try requireOneLine("\(error)", "a refusal's reason")
        if let hint = (error as? CertAuthorityError)?.hint { try requireOneLine(hint, "a refusal's hint") }
        return nil
    }
}

/// Throws unless the text can be shown: input that it quotes must have been escaped.
func requireOneLine(_ text: String, _ what: String) throws(BrokenProperty) {
    try require(!text.isEmpty, "\(what) is not empty")
    try require(
        !text.holdsControlCharacters, "\(what) holds no control characters: \(text.escapedForTerminal)")
}
