// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// What administrators change. Whether somebody is one is the caller's to ask.
extension AccessAuthority {
    /// How many Unicode scalars of an owner's name an entry of the log has: four bytes each at most.
    private static let maximumOwnerScalars = 1_024

    /// The keys that may log in, by identity.
    public var enrolledKeys: [EnrolledKey] {
        state.withLock { Array($0.keys.values) }.sorted {
            ($0.identity.text.string, $0.key.fingerprint) < ($1.identity.text.string, $1.key.fingerprint)
        }
    }

    /// Lets a key log in.
    ///
    /// - Throws: `.conflict` when it is enrolled already; `.invalidRequest` for an identity of API keys.
    public func enrol(_ key: EnrolledKey, by actor: Identity) async throws(CertAuthorityError) {
        guard !key.identity.text.string.hasPrefix(APIKey.identityPrefix) else {
            throw CertAuthorityError(
                .invalidRequest, "identity \"\(key.identity)\": \(APIKey.identityPrefix) is for API keys",
                hint: "daypass api-keys create makes one")
        }
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
            reconsiderGrants()
            try await endAll(.enrolledKeyRemoved, by: actor, from: address, reason: "its key was removed") {
                $0.credential == fingerprint
            }
        }
    }

    /// Whose each identity is, by identity.
    public func identityBindings() async throws(CertAuthorityError) -> [IdentityBinding] {
        try await bindings.bindings().sorted { $0.identity.text < $1.identity.text }
    }

    /// Lets another account have an identity, and ends the sessions that its owner has by it.
    ///
    /// - Throws: `.notFound` when it is nobody's.
    public func freeIdentity(
        _ identity: Identity, by actor: Identity, from address: IPAddress?
    ) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            let found = try await bindings.bindings().first { $0.identity == identity }
            guard let binding = found else {
                throw CertAuthorityError(
                    .notFound, "the identity \"\(identity.text.string.escapedForTerminal)\" is nobody's",
                    hint: "daypass identities list shows those that belong to somebody")
            }
            // A provider's text: a log entry takes no NUL, and not any length.
            let owner = "\(binding.provider) \(binding.subject)".escapedForTerminal
            try await record(
                .change(
                    ChangeRecord(
                        subject: .identityBinding, isPresent: false, name: identity.text,
                        detail: ExactText(String(owner.unicodeScalars.prefix(Self.maximumOwnerScalars)))),
                    requester: actor))
            _ = try await bindings.free(identity)
            try await endAll(.identityFreed, by: actor, from: address, reason: "its identity was freed") {
                $0.person.identity == identity && $0.person.provider == binding.provider
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
            // What the most names and labels make is longer than an entry's detail may be.
            let labels = host.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            try await record(
                .change(
                    ChangeRecord(
                        subject: .host, isPresent: true, name: ExactText(host.id),
                        detail: ExactText(
                            String(
                                (host.names + labels).joined(separator: " ").unicodeScalars.prefix(
                                    ChangeRecord.maximumDetailBytes)))), requester: actor))
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
