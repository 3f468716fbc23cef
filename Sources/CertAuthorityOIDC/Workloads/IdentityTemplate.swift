// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import ControlProtocol
import SSHWire

/// How a workload's identity is made of its token: text with claims in braces, like `{repository}:{ref}`.
///
/// What a claim brings is percent-encoded, so that it never ends its own field: between two claims there is a colon,
/// which no value holds. Two tokens with different claims have different identities.
public struct IdentityTemplate: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        case text(String)
        case claim(String)
    }

    let parts: [Part]

    /// The subject as it is, which is the usual template: `{sub}`.
    public static let subject = IdentityTemplate(parts: [.claim("sub")])

    private init(parts: [Part]) { self.parts = parts }

    /// - Throws: `.configuration`.
    public init(_ text: String) throws(CertAuthorityError) {
        func refusal(_ why: String) -> CertAuthorityError {
            CertAuthorityError(
                .configuration,
                "identity template \"\(String(text.prefix(100)).escapedForTerminal)\": \(why)",
                hint: "{sub}, or claims with a colon between them like {repository}:{ref}")
        }
        guard text.utf8.count <= 256, text.utf8.allSatisfy({ (0x21..<0x7f).contains($0) }) else {
            throw refusal("at most 256 ASCII characters without spaces expected")
        }
        var parts: [Part] = []
        var rest = text[...]
        while !rest.isEmpty {
            if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}"), end > rest.index(after: rest.startIndex) else {
                    throw refusal("a claim's name and } expected after {")
                }
                if case .claim = parts.last { throw refusal("a colon expected between two claims") }
                parts.append(.claim(String(rest[rest.index(after: rest.startIndex)..<end])))
                rest = rest[rest.index(after: end)...]
            } else {
                let end = rest.firstIndex(of: "{") ?? rest.endIndex
                let literal = rest[..<end]
                let isPlain = literal.utf8.allSatisfy { byte in
                    (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
                        || ".:/_-".utf8.contains(byte)
                }
                guard isPlain else { throw refusal("a to z, digits and . : / _ - expected around claims") }
                let isBetween = !parts.isEmpty && end != rest.endIndex
                guard !isBetween || literal.contains(":") else {
                    throw refusal("a colon expected between two claims")
                }
                parts.append(.text(String(literal)))
                rest = rest[end...]
            }
        }
        guard parts.contains(where: { if case .claim = $0 { true } else { false } }) else {
            throw refusal("a claim expected, else everybody would be the same")
        }
        self.parts = parts
    }

    /// The identity of a token's claims.
    ///
    /// - Throws: `.identity` when a claim is missing, empty, or neither a text nor a whole number.
    func expand(_ claims: JSONValue) throws(SignInError) -> String {
        let count = parts.count { if case .claim = $0 { true } else { false } }
        var text = ""
        for part in parts {
            switch part {
            case .text(let literal): text += literal
            case .claim(let name):
                let value = claims[name]
                guard let value = value?.string ?? value?.number.map({ String($0) }), !value.isEmpty else {
                    throw SignInError(
                        .identity,
                        "token: \(name): a text or a number expected, which is part of the identity")
                }
                // A single claim can't be mistaken for its neighbour.
                text += percentEncode(value, keeping: count == 1 ? "._/-:" : "._/-")
            }
        }
        return text
    }
}
