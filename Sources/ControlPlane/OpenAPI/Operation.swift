// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes

/// One thing that the API does: what the routes check before they look at anything, and what the API document says.
struct Operation: Sendable {
    /// Who may ask for it.
    enum Access: Sendable {
        case anybody
        /// Whoever is logged in.
        case session
        case administrator
    }

    /// What comes back when all went well.
    struct Answer: Sendable {
        let status: Int
        let mediaType: String
        /// nil for text and bytes, and for no content.
        let schema: Schema?

        static func json(_ schema: Schema, status: Int = 200) -> Answer {
            Answer(status: status, mediaType: "application/json", schema: schema)
        }

        /// A part of a list.
        static func page(_ item: String) -> Answer {
            .json(
                .object([
                    Schema.need("items", .list(.reference(item))),
                    Schema.may("next", .text("Where the next part starts: `after` of the next request.")),
                ]))
        }

        static let nothing = Answer(status: 204, mediaType: "", schema: nil)
    }

    struct Query: Sendable {
        let name: String
        let schema: Schema
        var isRequired = false
        let description: String
    }

    let method: HTTPRequest.Method
    /// As the router spells it.
    let path: String
    let name: String
    let summary: String
    var access = Access.session
    /// How often it counts towards the limit of its address, where nobody is logged in.
    var cost = 1
    var query: [Query] = []
    var body: Schema?
    /// What the body's Content-Type is.
    var bodyMediaType = jsonMediaType
    var maximumBodyBytes = 0
    /// Takes an `Idempotency-Key`.
    var isRemembered = false
    let answer: Answer
    /// Problems beside those of every operation.
    var problems: [Problem.Code] = []

    static let jsonMediaType = "application/json"
    static let formMediaType = "application/x-www-form-urlencoded"

    /// Whether it is for browsers: they get a page for each problem, too.
    var isPage = false

    /// No body is larger, whatever the route.
    static let maximumBodyBytes = 64 << 10

    /// The path as OpenAPI spells it.
    var template: String { path.hasSuffix("/**") ? String(path.dropLast(2)) + "{path}" : path }

    /// The names in the path.
    var parameters: [String] {
        template.split(separator: "/").compactMap { part in
            part.hasPrefix("{") ? String(part.dropFirst().dropLast()) : nil
        }
    }

    /// What the router found, nil where it found nothing.
    static func find(_ method: HTTPRequest.Method, _ path: String) -> Operation? {
        // HEAD is GET without what is sent.
        let method = method == .head ? .get : method
        return byPath[path]?.first { $0.method == method }
    }

    /// The methods that some path takes, in order; none for a path that is nothing.
    static func methods(at path: Substring) -> [String] {
        let parts = path.split(separator: "/")
        let found = all.filter { $0.matches(parts) }.map(\.method.rawValue)
        return found.contains("GET") ? (found + ["HEAD"]).sorted() : found.sorted()
    }

    private func matches(_ parts: [Substring]) -> Bool {
        var own = path.split(separator: "/")[...]
        var parts = parts[...]
        while let part = own.popFirst() {
            if part == "**" { return !parts.isEmpty }
            guard let other = parts.popFirst(), part.hasPrefix("{") || part == other else { return false }
        }
        return parts.isEmpty
    }

    private static let byPath = Dictionary(grouping: all, by: \.path)
}
