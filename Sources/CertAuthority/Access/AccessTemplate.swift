// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A text with values of the request in it: `{login}@{host}`.
///
/// A template makes one text, always: a value that is a list, or has a character that separates anything, makes none.
/// Of two different sets of values no template makes the same text: values are separated by characters that they can't
/// have themselves.
struct AccessTemplate: Sendable {
    enum Variable: Sendable, Hashable {
        case login
        case host
        case label(String)
        case email
        case emailLocalPart
        case identity
        case claim([String])

        /// True for values that may have `@` and the like in them.
        var isLoose: Bool { self == .email || self == .identity }

        var needsPerson: Bool {
            switch self {
            case .login, .host, .label: false
            case .email, .emailLocalPart, .identity, .claim: true
            }
        }
    }

    enum Part: Sendable {
        case literal([UInt8])
        case value(Variable)
    }

    /// What a template makes of a request.
    enum Expansion {
        case text([UInt8])
        /// Nobody is there whose value it could be.
        case needsLogin
        /// One line that says which value is missing or unfit.
        case unfit(String)
    }

    /// As it was written.
    let text: String
    let parts: [Part]

    /// The longest template, in bytes: a principal has at most 255.
    static let maximumBytes = 512
    /// The most parts of a template.
    private static let maximumParts = 16

    init(_ text: String) throws(CertAuthorityError) {
        try checkText(text, field: "template", maximumBytes: Self.maximumBytes)
        var parts: [Part] = []
        var rest = text.utf8[...]
        while let first = rest.first {
            guard parts.count < Self.maximumParts else {
                throw Self.refuse(text, "at most \(Self.maximumParts) parts are allowed")
            }
            if first == UInt8(ascii: "{") {
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                    throw Self.refuse(text, "} is missing")
                }
                let name = String(rest[rest.index(after: rest.startIndex)..<end]) ?? ""
                parts.append(.value(try Self.variable(name, in: text)))
                rest = rest[rest.index(after: end)...]
            } else {
                let literal = rest.prefix { $0 != UInt8(ascii: "{") }
                guard !literal.contains(UInt8(ascii: "}")) else { throw Self.refuse(text, "} without {") }
                parts.append(.literal(Array(literal)))
                rest = rest[literal.endIndex...]
            }
        }
        self.text = text
        self.parts = parts
        try checkSeparation()
    }

    private static func refuse(_ text: String, _ reason: String, hint: String? = nil) -> CertAuthorityError {
        CertAuthorityError(.configuration, "template \"\(text.escapedForTerminal)\": \(reason)", hint: hint)
    }

    private static func variable(_ name: String, in text: String) throws(CertAuthorityError) -> Variable {
        switch name {
        case "login": return .login
        case "host": return .host
        case "email": return .email
        case "email.local": return .emailLocalPart
        case "identity": return .identity
        default: break
        }
        let words = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if words.count > 1, words[0] == "label", !name.utf8.dropFirst(6).isEmpty {
            // A label's name may have dots of its own.
            return .label(String(name.dropFirst(6)))
        }
        if words.count > 1, words[0] == "claim", words.count - 1 <= Criterion.maximumClaimDepth,
            !words.contains("")
        {
            return .claim(Array(words.dropFirst()))
        }
        throw refuse(
            text, "{\(name.escapedForTerminal)} is not known",
            hint:
                "known are {login}, {host}, {label.NAME}, {email}, {email.local}, {identity} and {claim.PATH}"
        )
    }

    /// Two values that touch, or have only letters between them, could be cut in two ways.
    private func checkSeparation() throws(CertAuthorityError) {
        var isOpen = false
        for part in parts {
            switch part {
            case .literal(let bytes):
                if bytes.contains(where: { !Self.isPlain($0) }) { isOpen = false }
            case .value:
                guard !isOpen else {
                    throw Self.refuse(
                        text, "two values need one of @ = : / + between them",
                        hint: "without it different people could get the same name")
                }
                isOpen = true
            }
        }
        let loose = variables.filter(\.isLoose)
        guard loose.count <= 1 else {
            throw Self.refuse(
                text, "{email} and {identity} may have an @ themselves, at most one of them is allowed")
        }
    }

    var variables: [Variable] {
        parts.compactMap { if case .value(let variable) = $0 { variable } else { nil } }
    }

    /// The text without any value, when there is none.
    var literal: [UInt8]? {
        guard parts.count == 1, case .literal(let bytes) = parts[0] else { return nil }
        return bytes
    }

    func expand(_ facts: borrowing AccessFacts) -> Expansion {
        var expanded: [UInt8] = []
        for part in parts {
            switch part {
            case .literal(let bytes): expanded += bytes
            case .value(let variable):
                if variable.needsPerson, facts.person == nil { return .needsLogin }
                let value: [UInt8]
                switch Self.value(variable, facts) {
                case .text(let text): value = text
                case let other: return other
                }
                guard variable.isLoose || Self.isPlainWord(value) else {
                    return .unfit(
                        "{\(variable)} is \"\(show(Array(value.prefix(64))))\": letters, digits and . _ - expected"
                    )
                }
                expanded += value
            }
        }
        return .text(expanded)
    }

    private static func value(_ variable: Variable, _ facts: borrowing AccessFacts) -> Expansion {
        switch variable {
        case .login: return .text(facts.login)
        case .host: return .text(facts.hostID)
        case .label(let name):
            return facts.label(Array(name.utf8)).map { .text($0) }
                ?? .unfit("the host has no label \(name.escapedForTerminal)")
        case .identity: return facts.person.map { .text($0.identity) } ?? .needsLogin
        case .email:
            return facts.person?.email.map { .text($0) } ?? .unfit("no verified e-mail address is known")
        case .emailLocalPart:
            return facts.person?.localPart.map { .text($0) } ?? .unfit("no verified e-mail address is known")
        case .claim(let path):
            let name = path.joined(separator: ".").escapedForTerminal
            switch facts.person?.claims[path] {
            case .text(let text): return .text(Array(text.utf8))
            case .number(let number): return .text(Array(String(number).utf8))
            case nil, .null: return .unfit("the identity provider says nothing of {claim.\(name)}")
            case .list: return .unfit("{claim.\(name)} is a list, one value expected")
            case .bool, .mapping: return .unfit("{claim.\(name)} is no text")
            }
        }
    }

    static func isPlain(_ byte: UInt8) -> Bool { isLetterOrDigit(byte) || "._-".utf8.contains(byte) }

    /// True for what can stand in a principal without separating anything: letters, digits and `. _ -`, at first a
    /// letter, digit or `_`.
    static func isPlainWord(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, isLetterOrDigit(first) || first == UInt8(ascii: "_") else {
            return false
        }
        return bytes.allSatisfy(isPlain)
    }
}

extension AccessTemplate.Variable: CustomStringConvertible {
    /// As it is written between braces.
    var description: String {
        switch self {
        case .login: "login"
        case .host: "host"
        case .label(let name): "label.\(name.escapedForTerminal)"
        case .email: "email"
        case .emailLocalPart: "email.local"
        case .identity: "identity"
        case .claim(let path): "claim.\(path.joined(separator: ".").escapedForTerminal)"
        }
    }
}
