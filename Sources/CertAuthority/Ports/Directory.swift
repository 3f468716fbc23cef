// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Where the control plane keeps who may log in, who has, and which hosts there are.
///
/// Every change is durable when the call returns, or has not happened; it is made or not made whole also when the
/// calling task is cancelled meanwhile. What it means is decided elsewhere. Every implementation passes one conformance
/// suite. Text is kept and compared byte by byte.
public protocol Directory: Sendable {
    func enrolledKeys() async throws(CertAuthorityError) -> [EnrolledKey]
    /// Adds a key.
    ///
    /// - Throws: `.conflict` when somebody has it.
    func add(_ key: EnrolledKey) async throws(CertAuthorityError)
    /// Takes the key with this fingerprint away; nothing happens when there is none.
    func removeKey(fingerprint: String) async throws(CertAuthorityError)

    func apiKeys() async throws(CertAuthorityError) -> [APIKey]
    /// Adds an API key.
    ///
    /// - Throws: `.conflict` when there is one of its id or its name.
    func add(_ key: APIKey) async throws(CertAuthorityError)
    /// Takes the API key with this id away; nothing happens when there is none.
    func removeAPIKey(id: String) async throws(CertAuthorityError)

    func hosts() async throws(CertAuthorityError) -> [ManagedHost]
    /// Adds a host or puts it in the place of the one with its id.
    ///
    /// - Throws: `.conflict` when one of its names, or its id, is a name or the id of another.
    func set(_ host: ManagedHost) async throws(CertAuthorityError)
    func removeHost(id: String) async throws(CertAuthorityError)

    /// The sessions that have not been removed, expired ones among them.
    func sessions() async throws(CertAuthorityError) -> [LoginSession]
    /// Adds a session.
    ///
    /// - Throws: `.conflict` when there is one of its id, what ``LoginSession/checkStorable()`` throws.
    func add(_ session: LoginSession) async throws(CertAuthorityError)
    /// Takes sessions away, all of them or none; ids that there aren't do no harm.
    func removeSessions(_ ids: [String]) async throws(CertAuthorityError)

    /// The digest of the policy that was put in force last; nil before the first.
    func policyInForce() async throws(CertAuthorityError) -> [UInt8]?
    func setPolicyInForce(_ digest: [UInt8]) async throws(CertAuthorityError)
}

extension LoginSession {
    /// The deepest claims that a directory keeps, in mappings and lists within each other: four times what the
    /// reader of requests takes, and far from what a JSON reader refuses when the directory is read again.
    public static let maximumClaimDepth = 64

    /// Refuses what not every store can keep as it is, before it is kept as something else: NUL ends a text for SQLite,
    /// and PostgreSQL takes none.
    ///
    /// - Throws: `.invalidRequest`.
    public func checkStorable() throws(CertAuthorityError) {
        let texts = [
            ("id", id), ("provider", person.provider), ("subject", person.subject),
            ("email", person.email ?? ""), ("credential", credential ?? ""), ("source", sourceAddress),
        ]
        for (field, text) in texts where text.utf8.contains(0) {
            throw CertAuthorityError(.invalidRequest, "session: \(field): NUL is not allowed")
        }
        guard person.claims.isAtMost(Self.maximumClaimDepth) else {
            throw CertAuthorityError(
                .invalidRequest, "session: claims: nested deeper than \(Self.maximumClaimDepth)")
        }
    }
}

extension Claim {
    /// Whether lists and mappings lie at most `depth` deep within each other.
    fileprivate func isAtMost(_ depth: Int) -> Bool {
        switch self {
        case .null, .bool, .number, .text: true
        case .list(let claims): depth > 0 && claims.allSatisfy { $0.isAtMost(depth - 1) }
        case .mapping(let claims): depth > 0 && claims.values.allSatisfy { $0.isAtMost(depth - 1) }
        }
    }
}
