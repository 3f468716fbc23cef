// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol

/// The form of a JSON value, as OpenAPI 3.1 (JSON Schema 2020-12) writes it.
indirect enum Schema: Sendable {
    case text(_ description: String = "", pattern: String? = nil, words: [String] = [])
    case number(_ description: String = "", minimum: Int64 = 0)
    case flag(_ description: String = "")
    case list(Schema)
    /// An object whose names are free.
    case map(Schema)
    /// An object with these members and no others.
    case object([Property])
    case reference(String)

    struct Property: Sendable {
        let name: String
        let schema: Schema
        let isRequired: Bool
    }

    static func need(_ name: String, _ schema: Schema) -> Property {
        Property(name: name, schema: schema, isRequired: true)
    }

    static func may(_ name: String, _ schema: Schema) -> Property {
        Property(name: name, schema: schema, isRequired: false)
    }

    var json: JSONValue {
        switch self {
        case .text(let description, let pattern, let words):
            var members = Self.described("string", description)
            if let pattern { members.append(.init("pattern", .string(pattern))) }
            if !words.isEmpty { members.append(.init("enum", .array(words.map(JSONValue.string)))) }
            return .object(members)
        case .number(let description, let minimum):
            return .object(Self.described("integer", description) + [.init("minimum", .number(minimum))])
        case .flag(let description): return .object(Self.described("boolean", description))
        case .list(let item):
            return .object([.init("type", "array"), .init("items", item.json)])
        case .map(let value):
            return .object([.init("type", "object"), .init("additionalProperties", value.json)])
        case .object(let properties):
            let required = properties.filter(\.isRequired).map { JSONValue.string($0.name) }
            return .object([
                .init("type", "object"),
                .init(
                    "properties",
                    .object(properties.map { JSONValue.Member($0.name, $0.schema.json) })),
                .init("required", .array(required)), .init("additionalProperties", .bool(false)),
            ])
        case .reference(let name):
            return .object([.init("$ref", .string("#/components/schemas/\(name)"))])
        }
    }

    private static func described(_ type: String, _ description: String) -> [JSONValue.Member] {
        let members = [JSONValue.Member("type", .string(type))]
        return description.isEmpty ? members : members + [.init("description", .string(description))]
    }
}
