// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Hummingbird
import SSHWire

extension Plane {
    /// A part of a list: `?after=CURSOR&limit=N`. `next` of the answer is where to go on.
    ///
    /// A cursor is the sort key of the last item that was shown, not a position: what is added or removed between two
    /// parts makes none of the others come twice or not at all.
    ///
    /// - Parameter key: what the list is sorted by, different for each item.
    func page<Item>(
        _ items: [Item], _ request: Request, by key: (Item) -> String, _ json: (Item) -> JSONValue
    ) throws -> Response {
        let query = request.uri.queryParameters
        var limit = 100
        if let text = query["limit"] {
            guard let number = Int(text), (1...1_000).contains(number) else {
                throw Problem(.invalidRequest, "limit: a number from 1 to 1000 expected")
            }
            limit = number
        }
        let keyed = items.map { (key: Array(key($0).utf8), item: $0) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        var rest = keyed[...]
        if let text = query["after"] {
            guard let after = Cursor.decode(text) else {
                throw Problem(
                    .invalidRequest, "after: it is not next of an answer", hint: "start without it")
            }
            rest = rest.drop { !after.lexicographicallyPrecedes($0.key) }
        }
        let part = rest.prefix(limit)
        var members = [JSONValue.Member("items", .array(part.map { json($0.item) }))]
        if part.endIndex < keyed.endIndex, let last = part.last {
            members.append(.init("next", .string(Cursor.encode(last.key))))
        }
        return Response(json: .object(members))
    }
}

/// A sort key as hexadecimal digits: fit for a query as it is.
private enum Cursor {
    /// Sort keys are an identity and a fingerprint at most.
    private static let maximumBytes = 1_024

    static func encode(_ key: [UInt8]) -> String {
        hexadecimal(key)
    }

    static func decode(_ text: Substring) -> [UInt8]? {
        text.utf8.count <= 2 * maximumBytes ? bytes(hexadecimal: text) : nil
    }
}
