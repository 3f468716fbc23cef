// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A directory that forgets everything when its process ends: for tests and measurements.
public actor InMemoryDirectory: Directory {
    private var keysByFingerprint: [String: EnrolledKey] = [:]
    private var hostsByID: [String: ManagedHost] = [:]
    private var sessionsByID: [String: LoginSession] = [:]

    public init() {}

    public func enrolledKeys() -> [EnrolledKey] { Array(keysByFingerprint.values) }

    public func add(_ key: EnrolledKey) throws(CertAuthorityError) {
        let fingerprint = key.key.fingerprint
        guard keysByFingerprint[fingerprint] == nil else {
            throw CertAuthorityError(.conflict, "key \(fingerprint) is enrolled already")
        }
        keysByFingerprint[fingerprint] = key
    }

    public func removeKey(fingerprint: String) { keysByFingerprint[fingerprint] = nil }

    public func hosts() -> [ManagedHost] { Array(hostsByID.values) }
    public func set(_ host: ManagedHost) { hostsByID[host.id] = host }
    public func removeHost(id: String) { hostsByID[id] = nil }

    public func sessions() -> [LoginSession] { Array(sessionsByID.values) }
    public func add(_ session: LoginSession) { sessionsByID[session.id] = session }
    public func removeSessions(_ ids: [String]) { for id in ids { sessionsByID[id] = nil } }
}
