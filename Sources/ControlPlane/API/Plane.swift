// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import ControlProtocol
import HTTPTypes
public import Hummingbird
import NIOCore
import SSHWire

/// The control plane's HTTP API: reads requests, asks the authority, writes answers. It decides nothing.
public final class Plane: Sendable {
    let authority: AccessAuthority
    let log: any PublishedLog
    let hub: TunnelHub
    /// Nil where hosts are not told what they are to have.
    let delivery: FleetDelivery?
    let alerts: AlertCenter
    let chains: ChainReader
    let info: ServerInfo
    let metrics: PlaneMetrics
    /// Host names, without port, by which clients may call the server, in lower case. A proof made for another server
    /// is not taken here.
    let names: Set<String>
    let limits: RequestLimits
    /// How browsers reach this server, where it listens on a port; without a slash at the end.
    let publicURL: @Sendable (_ port: Int) -> String
    let remembered = IdempotencyTable()
    private let document: String

    /// - Parameters:
    ///   - log: what is public of the log.
    ///   - hub: the hosts' tunnels.
    ///   - alerts: what somebody should look at.
    ///   - chains: puts stories together out of the log.
    ///   - info: what `GET /v1/server` says.
    ///   - limits: who may ask how often.
    ///   - publicURL: how browsers reach the server, where it listens on a port.
    ///   - delivery: brings hosts what they are to have; nil where they are told nothing.
    public init(
        authority: AccessAuthority, log: any PublishedLog, hub: TunnelHub, alerts: AlertCenter,
        chains: ChainReader, info: ServerInfo, names: [String], limits: RequestLimits,
        metrics: PlaneMetrics = PlaneMetrics(), delivery: FleetDelivery? = nil,
        publicURL: @escaping @Sendable (_ port: Int) -> String
    ) {
        self.authority = authority
        self.log = log
        self.hub = hub
        self.delivery = delivery
        self.alerts = alerts
        self.chains = chains
        self.info = info
        self.names = Set(names.map { $0.lowercased() })
        self.limits = limits
        self.metrics = metrics
        self.publicURL = publicURL
        document = OpenAPIDocument.text(version: info.version)
    }

    /// All routes.
    public func router() -> Router<PlaneContext> {
        let router = Router(context: PlaneContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware(metrics: metrics, limits: limits))
        addHealth(router)
        router.get("openapi.json") { [document] _, _ in Response(jsonText: document) }
        addLog(router)
        addPages(router)
        let v1 = router.group("v1")
        v1.get("server") { [info] _, _ in Response(json: info.json) }
        addLogin(v1)
        addSignIn(v1)
        addPageSignIn(v1)
        addSessions(v1)
        addCertificates(v1)
        addDirectory(v1)
        addAPIKeys(v1)
        addIdentities(v1)
        addFleet(v1)
        addWitnesses(v1)
        addFleetTrust(v1)
        addPrincipals(v1)
        addRequests(v1)
        addReviews(v1)
        addHostAccess(v1)
        addAlerts(v1)
        return router
    }

    // MARK: Who asks

    /// A request whose session's key signed it, with its body.
    struct Authenticated {
        let session: LoginSession
        let body: [UInt8]
        /// The body's, as `Content-Digest` has it.
        let digest: String
    }

    /// Checks the proof (``/ControlProtocol/RequestProof``) over the request and its whole body, and counts the request:
    /// for whoever made it, or else for the address that it came from.
    func authenticate(_ request: Request, _ context: PlaneContext) async throws -> Authenticated {
        let body = try await self.body(request, context)
        let caller: Authenticated
        do {
            caller = try proven(request, body)
        } catch {
            try limits.count(context.sourceAddress)
            throw error
        }
        try limits.count(caller.session.person.identity)
        return caller
    }

