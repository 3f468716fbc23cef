// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CertAuthority
import ControlProtocol
import Foundation
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOSSL
import SSHWire
import ServiceLifecycle
import TestSupport
import Testing

@testable import ControlPlane

/// The control plane in this process, over real TLS on a port that the kernel chose.
struct TestPlane {
    let parts: TestAuthority
    let port: Int
    let rootPEM: String
    let http: HTTPClient
    let log: LogCapture
    let hub: TunnelHub

    var authority: AccessAuthority { parts.authority }
    var name: String { "127.0.0.1:\(port)" }

    static let generous = ServerConfiguration.Limits.with { limits in
        limits.perIdentity = 1_000_000
        limits.perIdentityBurst = 1_000_000
        limits.perAddress = 1_000_000
        limits.perAddressBurst = 1_000_000
    }

    /// Starts one for as long as `body` takes.
    ///
    /// - Parameters:
    ///   - earlier: of a server that was there before: only what that one kept goes on.
    ///   - deliversGrants: whether hosts are asked about grants, first of all when they connect.
    static func with(
        _ limits: ServerConfiguration.Limits = generous, settings: PlaneServer.Settings = .init(),
        policy: String = TestAuthority.policy, earlier: TestAuthority? = nil, deliversGrants: Bool = false,
        revocationSigner: RevocationSigner? = nil, _ body: (TestPlane) async throws -> Void
    ) async throws {
        let parts: TestAuthority
        if let earlier { parts = earlier } else { parts = try await TestAuthority(policy: policy) }
        let folder = try TemporaryFolder()
        let identity = try ServerIdentity(
            folder: folder.path, names: ["127.0.0.1", "localhost"], at: Date())
        let root = try #require(identity.chainPEM.range(of: "-----BEGIN", options: .backwards))
        let rootPEM = String(identity.chainPEM[root.lowerBound...])
        let log = LogCapture()
        let limitsInUse = RequestLimits(limits, clock: { parts.clock.milliseconds })
        let hub = try await parts.hub(
            limits: limitsInUse, logger: log.logger, revocationSigner: revocationSigner)
        try await hub.refreshRevocations()
        let delivery = deliversGrants ? FleetDelivery(parts.authority, hub) : nil
        let plane = Plane(
            authority: parts.authority, log: parts.ledger, hub: hub, alerts: parts.alerts,
            chains: parts.chains,
            info: ServerInfo(
                version: "1", origin: "test.example", userAuthority: parts.signer.publicKey,
                hostAuthority: parts.signer.publicKey, loginMethods: ["keys"], hostPatterns: ["*.example.com"]
            ), names: ["127.0.0.1", "localhost"],
            limits: limitsInUse, delivery: delivery, publicURL: { "https://127.0.0.1:\($0)" })
        var settings = settings
        settings.port = 0
        settings.connectionsPerAddress = limits.connectionsPerAddress
        let ready = AsyncStream<Int>.makeStream()
        let application = try PlaneServer.application(
            plane, settings, chainPEM: identity.chainPEM, privateKeyPEM: identity.privateKeyPEM,
            services: delivery.map { [$0] } ?? [], logger: log.logger
        ) { ready.continuation.yield($0) }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(rootPEM.utf8)))
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(30)))
        configuration.httpVersion = .http1Only
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var port = 0
            for await number in ready.stream {
                port = number
                break
            }
            let result: Result<Void, any Error>
            do {
                result = .success(
                    try await body(
                        TestPlane(parts: parts, port: port, rootPEM: rootPEM, http: http, log: log, hub: hub))
                )
            } catch {
                result = .failure(error)
            }
            try? await http.shutdown()
            group.cancelAll()
            while let ended = await group.nextResult() { _ = ended }
            try result.get()
        }
        withExtendedLifetime(folder) {}
    }

    /// Sends a request, and checks the answer against the API document.
    func send(_ request: TestRequest) async throws -> TestAnswer {
        var wire = HTTPClientRequest(url: "https://\(name)\(request.sentTarget ?? request.target)")
        wire.method = HTTPMethod(rawValue: request.sentMethod ?? request.method)
        let body = request.sentBody ?? request.body
        if let body { wire.body = .bytes(ByteBuffer(bytes: body)) }
        for (name, value) in try request.headers(authority: name, clock: parts.clock) {
            wire.headers.add(name: name, value: value)
        }
        let response = try await http.execute(wire, timeout: .seconds(30))
        let answer = TestAnswer(
            status: Int(response.status.code),
            headers: Dictionary(
                response.headers.map { ($0.name.lowercased(), $0.value) },
                uniquingKeysWith: { "\($0), \($1)" }),
            body: Array(try await response.body.collect(upTo: 4 << 20).readableBytesView))
        DocumentCheck.check(
            answer, to: wire.method.rawValue, request.sentTarget ?? request.target)
        return answer
    }
}

extension ServerConfiguration.Limits {
    static func with(_ change: (inout Self) -> Void) -> Self {
        var limits = Self()
        change(&limits)
        return limits
    }
}

/// A request as a client makes it, and the lies that may be told about it.
struct TestRequest {
    var method: String
    var target: String
    var body: [UInt8]?
    /// Who signs; nobody if nil.
    var session: TestSession?
    var contentType: String? = "application/json"
    var idempotencyKey: String?
    var extraHeaders: [(String, String)] = []

    // What differs from what was signed.
    var sentMethod: String?
    var sentTarget: String?
    var sentBody: [UInt8]?
    var sentDigest: String?
    var signedAuthority: String?
    var sessionName: String?
    var created: Int64?
    var sequence: UInt64?
    var signingKey: PrivateKey?

    init(
        _ method: String, _ target: String, _ body: JSONValue? = nil, by session: TestSession? = nil,
        idempotencyKey: String? = nil
    ) {
        self.method = method
        self.target = target
        self.body = body.map { Array($0.text.utf8) }
        self.session = session
        self.idempotencyKey = idempotencyKey
    }

    func with(_ change: (inout TestRequest) -> Void) -> TestRequest {
        var request = self
        change(&request)
        return request
    }

    func headers(authority: String, clock: TestClock) throws -> [(String, String)] {
        var headers = extraHeaders
        if (sentBody ?? body)?.isEmpty == false, let contentType {
            headers.append(("content-type", contentType))
        }
        if let idempotencyKey { headers.append(("idempotency-key", idempotencyKey)) }
        guard let session else { return headers }
        let proof = RequestProof(
            session: sessionName ?? session.session.id,
            created: created ?? Int64(clamping: clock.seconds),
            sequence: sequence ?? clock.nextSequence())
        let digest = RequestProof.contentDigest(body ?? [])
        let base = proof.base(
            method: method, authority: signedAuthority ?? authority, target: target, contentDigest: digest)
        let signature = try (signingKey ?? session.key).sign(base.span)
        headers.append(("signature-input", proof.signatureInput))
        headers.append(("signature", RequestProof.signatureHeader(signature.blob)))
        headers.append(("content-digest", sentDigest ?? digest))
        return headers
    }
}

struct TestAnswer {
    let status: Int
    let headers: [String: String]
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue? { try? JSONValue(parsing: body, maximumBytes: 4 << 20) }
    /// The problem's code.
    var code: String? { json?["code"]?.string }
}
