// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import ControlProtocol
import HTTPTypes
public import Hummingbird
import NIOCore
import SSHWire

/// The control plane's HTTP API: reads requests, asks the authority, writes answers. It decides nothing.
public struct Plane: Sendable {
    let authority: AccessAuthority
    let log: any PublishedLog
    let info: ServerInfo
    let metrics: PlaneMetrics
    /// Host names, without port, by which clients may call the server, in lower case. A proof made for another server
    /// is not taken here.
    let names: Set<String>

    /// - Parameters:
    ///   - log: what is public of the log.
    ///   - info: what `GET /v1/server` says.
    public init(
        authority: AccessAuthority, log: any PublishedLog, info: ServerInfo, names: [String],
        metrics: PlaneMetrics = PlaneMetrics()
    ) {
        self.authority = authority
        self.log = log
        self.info = info
        self.names = Set(names.map { $0.lowercased() })
        self.metrics = metrics
    }

    /// All routes.
    public func router() -> Router<PlaneContext> {
        let router = Router(context: PlaneContext.self)
        router.add(middleware: ProblemMiddleware(metrics: metrics))
        addHealth(router)
        addLog(router)
        let v1 = router.group("v1")
        v1.get("server") { [info] _, _ in Response(json: info.json) }
        addLogin(v1)
        addSignIn(v1)
        addSessions(v1)
        addCertificates(v1)
        addDirectory(v1)
        return router
    }

    // MARK: Who asks

    /// A request whose session's key signed it, with its body.
    struct Authenticated {
        let session: LoginSession
        let body: [UInt8]
    }

    /// Checks the proof (``/ControlProtocol/RequestProof``) over the request and its whole body.
    func authenticate(_ request: Request, _ context: PlaneContext) async throws -> Authenticated {
        let body = try await self.body(request, context)
        let fields = request.headers
        guard let input = fields[.signatureInput], let header = fields[.signature],
            let digest = fields[.contentDigest]
        else {
            throw Problem(
                .notLoggedIn, "the request is not signed by a session's key", hint: "log in: daypass login")
        }
        let proof = try RequestProof(signatureInput: input)
        let host = (request.head.authority ?? "").lowercased()
        guard names.contains(Self.hostName(host)) else {
            throw Problem(
                .notLoggedIn,
                "the request was made for \"\(host.escapedForTerminal)\", which is not this server",
                hint: "names of this server are listed in its configuration under names")
        }
        guard digest == RequestProof.contentDigest(body) else {
            throw Problem(.notLoggedIn, "Content-Digest: it is not the body's")
        }
        let base = proof.base(
            method: request.method.rawValue, authority: host, target: request.head.path ?? "",
            contentDigest: digest)
        do {
            let session = try authority.sessions.authenticate(
                proof.session, message: base, signature: try RequestProof.signature(header: header),
                created: proof.created, sequence: proof.sequence, at: authority.now)
            return Authenticated(session: session, body: body)
        } catch let refusal as SessionTable.Refusal {
            throw problem(refusal)
        }
    }

    /// Like ``authenticate(_:_:)``, for what only administrators may do.
    func authenticateAdministrator(
        _ request: Request, _ context: PlaneContext
    ) async throws -> Authenticated {
        let caller = try await authenticate(request, context)
        guard authority.isAdministrator(caller.session.person, from: context.sourceAddress) else {
            throw Problem(
                .denied,
                "only administrators may do this, and the policy does not count \(caller.session.person.identity) among them",
                hint: "they are named in the policy file under administrators")
        }
        return caller
    }

    private func problem(_ refusal: SessionTable.Refusal) -> Problem {
        switch refusal {
        case .notLoggedIn:
            Problem(
                .notLoggedIn,
                "there is no such session, it has ended, or the request is not signed by its key",
                hint: "log in: daypass login")
        case .stale:
            Problem(
                .staleProof, "the request's time is too far from the server's",
                hint: "set the clock", serverTime: Int64(clamping: authority.now.seconds) * 1_000)
        case .replayed:
            Problem(
                .replayedProof, "the request was made before", hint: "make it anew",
                serverTime: Int64(clamping: authority.now.seconds) * 1_000)
        }
    }

    // MARK: Bodies

    func body(_ request: Request, _ context: PlaneContext) async throws -> [UInt8] {
        var request = request
        let buffer: ByteBuffer
        do {
            buffer = try await request.collectBody(upTo: context.maxUploadSize)
        } catch {
            throw Problem(.tooLarge, "the body is over \(context.maxUploadSize) bytes, or ended early")
        }
        return Array(buffer.readableBytesView)
    }

    func json(_ body: [UInt8]) throws -> JSONValue {
        try JSONValue(parsing: body, maximumBytes: 64 << 10)
    }

    /// A host and port without the port.
    private static func hostName(_ authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        return String(authority.prefix { $0 != ":" })
    }
}

extension HTTPField.Name {
    static let signature = unsafe HTTPField.Name("Signature").unsafelyUnwrapped
    static let signatureInput = unsafe HTTPField.Name("Signature-Input").unsafelyUnwrapped
    static let contentDigest = unsafe HTTPField.Name("Content-Digest").unsafelyUnwrapped
}
