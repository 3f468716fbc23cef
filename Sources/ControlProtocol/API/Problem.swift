// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Why a request was not fulfilled: problem details (RFC 9457) with a stable code.
public struct Problem: Error, Sendable, Hashable {
    /// What went wrong, for programs. New codes may be added; each goes with one HTTP status.
    public enum Code: String, Sendable, CaseIterable {
        /// The request's form is not what the API document says.
        case invalidRequest = "invalid-request"
        /// There is no such thing, or the caller may not know of it.
        case notFound = "not-found"
        /// The path is there, the method isn't.
        case methodNotAllowed = "method-not-allowed"
        /// The body is larger than this endpoint reads.
        case tooLarge = "too-large"
        /// The body is not JSON.
        case unsupportedMediaType = "unsupported-media-type"
        /// There is no session that is known, or the proof of its key is not right.
        case notLoggedIn = "not-logged-in"
        /// The session is over; `sessionEnd` says why. Told to whoever has its key.
        case sessionEnded = "session-ended"
        /// The proof was made too long ago or too far ahead; `serverTime` says what the time is here.
        case staleProof = "stale-proof"
        /// The proof was used before.
        case replayedProof = "replayed-proof"
        /// Whoever asks could not prove who they are.
        case loginRefused = "login-refused"
        /// The login has not been completed yet; ask again.
        case loginPending = "login-pending"
        /// Policy says no.
        case denied = "denied"
        /// Policy would say yes to somebody who has logged in again.
        case needsLogin = "needs-login"
        /// Policy would say yes once somebody approves.
        case needsApproval = "needs-approval"
        /// It is there already, or was changed meanwhile.
        case conflict = "conflict"
        /// The caller asks more often than it may.
        case tooManyRequests = "too-many-requests"
        /// Nothing can be recorded, so nothing is issued.
        case storeUnavailable = "store-unavailable"
        /// The signer is not there.
        case signerUnavailable = "signer-unavailable"
        /// An identity provider does not answer, or lies.
        case providerUnavailable = "provider-unavailable"
        /// The host's agent is not connected, or does not answer.
        case hostUnavailable = "host-unavailable"
        /// Something else went wrong; the server's log says what, under the request's id.
        case internalError = "internal-error"

        /// The HTTP status.
        public var status: Int {
            switch self {
            case .invalidRequest: 400
            case .notLoggedIn, .sessionEnded, .staleProof, .replayedProof, .loginRefused: 401
            case .denied, .needsApproval, .needsLogin: 403
            case .notFound: 404
            case .methodNotAllowed: 405
            case .loginPending: 202
            case .conflict: 409
            case .tooLarge: 413
            case .unsupportedMediaType: 415
            case .tooManyRequests: 429
            case .internalError: 500
            case .storeUnavailable, .signerUnavailable: 503
            case .providerUnavailable, .hostUnavailable: 502
            }
        }
    }

    public var code: Code
    /// What happened and why, one line.
    public var detail: String
    /// What to do next.
    public var hint: String?
    /// What decided, one line each, where policy did.
    public var reasons: [String]
    /// The request's id in the server's log.
    public var requestID: String?
    /// Milliseconds since 1970 by the server's clock, where a proof was stale.
    public var serverTime: Int64?
    /// Why the session is over, a word of ``/CertAuthority/SessionEnd``; where it is.
    public var sessionEnd: String?
    /// Seconds to wait before the next try, as the `Retry-After` header has them.
    public var retryAfter: Int64?

    /// The most bytes of a problem that a client reads.
    public static let maximumBytes = 64 << 10
    public static let mediaType = "application/problem+json"

    public init(
        _ code: Code, _ detail: String, hint: String? = nil, reasons: [String] = [], requestID: String? = nil,
        serverTime: Int64? = nil, sessionEnd: String? = nil, retryAfter: Int64? = nil
    ) {
        self.code = code
        self.detail = detail
        self.hint = hint
        self.reasons = reasons
        self.requestID = requestID
        self.serverTime = serverTime
        self.sessionEnd = sessionEnd
        self.retryAfter = retryAfter
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("type", "urn:daypass:problem:\(code.rawValue)")
        members.add("title", code.rawValue.replacing("-", with: " "))
        members.add("status", Int64(code.status))
        members.add("code", code.rawValue)
        members.add("detail", detail)
        members.add("hint", hint)
        if !reasons.isEmpty { members.add("reasons", .array(reasons.map(JSONValue.string))) }
        members.add("requestID", requestID)
        members.add("serverTime", serverTime)
        members.add("sessionEnd", sessionEnd)
        members.add("retryAfter", retryAfter)
        return members.value
    }

    /// Reads what a server sent; codes that are not known yet are ``Code/internalError``.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        let value = try JSONValue(parsing: bytes, maximumBytes: Self.maximumBytes)
        guard let code = value["code"]?.string, let detail = value["detail"]?.string else {
            throw ControlProtocolError(.missing, "problem: code and detail expected")
        }
        self.init(
            Code(rawValue: code) ?? .internalError, detail, hint: value["hint"]?.string,
            reasons: value["reasons"]?.array?.compactMap(\.string) ?? [],
            requestID: value["requestID"]?.string, serverTime: value["serverTime"]?.number,
            sessionEnd: value["sessionEnd"]?.string, retryAfter: value["retryAfter"]?.number)
    }
}
