// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// What administrators change. Whether somebody is one is the caller's to ask.
extension AccessAuthority {
    /// The keys that may log in, by identity.
    public var enrolledKeys: [EnrolledKey] {
        state.withLock { Array($0.keys.values) }.sorted {
            ($0.identity.text.string, $0.key.fingerprint) < ($1.identity.text.string, $1.key.fingerprint)
        }
    }

    /// Lets a key log in.
    ///
    /// - Throws: `.conflict` when it is enrolled already.
    public func enrol(_ key: EnrolledKey, by actor: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            if let other = state.withLock({ $0.keys[key.key] }) {
                throw CertAuthorityError(
                    .conflict, "key \(key.key.fingerprint) is enrolled already, for \(other.identity)",
                    hint: "a key is one person's: remove it first if it is to be another's")
            }
            try await record(
                .change(
                    ChangeRecord(
                        subject: .enrolledKey, isPresent: true, name: key.identity.text,
                        detail: ExactText(key.key.fingerprint)), requester: actor))
            try await directory.add(key)
            state.withLock { $0.keys[key.key] = key }
        }
    }

    /// Lets a key log in no more, and ends the sessions that it started.
    ///
    /// When it throws before the key is gone, nothing has changed. Of its sessions none opens anything once it is gone,
    /// also where their end could not be recorded: they then end for good when the process starts again.
    ///
    /// - Throws: `.notFound` when no such key is enrolled.
    public func removeKey(
        fingerprint: String, by actor: Identity, from address: IPAddress?
    ) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            let found = state.withLock { $0.keys.values.first { $0.key.fingerprint == fingerprint } }
            guard let key = found else {
                throw CertAuthorityError(.notFound, "no key \(fingerprint.escapedForTerminal) is enrolled")
            }
            try await record(
                .change(
                    ChangeRecord(
                        subject: .enrolledKey, isPresent: false, name: key.identity.text,
                        detail: ExactText(fingerprint)), requester: actor))
            try await directory.removeKey(fingerprint: fingerprint)
            // From here on no session is started by it (`start` looks under the same lock), and all that were are seen.
            state.withLock { $0.keys[key.key] = nil }
            let mine = sessions.open(at: now).filter { $0.credential == fingerprint }
            for session in mine { sessions.close(session.id) }
            for session in mine {
                try await end(session, by: actor, from: address, reason: "its key was removed")
            }
        }
    }

    /// The hosts, by id.
    public var hosts: [ManagedHost] {
        state.withLock { Array($0.hosts.values) }.sorted { $0.id < $1.id }
    }

    /// Adds a host, or changes the one with its id.
    ///
    /// - Throws: `.conflict` when another host has one of its names.
    public func set(_ host: ManagedHost, by actor: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            // Tried first, so that nothing is recorded that can't be.
            try state.withLock { state throws(CertAuthorityError) in
                var trial = state
                try trial.add(host)
            }
            let labels = host.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            try await record(
                .change(
                    ChangeRecord(
                        subject: .host, isPresent: true, name: ExactText(host.id),
                        detail: ExactText((host.names + labels).joined(separator: " "))), requester: actor))
            try await directory.set(host)
            try state.withLock { state throws(CertAuthorityError) in try state.add(host) }
        }
    }

    /// Forgets a host: no certificate is issued for it any more.
    ///
    /// - Throws: `.notFound`.
    public func removeHost(_ id: String, by actor: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            guard state.withLock({ $0.hosts[id] }) != nil else {
                throw CertAuthorityError(.notFound, "there is no host \(id.escapedForTerminal)")
            }
            try await record(
                .change(
                    ChangeRecord(subject: .host, isPresent: false, name: ExactText(id), detail: ""),
                    requester: actor))
            try await directory.removeHost(id: id)
            state.withLock { $0.remove(hostID: id) }
        }
    }
}
