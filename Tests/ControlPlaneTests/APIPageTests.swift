// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes
import Foundation
import Testing

@testable import ControlPlane

/// docs/api.md against the API document: no operation, code or member is left out or made up.
@Suite("The page about the API") struct APIPageTests {
    private static let page: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return (try? String(contentsOf: root.appending(path: "docs/api.md"), encoding: .utf8)) ?? ""
    }()

    /// The page's sections of operations, by heading.
    private static var sections: [String: Substring] {
        let parts = page.split(separator: "\n### ").dropFirst()
        return Dictionary(
            parts.map { part in (String(part.prefix { $0 != "\n" }), part) }, uniquingKeysWith: { $1 })
    }

    private func blocks(_ text: Substring, after word: String) throws -> [JSONValue] {
        try text.split(separator: "```json\n", omittingEmptySubsequences: false).map { $0 }
            .adjacent().filter { $0.0.hasSuffix(word) }
            .map { pair in
                let json = pair.1.prefix(upTo: pair.1.range(of: "\n```")?.lowerBound ?? pair.1.endIndex)
                return try JSONValue(parsing: Array(json.utf8), maximumBytes: 64 << 10)
            }
    }

    @Test func everyOperationIsOnThePageAndNoOther() {
        #expect(
            Set(Self.sections.keys) == Set(Operation.all.map { "\($0.method.rawValue) \($0.path)" }))
    }

    @Test func everyExampleIsWhatTheDocumentSays() throws {
        for operation in Operation.all {
            let name = "\(operation.method.rawValue) \(operation.path)"
            let section = try #require(Self.sections[name])
            let requests = try blocks(section, after: "Request:\n\n")
            #expect(requests.count == (operation.body == nil ? 0 : 1), "\(name)")
            for request in requests {
                let schema = try #require(operation.body).json
                #expect(DocumentCheck.differences(request, schema, name) == [])
            }
            let answers = try blocks(section, after: "Answer, \(operation.answer.status):\n\n")
            let hasExample = operation.answer.schema != nil && operation.path != "/openapi.json"
            #expect(answers.count == (hasExample ? 1 : 0), "\(name)")
            for answer in answers {
                let schema = try #require(operation.answer.schema).json
                #expect(DocumentCheck.differences(answer, schema, name) == [])
            }
            if operation.answer.status == 204 { #expect(section.contains("Answer: 204."), "\(name)") }
        }
    }

    @Test func everyProblemIsInTheTableWithItsStatus() throws {
        let rows = Self.page.split(separator: "\n").filter { $0.hasPrefix("| `") }
        let table = rows.map { $0.split(separator: "|").prefix(2).joined(separator: "|") }
        #expect(Set(table) == Set(Problem.Code.allCases.map { " `\($0.rawValue)` | \($0.status) " }))
        let example = try #require(blocks(Self.page[...], after: "`X-Request-Id`.\n\n").first)
        let schema = JSONValue.object([.init("$ref", "#/components/schemas/Problem")])
        #expect(DocumentCheck.differences(example, schema, "example") == [])
    }
}

extension Array {
    fileprivate func adjacent() -> [(Element, Element)] { Array<(Element, Element)>(zip(self, dropFirst())) }
}
