// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Testing

@testable import ControlPlane

/// Compares answers with the API document, as far as its words go.
enum DocumentCheck {
    static let document = OpenAPIDocument.json(version: "1")

    /// Records an issue for each thing in which an answer is not what the document says.
    static func check(_ answer: TestAnswer, to method: String, _ target: String) {
        for failure in failures(answer, method, target) {
            Issue.record("\(method) \(target) \(answer.status): \(failure)\n\(answer.text.prefix(400))")
        }
    }

    static func failures(_ answer: TestAnswer, _ method: String, _ target: String) -> [String] {
        var failures: [String] = []
        if answer.headers["x-request-id"] == nil { failures.append("no X-Request-Id") }
        let path = target.split(separator: "?", maxSplits: 1).first ?? "/"
        let operation = find(method == "HEAD" ? "get" : method.lowercased(), path)
        let response: JSONValue?
        if let operation {
            response = operation["responses"]?[String(answer.status)]
            if response == nil { failures.append("the document has no such status") }
        } else {
            // What is no operation is answered by a problem.
            response = problemResponse
            if ![400, 404, 405, 413, 429].contains(answer.status) {
                failures.append("the document has no such path")
            }
        }
        guard method != "HEAD" else {
            if !answer.body.isEmpty { failures.append("a body in the answer to HEAD") }
            return failures
        }
        guard let content = response?["content"], case .object(let types) = content else {
            if !answer.body.isEmpty { failures.append("a body that the document has not") }
            return failures
        }
        guard let type = types.first(where: { answer.headers["content-type"] == $0.name }) else {
            // Below /log the checkpoint is text.
            if path == "/log/checkpoint", answer.headers["content-type"] == "text/plain; charset=utf-8" {
                return failures
            }
            return failures + ["Content-Type \(answer.headers["content-type"] ?? "none")"]
        }
        if let schema = type.value["schema"], path != "/openapi.json" {
            guard let json = answer.json else { return failures + ["no JSON"] }
            failures += differences(json, schema, "answer")
        }
        // Browsers get a page.
        if answer.status >= 400, type.name == Problem.mediaType {
            if answer.json?["status"]?.number != Int64(answer.status) {
                failures.append("another status inside")
            }
            if answer.json?["requestID"]?.string != answer.headers["x-request-id"] {
                failures.append("another request id inside")
            }
        }
        return failures
    }

    private static let problemResponse: JSONValue = .object([
        .init(
            "content",
            .object([
                .init(
                    Problem.mediaType,
                    .object([
                        .init(
                            "schema", .object([.init("$ref", .string("#/components/schemas/Problem"))]))
                    ]))
            ]))
    ])

    private static func find(_ method: String, _ path: Substring) -> JSONValue? {
        guard case .object(let paths)? = document["paths"] else { return nil }
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let found = paths.first { entry in
            let own = entry.name.split(separator: "/")
            if entry.name == "/log/{path}" { return parts.first == "log" && parts.count > 1 }
            return own.count == parts.count && zip(own, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
        return found?.value[method]
    }

    /// In what `value` is not what `schema` says.
    static func differences(_ value: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
        if let reference = schema["$ref"]?.string {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            guard let named = document["components"]?["schemas"]?[name] else {
                return ["\(place): the document has no schema \(name)"]
            }
            return differences(value, named, place)
        }
        var found: [String] = []
        switch (schema["type"]?.string, value) {
        case ("string", .string(let text)):
            if let words = schema["enum"]?.array, !words.contains(.string(text)) {
                found.append("\(place): \(text) is none of the words")
            }
            if let pattern = schema["pattern"]?.string, let regex = try? Regex(pattern),
                text.firstMatch(of: regex) == nil
            {
                found.append("\(place): \(text) does not match \(pattern)")
            }
        case ("integer", .number(let number)):
            if let minimum = schema["minimum"]?.number, number < minimum {
                found.append("\(place): \(number) is under \(minimum)")
            }
        case ("boolean", .bool): break
        case ("array", .array(let items)):
            for (index, item) in items.enumerated() {
                found += differences(item, schema["items"] ?? .null, "\(place)[\(index)]")
            }
        case ("object", .object(let members)): found += differences(members, schema, place)
        default: found.append("\(place): another type than \(schema["type"]?.string ?? "none")")
        }
        return found
    }

    private static func differences(
        _ members: [JSONValue.Member], _ schema: JSONValue, _ place: String
    ) -> [String] {
        var found: [String] = []
        let names = members.map(\.name)
        for name in schema["required"]?.array?.compactMap(\.string) ?? [] where !names.contains(name) {
            found.append("\(place): \(name) is missing")
        }
        for member in members {
            if let property = schema["properties"]?[member.name] {
                found += differences(member.value, property, "\(place).\(member.name)")
            } else if let other = schema["additionalProperties"], other.bool == nil {
                found += differences(member.value, other, "\(place).\(member.name)")
            } else {
                found.append("\(place): \(member.name) is not in the document")
            }
        }
        return found
    }
}
