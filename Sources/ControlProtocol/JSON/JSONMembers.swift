// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Builds an object member by member; what is nil is left out.
struct JSONMembers {
    private(set) var members: [JSONValue.Member] = []

    var value: JSONValue { .object(members) }

    mutating func add(_ name: String, _ value: JSONValue?) {
        if let value { members.append(JSONValue.Member(name, value)) }
    }

    mutating func add(_ name: String, _ text: String?) { add(name, text.map(JSONValue.string)) }

    mutating func add(_ name: String, _ number: Int64?) { add(name, number.map(JSONValue.number)) }
}

/// Takes an object apart, each member once; what nobody took is refused at the end.
struct JSONFields {
    private let what: StaticString
    private var members: [JSONValue.Member]

    /// - Parameter what: what the object is called in errors.
    init(_ value: JSONValue, _ what: StaticString) throws(ControlProtocolError) {
        guard case .object(let members) = value else {
            throw ControlProtocolError(.invalidValue, "\(what): an object expected")
        }
        self.what = what
        self.members = members
    }

    /// Takes a member out; nil when there is none.
    mutating func take(_ name: String) -> JSONValue? {
        guard let index = members.firstIndex(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
            return nil
        }
        return members.remove(at: index).value
    }

    func has(_ name: String) -> Bool { members.contains { $0.name.utf8.elementsEqual(name.utf8) } }

    mutating func takeText(_ name: String) throws(ControlProtocolError) -> String? {
        guard let value = take(name) else { return nil }
        guard let text = value.string else { throw wrong(name, "a text") }
        return text
    }

    mutating func takeNumber(_ name: String, _ range: ClosedRange<Int64> = 0...Int64.max)
        throws(ControlProtocolError) -> Int64?
    {
        guard let value = take(name) else { return nil }
        guard let number = value.number, range.contains(number) else {
            throw wrong(name, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func takeArray(_ name: String) throws(ControlProtocolError) -> [JSONValue]? {
        guard let value = take(name) else { return nil }
        guard let array = value.array else { throw wrong(name, "an array") }
        return array
    }

    mutating func takeFlag(_ name: String) throws(ControlProtocolError) -> Bool? {
        guard let value = take(name) else { return nil }
        guard let flag = value.bool else { throw wrong(name, "true or false") }
        return flag
    }

    /// Takes a text that must be there.
    mutating func needText(_ name: String) throws(ControlProtocolError) -> String {
        try need(name, try takeText(name))
    }

    /// Takes a whole number from 0 that must be there.
    mutating func needCount(_ name: String) throws(ControlProtocolError) -> UInt64 {
        UInt64(try need(name, try takeNumber(name)))
    }

    /// Takes an object of texts; an empty one where there is none.
    mutating func takeLabels(_ name: String) throws(ControlProtocolError) -> [String: String] {
        guard let value = take(name) else { return [:] }
        guard case .object(let members) = value else { throw wrong(name, "an object of texts") }
        var labels: [String: String] = [:]
        for member in members {
            guard let text = member.value.string else { throw wrong(name, "an object of texts") }
            labels[member.name] = text
        }
        return labels
    }

    /// Takes an object of arrays of texts; an empty one where there is none.
    mutating func takeTextLists(_ name: String) throws(ControlProtocolError) -> [String: [String]] {
        guard let value = take(name) else { return [:] }
        guard case .object(let members) = value else { throw wrong(name, "an object of arrays of texts") }
        var lists: [String: [String]] = [:]
        for member in members {
            let texts = member.value.array?.compactMap(\.string)
            guard let texts, texts.count == member.value.array?.count else {
                throw wrong(name, "an object of arrays of texts")
            }
            lists[member.name] = texts
        }
        return lists
    }

    /// Takes an array of texts.
    mutating func takeTexts(_ name: String) throws(ControlProtocolError) -> [String]? {
        guard let array = try takeArray(name) else { return nil }
        let texts = array.compactMap(\.string)
        guard texts.count == array.count else { throw wrong(name, "an array of texts") }
        return texts
    }

    /// Takes a public key that must be there, as ssh-keygen writes it.
    mutating func needKey(_ name: String) throws(ControlProtocolError) -> PublicKey {
        try need(name, try takeKey(name))
    }

    mutating func takeKey(_ name: String) throws(ControlProtocolError) -> PublicKey? {
        guard let text = try takeText(name) else { return nil }
        let line: PublicKeyLine
        do {
            line = try PublicKeyLine(text)
        } catch {
            throw ControlProtocolError(.invalidValue, "\(what): \(name): \(error)")
        }
        guard case .key(let key) = line.content else { throw wrong(name, "a plain public key") }
        return key
    }

    /// The value that must be there.
    func need<Value>(_ name: String, _ value: Value?) throws(ControlProtocolError) -> Value {
        guard let value else { throw ControlProtocolError(.missing, "\(what): \(name) is missing") }
        return value
    }

    func wrong(_ name: String, _ expected: String) -> ControlProtocolError {
        ControlProtocolError(.invalidValue, "\(what): \(name): \(expected) expected")
    }

    /// Makes sure that nothing is left.
    func finish() throws(ControlProtocolError) {
        guard members.isEmpty else {
            throw ControlProtocolError(.unexpected, "\(what): \(members.count) members that are not known")
        }
    }
}