    private func proven(_ request: Request, _ body: [UInt8]) throws -> Authenticated {
        let fields = request.headers
        guard let input = fields.value(of: .signatureInput), let header = fields.value(of: .signature),
            let digest = fields.value(of: .contentDigest)
        else {
            throw Problem(
                .notLoggedIn, "the request is not signed by a session's key", hint: "log in: daypass login")
        }
        let proof = try RequestProof(signatureInput: input)
        let host = (request.head.authority ?? "").lowercased()
        guard isOwnName(host) else {
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
            return Authenticated(session: session, body: body, digest: digest)
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
                "there is no such session, or the request is not signed by its key",
                hint: "log in: daypass login")
        case .ended(let end):
            Problem(
                .sessionEnded, "your session is over: \(end.reason)", hint: end.hint,
                sessionEnd: end.rawValue)
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

    /// Whether a request's `Host`, or `:authority`, is a name of this server.
    func isOwnName(_ authority: String) -> Bool { names.contains(Self.hostName(authority.lowercased())) }

    // MARK: Bodies

    /// The whole body, as far as the operation takes one.
    ///
    /// - Parameter type: what its Content-Type must be.
    func body(
        _ request: Request, _ context: PlaneContext, type wanted: String = Operation.jsonMediaType
    ) async throws -> [UInt8] {
        let operation = context.endpointPath.flatMap { Operation.find(request.method, $0) }
        let maximum = operation?.maximumBodyBytes ?? 0
        var request = request
        let buffer: ByteBuffer
        do {
            buffer = try await request.collectBody(upTo: maximum)
        } catch is NIOTooManyBytesError {
            throw Problem(
                .tooLarge,
                maximum > 0 ? "the body is over \(maximum) bytes" : "no body is expected here")
        } catch {
            throw Problem(.invalidRequest, "the body can't be read to its end")
        }
        guard buffer.readableBytes > 0 else { return [] }
        guard let type = request.headers.value(of: .contentType),
            type == wanted || Self.mediaType(type) == wanted[...]
        else {
            throw Problem(.unsupportedMediaType, "the body's Content-Type is not \(wanted)")
        }
        return Array(buffer.readableBytesView)
    }

    func json(_ body: [UInt8]) throws -> JSONValue {
        try JSONValue(parsing: body, maximumBytes: Operation.maximumBodyBytes)
    }

    /// The answer to a request that may come with an `Idempotency-Key`.
    func remember(
        _ request: Request, of caller: Authenticated, make: () async throws -> Answer
    ) async throws -> Response {
        guard let key = request.headers.value(of: .idempotencyKey) else { return Response(try await make()) }
        guard (1...64).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Problem(.invalidRequest, "Idempotency-Key: 1 to 64 visible ASCII characters expected")
        }
        let answer = try await remembered.answer(
            to: .init(session: caller.session.id, key: key), of: caller.session.person.identity,
            request: "\(request.method.rawValue) \(request.head.path ?? "") \(caller.digest)",
            at: authority.now, make: make)
        return Response(answer)
    }

    /// A media type without its parameters, in lower case.
    private static func mediaType(_ header: String) -> Substring? {
        header.split(separator: ";").first?.lowercased().trimmingSpaces
    }

    /// A host and port without the port.
    private static func hostName(_ authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        return String(authority.prefix { $0 != ":" })
    }
}

extension HTTPFields {
    /// A field's value; several of one name are one, joined by commas (RFC 9110, section 5.3).
    ///
    /// What the subscript gives, which makes a new text of a single one too.
    func value(of name: HTTPField.Name) -> String? {
        let values = self[values: name]
        return values.count == 1 ? values[0] : self[name]
    }
}

extension HTTPField.Name {
    static let signature = unsafe HTTPField.Name("Signature").unsafelyUnwrapped
    static let signatureInput = unsafe HTTPField.Name("Signature-Input").unsafelyUnwrapped
    static let idempotencyKey = unsafe HTTPField.Name("Idempotency-Key").unsafelyUnwrapped
    static let contentDigest = unsafe HTTPField.Name("Content-Digest").unsafelyUnwrapped
}

extension String {
    /// Without spaces and tabs at both ends.
    fileprivate var trimmingSpaces: Substring {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let last = lastIndex(where: { !isSpace($0) }) else { return "" }
        return self[...last].drop(while: isSpace)
    }
}
