// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
public import CertAuthority
import NIOCore
import NIOHTTP1
import NIOSSL
import SSHWire

/// Asks providers over HTTP/1.1 and TLS 1.2 or newer.
///
/// Whoever makes one calls ``shutDown()`` when nobody asks any more, and so waits until all connections have ended.
public final class HTTPFetcher: HTTPFetching {
    private let client: HTTPClient
    private let deadline: Duration

    /// - Parameters:
    ///   - deadline: how long one answer may take, from the look-up of the name to the last byte.
    ///   - authorities: a file of PEM certificates that are trusted instead of the system's; for providers that only the
    ///     company's own CA certifies.
    /// - Throws: `.configuration` when the file can't be used.
    public init(deadline: Duration = .seconds(10), authorities: String? = nil) throws(CertAuthorityError) {
        self.deadline = deadline
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let authorities {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
            } catch {
                throw CertAuthorityError(
                    .configuration,
                    "\"\(authorities.escapedForTerminal)\": certificates in PEM expected, of which none can be read",
                    hint: "it is the file of the CAs that certify identity providers")
            }
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        // Redirects would lead codes and secrets to hosts that nobody configured.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        // A small answer must not become a large one.
        configuration.decompression = .disabled
        configuration.maximumUsesPerConnection = 100
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    // A client that goes without it ends a debug build: an error on the way to `shutDown` must not.
    deinit { client.shutdown { _ in } }

    /// Ends all connections.
    public func shutDown() async throws { try await client.shutdown() }

    public func fetch(_ fetch: HTTPFetch) async throws(SignInError) -> HTTPReply {
        var request = HTTPClientRequest(url: fetch.url.text.string)
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "daypass")
        if let authorization = fetch.authorization {
            request.headers.add(name: "authorization", value: authorization)
        }
        if let form = fetch.form {
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: form))
        }
        do {
            return try await answer(to: request)
        } catch is NIOTooManyBytesError {
            throw SignInError(
                .provider, "\(fetch.url): an answer of more than \(HTTPReply.maximumBytes) bytes")
        } catch {
            // The client's errors name addresses and states, never what was sent.
            throw SignInError(
                .unreachable, "\(fetch.url): no answer: \("\(error)".escapedForTerminal)",
                hint: "is the provider up, and the network between?")
        }
    }

    private struct DeadlineHasPassed: Error {}

    /// The whole answer, or an error when the deadline has passed.
    ///
    /// The client's own deadline was seen not to end a body that came in drops: a second clock does.
    private func answer(to request: HTTPClientRequest) async throws -> HTTPReply {
        try await withThrowingTaskGroup(of: HTTPReply.self) { [client, deadline] group in
            group.addTask {
                let response = try await client.execute(request, deadline: .now() + TimeAmount(deadline))
                let body = try await response.body.collect(upTo: HTTPReply.maximumBytes)
                return HTTPReply(status: Int(response.status.code), body: Array(body.readableBytesView))
            }
            group.addTask {
                try await Task.sleep(for: deadline)
                throw DeadlineHasPassed()
            }
            defer { group.cancelAll() }
            guard let reply = try await group.next() else { throw DeadlineHasPassed() }
            return reply
        }
    }
}
