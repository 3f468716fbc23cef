// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes

/// The API as an OpenAPI 3.1 document, made from ``Operation/all``.
enum OpenAPIDocument {
    /// Its text, made once.
    static func text(version: String) -> String { json(version: version).text }

    static func json(version: String) -> JSONValue {
        let paths = Dictionary(grouping: Operation.all, by: \.template).sorted { $0.key < $1.key }
        return .object([
            .init("openapi", "3.1.0"),
            .init(
                "info",
                .object([
                    .init("title", "Daypass control plane"), .init("version", .string(version)),
                    .init("description", "Requests are signed as docs/formats/request-proof.md says."),
                    .init("license", .object([.init("name", "Apache-2.0")])),
                ])),
            .init(
                "paths",
                .object(
                    paths.map { path, operations in
                        .init(
                            path,
                            .object(
                                operations.map { operation in
                                    .init(operation.method.rawValue.lowercased(), json(operation))
                                }))
                    })),
            .init(
                "components",
                .object([
                    .init("schemas", .object(Schema.named.map { .init($0.name, $0.schema.json) })),
                    .init("securitySchemes", .object([.init("session", proof)])),
                ])),
        ])
    }

    /// OpenAPI has no word for RFC 9421: the header that carries the proof stands for all three.
    private static let proof = JSONValue.object([
        .init("type", "apiKey"), .init("in", "header"), .init("name", "Signature"),
        .init(
            "description",
            "HTTP message signature (RFC 9421) by the session's key, with Signature-Input and Content-Digest."
        ),
    ])

    private static func json(_ operation: Operation) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("operationId", .string(operation.name)), .init("summary", .string(operation.summary)),
        ]
        if operation.access != .anybody {
            members.append(.init("security", .array([.object([.init("session", .array([]))])])))
        }
        let parameters =
            operation.parameters.map { parameter($0, in: "path", .text(), isRequired: true, "") }
            + operation.query.map {
                parameter($0.name, in: "query", $0.schema, isRequired: $0.isRequired, $0.description)
            }
            + (operation.isRemembered
                ? [
                    parameter(
                        "Idempotency-Key", in: "header", .text(pattern: "^[!-~]{1,64}$"), isRequired: false,
                        "The same request with the same key gets the same answer, for 10 minutes.")
                ] : [])
        if !parameters.isEmpty { members.append(.init("parameters", .array(parameters))) }
        if let body = operation.body {
            members.append(
                .init(
                    "requestBody",
                    .object([
                        .init("required", .bool(true)),
                        .init("content", content(operation.bodyMediaType, body)),
                    ])))
        }
        members.append(.init("responses", .object(responses(operation))))
        return .object(members)
    }

    private static func parameter(
        _ name: String, in place: String, _ schema: Schema, isRequired: Bool, _ description: String
    ) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string(name)), .init("in", .string(place)), .init("required", .bool(isRequired)),
        ]
        if !description.isEmpty { members.append(.init("description", .string(description))) }
        members.append(.init("schema", schema.json))
        return .object(members)
    }

    private static func responses(_ operation: Operation) -> [JSONValue.Member] {
        var success: [JSONValue.Member] = [.init("description", .string(operation.summary))]
        if !operation.answer.mediaType.isEmpty {
            success.append(.init("content", content(operation.answer.mediaType, operation.answer.schema)))
        }
        let codes = Dictionary(grouping: operation.allProblems, by: \.status).sorted { $0.key < $1.key }
        let problems = codes.map { status, codes in
            JSONValue.Member(
                String(status),
                .object([
                    .init("description", .string(codes.map(\.rawValue).sorted().joined(separator: ", "))),
                    .init(
                        "content",
                        operation.isPage
                            ? content(Page.mediaType, nil) : content(Problem.mediaType, .reference("Problem"))
                    ),
                ]))
        }
        return [.init(String(operation.answer.status), .object(success))] + problems
    }

    private static func content(_ mediaType: String, _ schema: Schema?) -> JSONValue {
        .object([.init(mediaType, .object(schema.map { [.init("schema", $0.json)] } ?? []))])
    }
}

extension Operation {
    /// Every problem that it may answer with.
    var allProblems: Set<Problem.Code> {
        var codes: Set<Problem.Code> = [.invalidRequest, .tooLarge, .tooManyRequests, .internalError]
        if access != .anybody { codes.formUnion([.notLoggedIn, .sessionEnded, .staleProof, .replayedProof]) }
        if maximumBodyBytes > 0 { codes.insert(.unsupportedMediaType) }
        // A key that came with another request.
        if isRemembered { codes.insert(.conflict) }
        return codes.union(problems)
    }
}
