// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Workloads that come by an API key.
extension AccessAuthority {
    /// What the secret of a key that isn't there is compared with. Nothing is known whose digest this is.
    private static let nobodysDigest = [UInt8](repeating: 0, count: 32)

    /// Logs a workload in by its API key.
    ///
    /// An id that isn't known and a wrong secret go the same way and get the same answer, so that neither tells which
    /// ids there are. Nothing is recorded of them: anybody can send such. What is refused although the secret is right
    /// is recorded, since it may have been stolen.
    ///
    /// - Parameters:
    ///   - text: ``APIKeyToken/text``.
    ///   - sessionKey: the key to bind the session to.
    public func logIn(
        byAPIKey text: String, sessionKey: PublicKey, from address: IPAddress?
    ) async throws(CertAuthorityError) -> LoginOutcome {
        guard let token = APIKeyToken(text) else {
            return .refused(
                LoginRefusal(
                    reason: "this is no API key: daypass_, 16 digits, _ and 43 characters expected",
                    hint: "use the line that daypass api-keys create printed, and nothing else"))
        }
        let found = state.withLock { $0.apiKeys[token.id] }
        let isRight = token.isSecret(of: found?.secretDigest ?? Self.nobodysDigest)
        guard isRight, let key = found else {
            return .refused(
                LoginRefusal(
                    reason: "the API key \(token.id) is not one of this authority, or was removed",
                    hint: "ask an administrator for a new one: daypass api-keys create"))
        }
        let now = now
        if let refusal = Self.refusal(of: key, from: address, at: now) {
            try await record(
                .login(
                    LoginRecord(
                        change: .refused, identity: key.identity, session: "",
                        provider: ExactText(Person.apiKeys),
                        keyFingerprint: ExactText(sessionKey.fingerprint),
                        sourceAddress: ExactText(address?.description ?? ""), expires: now,
                        reason: ExactText(refusal.reason)), requester: key.identity))
            return .refused(refusal)
        }
        let person = Person(
            identity: key.identity, provider: Person.apiKeys, subject: key.id, groups: key.groups,
            authenticatedAt: now)
        return try await start(person, by: .apiKey(key), sessionKey: sessionKey, from: address)
    }

    private static func refusal(of key: APIKey, from address: IPAddress?, at now: UnixTime) -> LoginRefusal? {
        if let expires = key.expires, now >= expires {
            return LoginRefusal(
                reason: "the API key \(key.name) expired at \(expires)",
                hint: "ask an administrator for a new one: daypass api-keys create")
        }
        guard key.isUsable(from: address) else {
            return LoginRefusal(
                reason: wrongAddress(key, address),
                hint:
                    "its source addresses are chosen when it is made: daypass api-keys create --source-address"
            )
        }
        return nil
    }

    private static func wrongAddress(_ key: APIKey, _ address: IPAddress?) -> String {
        "the API key \(key.name) may not be used from \(address?.description ?? "an unknown address")"
    }

    /// Why a session gets nothing from where it asks: whoever copies a workload's session key must not be better off
    /// than with its API key.
    func addressRefusal(_ session: LoginSession, from address: IPAddress?) -> String? {
        guard session.person.provider == Person.apiKeys,
            let key = state.withLock({ $0.apiKeys[session.person.subject] }), !key.isUsable(from: address)
        else { return nil }
        return Self.wrongAddress(key, address)
    }

    // MARK: What administrators change

    /// The API keys, by name.
    public var apiKeys: [APIKey] {
        state.withLock { Array($0.apiKeys.values) }.sorted { $0.name < $1.name }
    }

    /// Makes an API key. The token is the caller's to hand out: it is kept nowhere.
    ///
    /// - Parameter lifetime: after how many seconds it opens nothing any more; nil for never.
    /// - Throws: `.invalidRequest`; `.conflict` when there is one of this name, or there are ``APIKey/maximumCount``.
    public func createAPIKey(
        named name: String, groups: [String] = [], sourceAddresses: [AddressBlock] = [],
        lifetime: UInt64? = nil, by actor: Identity
    ) async throws(CertAuthorityError) -> (key: APIKey, token: APIKeyToken) {
        let token = APIKeyToken(randomBytes: issuer.randomBytes)
        let now = now
        let key = try APIKey(
            id: token.id, name: name, secretDigest: token.secretDigest, groups: groups,
            sourceAddresses: sourceAddresses, created: now,
            expires: lifetime.map { now.adding($0) ?? .forever })
        try await changes.run { () async throws(CertAuthorityError) in
            let (count, isTaken) = state.withLock { state in
                (state.apiKeys.count, state.apiKeys.values.contains { $0.name == name })
            }
            guard !isTaken else { throw .apiKeyIsThere(name) }
            guard count < APIKey.maximumCount else {
                throw CertAuthorityError(
                    .conflict, "there are \(count) API keys, and no more are kept",
                    hint: "remove those that are not used: daypass api-keys list")
            }
            try await record(change(key, isPresent: true, by: actor))
            try await directory.add(key)
            state.withLock { $0.apiKeys[key.id] = key }
        }
        return (key, token)
    }

    /// Lets an API key open nothing any more, and ends the sessions that it started; as ``removeKey(fingerprint:by:from:)``
    /// does with an enrolled key.
    ///
    /// - Throws: `.notFound` when there is no such key.
    public func removeAPIKey(
        _ id: String, by actor: Identity, from address: IPAddress?
    ) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            guard let key = state.withLock({ $0.apiKeys[id] }) else {
                throw CertAuthorityError(.notFound, "there is no API key \(id.escapedForTerminal)")
            }
            try await record(change(key, isPresent: false, by: actor))
            try await directory.removeAPIKey(id: id)
            // From here on no session is started by it (`start` looks under the same lock), and all that were are seen.
            state.withLock { $0.apiKeys[id] = nil }
            try await endAll(.apiKeyRemoved, by: actor, from: address, reason: "its API key was removed") {
                $0.credential == key.credential
            }
        }
    }

    private func change(_ key: APIKey, isPresent: Bool, by actor: Identity) -> LedgerDraft {
        let addresses = key.sourceAddresses.map { "from \($0)" }
        let end = key.expires.map { ["until \($0)"] } ?? []
        let parts = [key.id] + key.groups.map { "group \($0)" } + addresses + end
        return .change(
            ChangeRecord(
                subject: .apiKey, isPresent: isPresent, name: ExactText(key.name),
                detail: ExactText(parts.joined(separator: ", "))), requester: actor)
    }
}
