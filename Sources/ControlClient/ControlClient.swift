// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
public import ControlProtocol
import NIOCore
import NIOHTTP1
import NIOSSL
public import SSHWire

/// Asks a control plane (docs/api.md).
///
/// Every answer is bounded, every exchange has a deadline, redirects are not followed. Requests that a session makes
/// are signed by its key; one that the server takes for stale or repeated is made once more by the server's clock. What
/// may be repeated (`GET`, and whatever has an idempotency key) is, for ``patience``, while the server is away or busy.
public struct ControlClient: Sendable {
    /// A session's name and key.
    public struct Credential: Sendable {
        public let session: String
        public let key: PrivateKey

        public init(session: String, key: PrivateKey) {
            self.session = session
            self.key = key
        }
    }

    /// The server's address, `https://host[:port]`.
    public let server: ServerAddress
    /// For how long a server that is not there, has no signer or no store, or wants to be asked less often, is asked
    /// again.
    public let patience: Duration
    let http: HTTPClient
    /// Microseconds since 1970.
    private let clock: @Sendable () -> UInt64

    /// The largest answer that is read, in bytes.
    private static let maximumAnswerBytes = 1 << 20
    static let timeout: TimeAmount = .seconds(20)
    /// The waits between attempts: the first, which doubles, and the longest.
    private static let pauses: (first: Duration, longest: Duration) = (.milliseconds(100), .seconds(2))

    /// - Parameters:
    ///   - rootPEM: the root certificate to trust; nil for the system's.
    ///   - clock: microseconds since 1970.
    public init(
        _ server: ServerAddress, rootPEM: String?, patience: Duration = .zero,
        clock: @escaping @Sendable () -> UInt64
    ) throws(ClientError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let rootPEM {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(rootPEM.utf8)))
            } catch {
                throw .untrustedServer("the server's root certificate can't be read")
            }
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: Self.timeout))
        configuration.httpVersion = .http1Only
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.server = server
        self.patience = patience
        self.clock = clock
    }

    /// Closes what is open. To be called before the client goes.
    public func close() async { try? await http.shutdown() }

    /// Makes a request and reads the answer.
    ///
    /// - Parameters:
    ///   - target: path and query.
    ///   - credential: signs the request; nil where nobody need be logged in.
    ///   - idempotencyKey: the same for every attempt of one wish, so that what was made is not made twice.
    /// - Returns: nil for an answer without content.
    @discardableResult
    public func send(
        _ method: String, _ target: String, _ body: JSONValue? = nil, by credential: Credential? = nil,
        idempotencyKey: String? = nil
    ) async throws(ClientError) -> JSONValue? {
        let end = ContinuousClock.now + patience
        var pause = Self.pauses.first
        while true {
            do {
                return try await once(method, target, body, credential, idempotencyKey)
            } catch {
                let wait = max(pause, error.wait ?? .zero)
                guard method == "GET" || idempotencyKey != nil, error.wait != nil,
                    ContinuousClock.now + wait < end, (try? await Task.sleep(for: wait)) != nil
                else { throw error }
                pause = min(pause * 2, Self.pauses.longest)
            }
        }
    }

    private func once(
        _ method: String, _ target: String, _ body: JSONValue?, _ credential: Credential?,
        _ idempotencyKey: String?
    ) async throws(ClientError) -> JSONValue? {
        do {
            return try await attempt(method, target, body, credential, idempotencyKey, offset: 0)
        } catch .problem(let problem) where [.staleProof, .replayedProof].contains(problem.code) {
            // By the server's clock, and ahead of what was tried.
            let here = Int64(clamping: clock() / 1_000)
            let offset = problem.code == .staleProof ? Self.offset(to: problem.serverTime, from: here) : 0
            return try await attempt(method, target, body, credential, idempotencyKey, offset: offset)
        }
    }

    /// How far a server's clock is ahead of ours, in milliseconds; 0 where it tells no time from 1970 to 9999.
    static func offset(to serverTime: Int64?, from here: Int64) -> Int64 {
        let latest: Int64 = 253_402_300_799_999
        guard let serverTime, (0...latest).contains(serverTime), (0...latest).contains(here) else { return 0 }
        return serverTime - here
    }

    /// - Parameter offset: added to this machine's clock, in milliseconds.
    private func attempt(
        _ method: String, _ target: String, _ body: JSONValue?, _ credential: Credential?,
        _ idempotencyKey: String?, offset: Int64
    ) async throws(ClientError) -> JSONValue? {
        var request = HTTPClientRequest(url: "\(server.url)\(target)")
        request.method = HTTPMethod(rawValue: method)
        let bytes = body.map { Array($0.text.utf8) } ?? []
        if body != nil {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: bytes))
        }
        if let idempotencyKey { request.headers.add(name: "idempotency-key", value: idempotencyKey) }
        if let credential { try sign(&request, method, target, bytes, credential, offset) }
        let status: Int
        let content: [UInt8]
        do {
            let response = try await http.execute(request, timeout: Self.timeout)
            status = Int(response.status.code)
            content = Array(
                try await response.body.collect(upTo: Self.maximumAnswerBytes).readableBytesView)
        } catch {
            throw Self.failure(error, server)
        }
        return try Self.answer(status, content)
    }

    private func sign(
        _ request: inout HTTPClientRequest, _ method: String, _ target: String, _ body: [UInt8],
        _ credential: Credential, _ offset: Int64
    ) throws(ClientError) {
        let microseconds = Int64(clamping: clock()) + offset * 1_000
        let proof = RequestProof(
            session: credential.session, created: microseconds / 1_000_000,
            sequence: UInt64(max(microseconds, 0)))
        let digest = RequestProof.contentDigest(body)
        let base = proof.base(
            method: method, authority: server.authority, target: target, contentDigest: digest)
        do {
            let signature = try credential.key.sign(base.span)
            request.headers.add(name: "signature-input", value: proof.signatureInput)
            request.headers.add(name: "signature", value: RequestProof.signatureHeader(signature.blob))
            request.headers.add(name: "content-digest", value: digest)
        } catch {
            throw .notUnderstood("the session's key can't sign: \(error.reason)")
        }
    }

    private static func answer(_ status: Int, _ content: [UInt8]) throws(ClientError) -> JSONValue? {
        if status == 204 { return nil }
        do {
            if status >= 300 || status == 202 { throw ClientError.problem(try Problem(parsing: content)) }
            return try JSONValue(parsing: content, maximumBytes: maximumAnswerBytes)
        } catch let error as ClientError {
            throw error
        } catch {
            throw .notUnderstood("the answer (status \(status)) is not this API's: \(error)")
        }
    }

    static func failure(_ error: any Error, _ server: ServerAddress) -> ClientError {
        let text = "\(error)"
        if error is NIOSSLError || error is NIOSSLExtraError || text.contains("CERTIFICATE_VERIFY_FAILED") {
            return .untrustedServer(
                "\(server.authority): its certificate is not one that is trusted here")
        }
        return .unreachable("\(server.authority): \(Unreachable.reason(error))")
    }
}
