// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import IdentityProviders
import TestSupport
import Testing

@testable import CertAuthorityOIDC

/// The real client against servers that don't do what they should.
@Suite struct HTTPFetcherTests {
    private func fetch(
        _ url: String, deadline: Duration = .seconds(120), authorities: String? = nil
    ) async throws -> Result<HTTPReply, SignInError> {
        let fetcher = try HTTPFetcher(deadline: deadline, authorities: authorities)
        let result: Result<HTTPReply, SignInError>
        do {
            result = .success(try await fetcher.fetch(HTTPFetch(try ProviderURL(url, field: "test"))))
        } catch {
            result = .failure(error)
        }
        try await fetcher.shutDown()
        return result
    }

    private func refusal(_ result: Result<HTTPReply, SignInError>) -> SignInError.Code? {
        if case .failure(let error) = result { error.code } else { nil }
    }

    private func reply(_ status: String, _ headers: String, _ body: String) -> [UInt8] {
        Array("HTTP/1.1 \(status)\r\n\(headers)connection: close\r\n\r\n\(body)".utf8)
    }

    @Test func anAnswerComesWhole() async throws {
        let server = try CannedServer(reply("200 OK", "content-length: 2\r\n", "{}"))
        let reply = try await fetch("http://127.0.0.1:\(server.port)/x").get()
        #expect(reply.status == 200)
        #expect(reply.body == Array("{}".utf8))
    }

    @Test func aRedirectIsNotFollowed() async throws {
        let other = try CannedServer(reply("200 OK", "content-length: 2\r\n", "{}"))
        let server = try CannedServer(
            reply("302 Found", "location: http://127.0.0.1:\(other.port)/\r\ncontent-length: 0\r\n", ""))
        let reply = try await fetch("http://127.0.0.1:\(server.port)/x").get()
        #expect(reply.status == 302)
        #expect(other.connections == 0)
    }

    @Test func attack30_anAnswerOverTheLimitIsRefused() async throws {
        let body = String(repeating: "a", count: HTTPReply.maximumBytes + 1)
        for headers in ["content-length: \(body.utf8.count)\r\n", ""] {
            let server = try CannedServer(reply("200 OK", headers, body))
            #expect(refusal(try await fetch("http://127.0.0.1:\(server.port)/")) == .provider)
            let fitting = try CannedServer(reply("200 OK", "", String(body.dropLast())))
            #expect(try await fetch("http://127.0.0.1:\(fitting.port)/").get().body.count == 1 << 20)
        }
        // What it says alone is enough.
        let liar = try CannedServer(reply("200 OK", "content-length: 99999999999\r\n", "{}"))
        #expect(refusal(try await fetch("http://127.0.0.1:\(liar.port)/")) == .provider)
    }

    // How long it takes is not measured: other tests hold the few threads that there are. Without a deadline the first
    // would not end, and the second would be an answer.
    @Test(.timeLimit(.minutes(10))) func attack37_aSilentOrSlowProviderIsLeftAtTheDeadline() async throws {
        let silent = try CannedServer(nil)
        let slow = try CannedServer(
            reply("200 OK", "content-length: 2000\r\n", String(repeating: "a", count: 2_000)), pause: 200_000)
        for server in [silent, slow] {
            let result = try await fetch("http://127.0.0.1:\(server.port)/", deadline: .milliseconds(400))
            #expect(refusal(result) == .unreachable)
        }
    }

    @Test func aProviderThatIsDownIsUnreachable() async throws {
        let port = try CannedServer(nil).port
        let result = try await fetch("http://127.0.0.1:\(port)/", deadline: .milliseconds(500))
        #expect(refusal(result) == .unreachable)
        if case .failure(let error) = result { #expect(!error.reason.contains("\n")) }
    }

    @Test func onlyTrustedCertificatesAreTaken() async throws {
        let folder = try TemporaryFolder()
        for name in ["own", "other"] {
            try Tool.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2",
                    "-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    "\(name).key", "-out",
                    "\(name).pem",
                ], in: folder.path
            ).orThrow("openssl req")
        }
        try folder.write("{}", to: "page")
        let server = try ChildProcess(
            Tool.find("openssl"),
            ["s_server", "-accept", "127.0.0.1:0", "-cert", "own.pem", "-key", "own.key", "-WWW"],
            in: folder.path, log: folder.path("log"))
        let port = try await poll { () -> String? in
            let line = (try? folder.readText("log"))?.split(separator: "\n").first {
                $0.hasPrefix("ACCEPT 127.")
            }
            return line?.split(separator: ":").last.map(String.init)
        }
        let url = "https://127.0.0.1:\(port)/page"
        let body = try await fetch(url, authorities: folder.path("own.pem")).get().body
        #expect(String(decoding: body, as: UTF8.self) == "{}")
        let stranger = try await fetch(url, deadline: .seconds(2), authorities: folder.path("other.pem"))
        #expect(refusal(stranger) == .unreachable)
        #expect(refusal(try await fetch(url, deadline: .seconds(2))) == .unreachable)
        #expect(throws: CertAuthorityError(.configuration, "")) {
            try HTTPFetcher(authorities: folder.path("page"))
        }
        withExtendedLifetime(server) {}
    }
}
