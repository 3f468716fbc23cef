// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Logging
import SSHWire
import Synchronization
import TransparencyLog

/// A clock that stands until it is told.
final class TestClock: Sendable {
    private let now: Mutex<UInt64>
    private let ticks = Mutex<UInt64>(0)

    init(_ seconds: UInt64 = 1_795_237_200) { now = Mutex(seconds * 1_000) }

    var milliseconds: UInt64 { now.withLock { $0 } }
    var seconds: UInt64 { milliseconds / 1_000 }
    func advance(seconds: UInt64) { now.withLock { $0 += seconds * 1_000 } }

    /// A number that no request has had, about now.
    func nextSequence() -> UInt64 {
        milliseconds * 1_000
            + ticks.withLock {
                $0 += 1; return $0
            }
    }
}

/// Stops whoever passes, once it is shut, until it is opened.
final class Gate: Sendable {
    private struct State {
        var isShut = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var arrivals: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func shut() { state.withLock { $0.isShut = true } }

    func open() {
        let waiting = state.withLock { state in
            state.isShut = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            let (mustWait, arrivals) = state.withLock { state in
                guard state.isShut else { return (false, [CheckedContinuation<Void, Never>]()) }
                state.waiting.append(continuation)
                defer { state.arrivals = [] }
                return (true, state.arrivals)
            }
            if !mustWait { continuation.resume() }
            for arrival in arrivals { arrival.resume() }
        }
    }

    /// Returns when somebody stands before it.
    func arrival() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if !state.waiting.isEmpty { return true }
                state.arrivals.append(continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

/// A ledger in memory that can be made to fail, and to wait.
final class TestLedger: Ledger, PublishedLog {
    let kept = InMemoryLedger()
    let gate = Gate()
    private let fails = Mutex(false)

    func fail(_ isFailing: Bool) { fails.withLock { $0 = isFailing } }

    func append(
        _ drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) -> [LedgerReceipt] {
        await gate.pass()
        guard !fails.withLock({ $0 }) else { throw CertAuthorityError(.storeFull, "no room on this disk") }
        return try await kept.append(drafts, at: milliseconds)
    }

    /// What the log says, in order.
    var events: [LogEntry.Event] {
        get async throws { try await kept.entries.map { try LogEntry(encoded: $0.span).event } }
    }

    func publishedCheckpoint() async throws(CertAuthorityError) -> [UInt8] { Array("test\n1\n".utf8) }
    func publishedTile(_ path: String) async throws(CertAuthorityError) -> [UInt8]? {
        path == "tile/0/000.p/1" ? [1, 2, 3] : nil
    }
    func publishedSize() async throws(CertAuthorityError) -> UInt64 { UInt64(await kept.entries.count) }
}

/// A directory in memory that can be made to fail, and to wait.
final class TestDirectory: Directory {
    let kept = InMemoryDirectory()
    let gate = Gate()
    private let fails = Mutex(false)

    func fail(_ isFailing: Bool) { fails.withLock { $0 = isFailing } }

    private func change() async throws(CertAuthorityError) {
        await gate.pass()
        guard !fails.withLock({ $0 }) else { throw CertAuthorityError(.storeFull, "no room on this disk") }
    }

    func enrolledKeys() async throws(CertAuthorityError) -> [EnrolledKey] { await kept.enrolledKeys() }
    func add(_ key: EnrolledKey) async throws(CertAuthorityError) {
        try await change()
        try await kept.add(key)
    }
    func removeKey(fingerprint: String) async throws(CertAuthorityError) {
        try await change()
        await kept.removeKey(fingerprint: fingerprint)
    }
    func apiKeys() async throws(CertAuthorityError) -> [APIKey] { await kept.apiKeys() }
    func add(_ key: APIKey) async throws(CertAuthorityError) {
        try await change()
        try await kept.add(key)
    }
    func removeAPIKey(id: String) async throws(CertAuthorityError) {
        try await change()
        await kept.removeAPIKey(id: id)
    }
    func hosts() async throws(CertAuthorityError) -> [ManagedHost] { await kept.hosts() }
    func set(_ host: ManagedHost) async throws(CertAuthorityError) {
        try await change()
        try await kept.set(host)
    }
    func removeHost(id: String) async throws(CertAuthorityError) {
        try await change()
        await kept.removeHost(id: id)
    }
    func sessions() async throws(CertAuthorityError) -> [LoginSession] { await kept.sessions() }
    func add(_ session: LoginSession) async throws(CertAuthorityError) {
        try await change()
        try await kept.add(session)
    }
    func removeSessions(_ ids: [String]) async throws(CertAuthorityError) {
        guard !ids.isEmpty else { return }
        try await change()
        await kept.removeSessions(ids)
    }
    func policyInForce() async throws(CertAuthorityError) -> [UInt8]? { await kept.policyInForce() }
    func setPolicyInForce(_ digest: [UInt8]) async throws(CertAuthorityError) {
        try await change()
        await kept.setPolicyInForce(digest)
    }
}

/// Signs with a key of its own, once it is let.
final class TestSigner: CertificateSigner {
    let gate = Gate()
    let key: PrivateKey
    private let state = Mutex((fails: false, signed: 0))

    init() throws { key = try PrivateKey.generate(.ed25519, comment: "") }

    var publicKey: PublicKey { key.publicKey }
    var signed: Int { state.withLock { $0.signed } }
    func fail(_ isFailing: Bool) { state.withLock { $0.fails = isFailing } }

    func sign(_ recorded: [RecordedIssuance]) async throws(CertAuthorityError) -> [Signature] {
        await gate.pass()
        guard !state.withLock({ $0.fails }) else { throw CertAuthorityError(.key, "the signer has gone") }
        state.withLock { $0.signed += recorded.count }
        return try GuardedKeySigner(key).sign(recorded.map(\.certificate.toBeSigned))
    }
}

/// Keeps every line that anything logs.
final class LogCapture: Sendable {
    private let kept = Mutex<[String]>([])

    var text: String { kept.withLock { $0.joined(separator: "\n") } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(capture: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let capture: LogCapture
        var logLevel: Logger.Level = .trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
            capture.kept.withLock { $0.append("\(event.level) \(event.message) \(all)") }
        }
    }
}
