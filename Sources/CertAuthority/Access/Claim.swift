// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A value that somebody else vouches for: what an identity provider says about a person or a workload.
///
/// It has the shape of JSON (RFC 8259), but fractions: no rule needs one.
public indirect enum Claim: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(Int64)
    case text(String)
    case list([Claim])
    case mapping([String: Claim])

    /// The texts that a rule compares: a text itself, the texts of a list, a number or truth value as it is written.
    /// Mappings, nested lists and null have none.
    public var texts: [String] {
        switch self {
        case .text(let text): [text]
        case .number(let number): [String(number)]
        case .bool(let value): [value ? "true" : "false"]
        case .list(let claims):
            claims.compactMap { claim in
                switch claim {
                case .text, .number, .bool: claim.texts.first
                case .null, .list, .mapping: nil
                }
            }
        case .null, .mapping: []
        }
    }

    /// The claim at a path of names, nil when it isn't there.
    public subscript(path: some Sequence<String>) -> Claim? {
        var claim = self
        for name in path {
            // A dictionary finds "é" in either of its Unicode spellings; a path means the one that it has.
            guard case .mapping(let members) = claim, let index = members.index(forKey: name),
                members[index].key.utf8.elementsEqual(name.utf8)
            else { return nil }
            claim = members[index].value
        }
        return claim
    }
}
