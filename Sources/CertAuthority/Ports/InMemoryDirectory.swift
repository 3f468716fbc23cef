// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A directory that forgets everything when its process ends: for tests and trials.
public actor InMemoryDirectory: Directory {
    private var keys: [String: EnrolledKey] = [:]
    private var programs: [String: APIKey] = [:]
    private var known: [String: ManagedHost] = [:]
    private var started: [ExactText: LoginSession] = [:]
    private var policy: [UInt8]?

    public init() {}

    public func enrolledKeys() -> [EnrolledKey] { Array(keys.values) }

    public func add(_ key: EnrolledKey) throws(CertAuthorityError) {
        let fingerprint = key.key.fingerprint
        guard keys[fingerprint] == nil else { throw .keyIsEnrolled(fingerprint) }
        keys[fingerprint] = key
    }

    public func removeKey(fingerprint: String) { keys[fingerprint] = nil }

    public func apiKeys() -> [APIKey] { Array(programs.values) }

    public func add(_ key: APIKey) throws(CertAuthorityError) {
        guard programs[key.id] == nil, !programs.values.contains(where: { $0.name == key.name }) else {
            throw .apiKeyIsThere(key.name)
        }
        programs[key.id] = key
    }

    public func removeAPIKey(id: String) { programs[id] = nil }

    public func hosts() -> [ManagedHost] { Array(known.values) }

    public func set(_ host: ManagedHost) throws(CertAuthorityError) {
        let names = Set(host.names + [host.id])
        for other in known.values where other.id != host.id {
            guard names.isDisjoint(with: other.names + [other.id]) else {
                throw .hostNameIsTaken(host.id, by: other.id)
            }
        }
        known[host.id] = host
    }

    public func removeHost(id: String) { known[id] = nil }

    public func sessions() -> [LoginSession] { Array(started.values) }

    public func add(_ session: LoginSession) throws(CertAuthorityError) {
        try session.checkStorable()
        let id = ExactText(session.id)
        guard started[id] == nil else { throw .sessionIsThere }
        started[id] = session
    }

    public func removeSessions(_ ids: [String]) {
        for id in ids { started[ExactText(id)] = nil }
    }

    public func policyInForce() -> [UInt8]? { policy }
    public func setPolicyInForce(_ digest: [UInt8]) { policy = digest }
}

/// What every directory says of a conflict.
extension CertAuthorityError {
    public static func keyIsEnrolled(_ fingerprint: String) -> CertAuthorityError {
        CertAuthorityError(.conflict, "key \(fingerprint) is enrolled already")
    }

    public static func apiKeyIsThere(_ name: String) -> CertAuthorityError {
        CertAuthorityError(
            .conflict, "there is an API key \(name) already",
            hint: "remove it first, or give the new one another name and the same groups")
    }

    public static func hostNameIsTaken(_ id: String, by other: String) -> CertAuthorityError {
        CertAuthorityError(
            .conflict, "host \(id): one of its names is a name of the host \(other) already",
            hint: "one name leads to one host: take it from the other first")
    }

    public static var sessionIsThere: CertAuthorityError {
        CertAuthorityError(.conflict, "there is a session of this id already")
    }
}
