// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes
import Hummingbird
import Testing

@testable import ControlPlane

@Suite("Problems") struct ProblemRouteTests {
    @Test func aPathThatIsNothingIsNotFound() async throws {
        try await TestPlane.with { plane in
            for target in ["/", "/v1", "/v1/nothing", "/v2/session", "/log", "/v1/hosts/a/b", "/%00", "//"] {
                let answer = try await plane.send(TestRequest("GET", target))
                #expect(answer.status == 404 && answer.code == "not-found", "\(target)")
            }
        }
    }

    @Test(arguments: [
        ("POST", "/v1/session", "DELETE, GET, HEAD"), ("PUT", "/v1/hosts", "GET, HEAD"),
        ("GET", "/v1/certificates", "POST"), ("PATCH", "/v1/hosts/web1", "DELETE, PUT"),
        ("OPTIONS", "/v1/keys", "DELETE, GET, HEAD, POST"), ("HEAD", "/v1/certificates", "POST"),
        ("DELETE", "/log/checkpoint", "GET, HEAD"), ("TRACE", "/healthz", "GET, HEAD"),
    ]) func aMethodThatAPathHasNotIsNamedWithThoseThatItHas(
        method: String, target: String, allowed: String
    ) async throws {
        try await TestPlane.with { plane in
            let answer = try await plane.send(TestRequest(method, target))
            #expect(answer.status == 405 && answer.headers["allow"] == allowed, "\(answer)")
            if method != "HEAD" { #expect(answer.code == "method-not-allowed") }
        }
    }

    @Test func headIsGetWithoutContent() async throws {
        try await TestPlane.with { plane in
            let get = try await plane.send(TestRequest("GET", "/v1/server"))
            let head = try await plane.send(TestRequest("HEAD", "/v1/server"))
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers["content-length"] == get.headers["content-length"])
            #expect(try await plane.send(TestRequest("HEAD", "/v1/session")).status == 401)
            let session = try await plane.parts.session()
            #expect(try await plane.send(TestRequest("HEAD", "/v1/session", by: session)).status == 200)
            #expect(
                try await plane.send(
                    TestRequest("GET", "/v1/session", by: session).with { $0.sentMethod = "HEAD" }
                ).status == 401, "a proof for GET is none for HEAD")
        }
    }

    @Test(
        arguments: [nil, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]
            as [String?])
    func aBodyThatIsNotCalledJSONIsNotRead(type: String?) async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let answer = try await plane.send(
                TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session)
                    .with { $0.contentType = type })
            #expect(answer.status == 415 && answer.code == "unsupported-media-type", "\(answer.text)")
            let right = try await plane.send(
                TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session)
                    .with { $0.contentType = "Application/JSON ; charset=utf-8" })
            #expect(right.status == 201)
        }
    }

    @Test func eachOperationReadsItsOwnAndNoMore() async throws {
        try await TestPlane.with { plane in
            for operation in Operation.all where operation.method != .get {
                let target = operation.template.replacing("{id}", with: "web1").replacing(
                    "{code}", with: "BCDF-GHJK")
                let body = [UInt8](repeating: 0x20, count: operation.maximumBodyBytes + 1)
                let answer = try await plane.send(
                    TestRequest(operation.method.rawValue, target).with { $0.body = body })
                #expect(answer.status == 413, "\(operation.name)")
                #expect(answer.code == "too-large" || operation.isPage, "\(operation.name)")
            }
            // Beyond what any operation reads the connection is closed.
            let huge = [UInt8](repeating: 0x20, count: Operation.maximumBodyBytes + 100_000)
            let answer = try? await plane.send(
                TestRequest("POST", "/v1/certificates").with { $0.body = huge })
            #expect(answer == nil || answer?.status == 413)
            // The client may hear of that with its next request only.
            let first = try? await plane.send(TestRequest("GET", "/healthz"))
            let next = if let first { first } else { try await plane.send(TestRequest("GET", "/healthz")) }
            #expect(next.status == 200)
        }
    }

    @Test func everyCodeHasAStatusAndOneNameInTheDocument() throws {
        for code in Problem.Code.allCases {
            let problem = Problem(code, "detail")
            #expect(problem.json["type"]?.string == "urn:daypass:problem:\(code.rawValue)")
            #expect((200..<600).contains(code.status))
            let parsed = try Problem(parsing: Array(problem.json.text.utf8))
            #expect(parsed.code == code)
        }
    }
}

@Suite("The API document") struct OpenAPITests {
    @Test func itIsAboutTheRoutesAndNothingElse() async throws {
        let parts = try await TestAuthority()
        let limits = RequestLimits(.init(), clock: { 0 })
        let plane = Plane(
            authority: parts.authority, log: parts.ledger,
            hub: try await parts.hub(limits: limits, logger: LogCapture().logger), alerts: parts.alerts,
            chains: parts.chains,
            info: ServerInfo(
                version: "1", origin: "o", userAuthority: parts.signer.publicKey,
                hostAuthority: parts.signer.publicKey, loginMethods: [], hostPatterns: []), names: ["x"],
            limits: limits, publicURL: { "https://x:\($0)" })
        let routes = plane.router().routes.map { "\($0.method.rawValue) \($0.path.description)" }
        let documented = Operation.all.map { "\($0.method.rawValue) \($0.path)" }
        #expect(Set(routes) == Set(documented))
        #expect(documented.count == Set(documented).count)
        #expect(Set(Operation.all.map(\.name)).count == documented.count)
    }

    @Test func itIsServedAndNamesOnlySchemasThatItHas() async throws {
        try await TestPlane.with { plane in
            let answer = try await plane.send(TestRequest("GET", "/openapi.json"))
            #expect(answer.json == DocumentCheck.document)
            let names = Set(Schema.named.map(\.name))
            for part in answer.text.split(separator: "#/components/schemas/").dropFirst() {
                #expect(names.contains(String(part.prefix { $0 != "\"" })))
            }
        }
    }

    @Test func theCheckOfAnswersSeesWhatIsWrong() throws {
        let schema = JSONValue.object([.init("$ref", "#/components/schemas/Challenge")])
        let good = String(repeating: "a", count: 43)
        func differences(_ members: [JSONValue.Member]) -> Int {
            DocumentCheck.differences(.object(members), schema, "x").count
        }
        #expect(differences([.init("challenge", .string(good)), .init("expires", .number(1))]) == 0)
        #expect(differences([.init("challenge", .string(good))]) == 1)
        #expect(differences([.init("challenge", .string("a")), .init("expires", .number(1))]) == 1)
        #expect(differences([.init("challenge", .string(good)), .init("expires", .number(-1))]) == 1)
        #expect(differences([.init("challenge", .string(good)), .init("expires", "1")]) == 1)
        #expect(
            differences([
                .init("challenge", .string(good)), .init("expires", .number(1)), .init("more", .null),
            ]) == 1)
    }
}
