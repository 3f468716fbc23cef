// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import JWTKit
import SSHWire

/// A provider's metadata and keys: fetched when they are needed, kept for a while, and for longer when it is down.
actor KeySource {
    private let issuer: ProviderURL
    private let http: any HTTPFetching
    private let clock: @Sendable () -> UnixTime

    private var metadata: Kept<ProviderMetadata>?
    private var keySet: Kept<KeySet>?
    /// When each was asked for last, with or without success.
    private var metadataAskedAt: UnixTime?
    private var keysAskedAt: UnixTime?
    private var isAsking = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// How long a provider that is down is not asked again while there is something good to go on with, and keys are not
    /// because a token names one that is not known, in seconds: anybody can make up names.
    static let refetchPause: UInt64 = 30

    init(issuer: ProviderURL, http: any HTTPFetching, clock: @escaping @Sendable () -> UnixTime) {
        self.issuer = issuer
        self.http = http
        self.clock = clock
    }

    /// The provider's metadata.
    func currentMetadata() async throws(SignInError) -> ProviderMetadata {
        await takeTurn()
        defer { passTurn() }
        return try await freshMetadata()
    }

    /// What verifies a token with this header.
    ///
    /// - Throws: as ``KeySet/verifier(for:algorithm:)``, or `.unreachable` and `.provider` when there are no keys.
    func verifier(for header: TokenHeader, algorithm: TokenAlgorithm) async throws(SignInError)
        -> any JWTAlgorithm
    {
        // Nobody waits for a provider whose key is known: others' tokens may have made it be asked.
        if let keySet, keySet.isFresh(at: clock()),
            let verifier = try? keySet.value.verifier(for: header, algorithm: algorithm)
        {
            return verifier
        }
        // One asks and the others wait: they may need what it brings.
        await takeTurn()
        defer { passTurn() }
        let set = try await freshKeys()
        do {
            return try set.verifier(for: header, algorithm: algorithm)
        } catch {
            // The provider may have a new key since.
            guard error.code == .key, isPauseOver(since: keysAskedAt) else { throw error }
            return try await fetchKeys().verifier(for: header, algorithm: algorithm)
        }
    }

    private func isPauseOver(since asked: UnixTime?) -> Bool {
        guard let asked else { return true }
        let now = clock()
        return asked > now || now.seconds - asked.seconds >= Self.refetchPause
    }

    private func freshMetadata() async throws(SignInError) -> ProviderMetadata {
        if let metadata {
            if metadata.isFresh(at: clock()) { return metadata.value }
            if metadata.isGood(at: clock()), !isPauseOver(since: metadataAskedAt) { return metadata.value }
        }
        metadataAskedAt = clock()
        do {
            let url = try ProviderMetadata.url(of: issuer)
            let fetched = try ProviderMetadata(parsing: try await body(of: url), issuer: issuer)
            metadata = Kept(value: fetched, fetchedAt: clock())
            return fetched
        } catch {
            guard error.code == .unreachable, let metadata, metadata.isGood(at: clock()) else { throw error }
            return metadata.value
        }
    }

    private func freshKeys() async throws(SignInError) -> KeySet {
        if let keySet {
            if keySet.isFresh(at: clock()) { return keySet.value }
            // A provider that is down is not asked for every token.
            if keySet.isGood(at: clock()), !isPauseOver(since: keysAskedAt) { return keySet.value }
        }
        return try await fetchKeys()
    }

    private func fetchKeys() async throws(SignInError) -> KeySet {
        keysAskedAt = clock()
        do {
            let url = try await freshMetadata().keys
            let fetched = try await KeySet(parsing: try await body(of: url), from: url)
            keySet = Kept(value: fetched, fetchedAt: clock())
            return fetched
        } catch {
            guard error.code == .unreachable, let keySet, keySet.isGood(at: clock()) else { throw error }
            return keySet.value
        }
    }

    private func body(of url: ProviderURL) async throws(SignInError) -> [UInt8] {
        let reply = try await http.fetch(HTTPFetch(url))
        switch reply.status {
        case 200: return reply.body
        case 429, 500...: throw SignInError(.unreachable, "\(url): status \(reply.status)")
        case 300..<400:
            throw SignInError(.provider, "\(url): status \(reply.status): redirects are not followed")
        default: throw SignInError(.provider, "\(url): status \(reply.status)")
        }
    }

    private func takeTurn() async {
        while isAsking {
            await withCheckedContinuation { waiting.append($0) }
        }
        isAsking = true
    }

    private func passTurn() {
        isAsking = false
        if !waiting.isEmpty { waiting.removeFirst().resume() }
    }
}
