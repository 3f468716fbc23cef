// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Yams

/// A value of a YAML file with its place there, which every refusal names.
struct YAMLValue {
    private let node: Node
    private let file: String
    /// Where it is, fit for a terminal: `rules[0].allow`.
    let path: String

    init(_ node: Node, file: String, path: String) {
        self.node = node
        self.file = file
        self.path = path
    }

    var isScalar: Bool { node.scalar != nil }
    var isMapping: Bool { node.mapping != nil }
    var isList: Bool { node.sequence != nil }

    /// Why the value can't be used: `file: path: reason`.
    func refuse(_ reason: String, hint: String? = nil) -> CertAuthorityError {
        CertAuthorityError(
            .configuration, "\(file): \(path.isEmpty ? "" : "\(path): ")\(reason)", hint: hint)
    }

    /// What `body` makes of the value, its refusals with the value's place before them.
    func reading<Value>(_ body: () throws -> Value) throws(CertAuthorityError) -> Value {
        do {
            return try body()
        } catch let error as CertAuthorityError {
            throw refuse(error.reason, hint: error.hint)
        } catch let error as SSHWireError {
            throw refuse(error.reason)
        } catch {
            throw refuse("\(error)".escapedForTerminal)
        }
    }

    func text() throws(CertAuthorityError) -> String {
        guard let text = node.scalar?.string, !text.isEmpty else { throw refuse("a value expected") }
        return text
    }

    func choice(_ choices: [String]) throws(CertAuthorityError) -> String {
        let text = try text()
        guard choices.contains(where: { $0.utf8.elementsEqual(text.utf8) }) else {
            throw refuse(
                "\"\(text.escapedForTerminal)\", one of \(choices.joined(separator: ", ")) expected")
        }
        return text
    }

    func bool() throws(CertAuthorityError) -> Bool { try choice(["true", "false"]) == "true" }

    /// In seconds.
    func span() throws(CertAuthorityError) -> UInt64 {
        let text = try text()
        return try reading { try parseTimeSpan(text, field: "time") }
    }

    /// The values of a list; `maximum` is how many there may be.
    func items(_ what: String, maximum: Int) throws(CertAuthorityError) -> [YAMLValue] {
        guard let items = node.sequence else { throw refuse("a list of \(what) expected") }
        guard items.count <= maximum else {
            throw refuse("\(items.count) \(what), at most \(maximum) are allowed")
        }
        return items.enumerated().map { index, item in
            YAMLValue(item, file: file, path: "\(path)[\(index)]")
        }
    }

    /// One value, or the values of a list: at least one.
    func oneOrMore(_ what: String, maximum: Int) throws(CertAuthorityError) -> [YAMLValue] {
        guard isList else { return [self] }
        let items = try items(what, maximum: maximum)
        guard !items.isEmpty else { throw refuse("a list of \(what) expected, it is empty") }
        return items
    }

    func mapping() throws(CertAuthorityError) -> YAMLMapping {
        guard let mapping = node.mapping else { throw refuse("a mapping of keys expected") }
        return try YAMLMapping(mapping, of: self, file: file)
    }

    /// The claim that the value spells: what looks like a number or truth value in YAML's core schema is one, unless
    /// it is in quotes.
    ///
    /// - Parameter depth: how deep mappings and lists may be nested below.
    func claim(depth: Int) throws(CertAuthorityError) -> Claim {
        guard depth > 0 else { throw refuse("nested too deeply") }
        if let scalar = node.scalar {
            guard scalar.style == .plain || scalar.style == .any else { return .text(scalar.string) }
            switch scalar.string {
            case "", "null", "~": return .null
            case "true": return .bool(true)
            case "false": return .bool(false)
            default: return Int64(scalar.string).map { .number($0) } ?? .text(scalar.string)
            }
        }
        if isList {
            var claims: [Claim] = []
            for item in try items("claims", maximum: Claim.maximumMembers) {
                claims.append(try item.claim(depth: depth - 1))
            }
            return .list(claims)
        }
        var mapping = try mapping()
        var members: [String: Claim] = [:]
        guard mapping.names.count <= Claim.maximumMembers else {
            throw refuse("\(mapping.names.count) claims, at most \(Claim.maximumMembers) are allowed")
        }
        for name in mapping.names {
            members[name] = try mapping.required(name).claim(depth: depth - 1)
        }
        return .mapping(members)
    }
}

extension Claim {
    /// The most claims in one mapping or list of a policy's test.
    fileprivate static let maximumMembers = 256
}
