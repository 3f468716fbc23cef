// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

extension AccessAuthority {
    /// Why somebody is not let in: for the log. The caller is told less.
    public struct LoginRefusal: Error, Sendable {
        /// One line.
        public let reason: String
        /// What to do next.
        public let hint: String?
    }

    /// What became of a login.
    public enum LoginOutcome: Sendable {
        case started(LoginSession)
        case refused(LoginRefusal)
    }

    /// Logs somebody in by an enrolled key.
    ///
    /// - Parameters:
    ///   - signature: an SSHSIG signature of `message`, which names `challenge`, the authority and `sessionKey`.
    ///   - namespace: the signature's.
    ///   - sessionKey: the key to bind the session to.
    public func logIn(
        by signature: SSHSignature, over message: [UInt8], namespace: ExactText, challenge: String,
        sessionKey: PublicKey, from address: IPAddress?
    ) async throws(CertAuthorityError) -> LoginOutcome {
        let now = now
        guard challenges.redeem(challenge, at: now) else {
            // Nothing is recorded: anybody can send texts that were never handed out.
            return .refused(
                LoginRefusal(
                    reason: "the challenge was used, is too old or was never given out", hint: "log in again")
            )
        }
        guard case .key(let key) = signature.signer else {
            return .refused(
                LoginRefusal(
                    reason: "the login is signed by a certificate, an enrolled key is needed",
                    hint: "name the plain key with --key"))
        }
        do {
            try signature.verify(message, namespace: namespace)
        } catch {
            return .refused(LoginRefusal(reason: error.reason, hint: nil))
        }
        // Only a key whose signature was verified is looked up: to offer one is nothing.
        guard let enrolled = state.withLock({ $0.keys[key] }) else {
            try await record(
                .login(
                    LoginRecord(
                        change: .refused, identity: try Identity("unknown"), session: "",
                        provider: ExactText(Person.enrolledKeys), keyFingerprint: ExactText(key.fingerprint),
                        sourceAddress: ExactText(address?.description ?? ""), expires: now,
                        reason: "the key is not enrolled"), requester: try Identity("unknown")))
            return .refused(
                LoginRefusal(
                    reason: "the key \(key.fingerprint) is not enrolled here",
                    hint: "ask an administrator to run: daypass keys add --identity YOU KEY.pub"))
        }
        let person = Person(
            identity: enrolled.identity, provider: Person.enrolledKeys, subject: key.fingerprint,
            email: enrolled.email, groups: enrolled.groups, authenticatedAt: now)
        return try await start(person, by: .enrolledKey(key), sessionKey: sessionKey, from: address)
    }

    /// Starts a session for somebody who has proved who they are.
    ///
    /// - Parameter proof: what proved it. By a key that is kept here the session is started only if the key is there to
    ///   the end; it is not open for longer than an API key.
    public func start(
        _ person: Person, by proof: LoginCredential, sessionKey: PublicKey, from address: IPAddress?
    ) async throws(CertAuthorityError) -> LoginOutcome {
        guard sessionKey.keyType == .ed25519 else {
            return .refused(
                LoginRefusal(
                    reason: "session key: \(sessionKey.keyType.rawValue), Ed25519 is needed", hint: nil))
        }
        let now = now
        try await directory.removeSessions(sessions.purge(at: now))
        let session = LoginSession(
            id: newSessionID(), person: person, key: sessionKey, credential: proof.credential,
            sourceAddress: address?.description ?? "", created: now,
            expires: min(now.adding(limits.sessionLifetime) ?? now, proof.end))
        try await record(
            .login(
                loginRecord(session, .started, from: address, reason: proof.reason),
                requester: person.identity))
        try await directory.add(session)
        // In one step: whoever removes the key afterwards finds the session.
        let isStarted = state.withLock { state in
            guard state.has(proof) else { return false }
            sessions.add(session)
            return true
        }
        guard isStarted else {
            try await end(
                session, proof.removal, by: person.identity, from: address, reason: "its key was removed")
            return .refused(
                LoginRefusal(reason: "the key was removed meanwhile", hint: "ask an administrator"))
        }
        try await endSurplus(of: person.identity, from: address)
        return .started(session)
    }

    /// Tells the log that somebody who was signed in did not let a terminal in: by saying so, or by wrong codes.
    ///
    /// - Parameters:
    ///   - signIn: whose source is where the terminal is.
    ///   - browser: where they were.
    public func recordRefusal(
        _ signIn: PageSignIn, _ person: Person, _ reason: String, browser: IPAddress?
    ) async throws(CertAuthorityError) {
        try await record(
            .login(
                LoginRecord(
                    change: .refused, identity: person.identity, session: "",
                    provider: ExactText(person.provider),
                    keyFingerprint: ExactText(signIn.sessionKey.fingerprint),
                    sourceAddress: ExactText(signIn.source?.description ?? ""), expires: now,
                    reason: ExactText(
                        "\(reason), in a browser at \(browser?.description ?? "an unknown address")")
                ), requester: person.identity))
    }

    /// Ends the oldest sessions of a person who has too many.
    private func endSurplus(of identity: Identity, from address: IPAddress?) async throws(CertAuthorityError)
    {
        let count = sessions.open(at: now).count { $0.person.identity == identity }
        guard count > limits.sessionsPerPerson else { return }
        try await changes.run { () async throws(CertAuthorityError) in
            let mine = sessions.open(at: now).filter { $0.person.identity == identity }
            for old in mine.prefix(max(0, mine.count - limits.sessionsPerPerson)) {
                try await end(old, .tooMany, by: identity, from: address, reason: "too many sessions")
            }
        }
    }

    /// Ends a session of one's own, or anybody's for an administrator.
    ///
    /// It opens nothing from the first moment on. When its end could not be recorded this can be called again.
    ///
    /// - Throws: `.notFound` when there is none, or it is somebody else's: whose is not told.
    public func endSession(
        _ id: String, by actor: LoginSession, isAdministrator: Bool, from address: IPAddress?, reason: String
    ) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            guard let session = sessions.session(id, at: now),
                isAdministrator || session.person.identity == actor.person.identity
            else { throw CertAuthorityError(.notFound, "there is no session \(id.escapedForTerminal)") }
            let isOwn = session.person.identity == actor.person.identity
            try await end(
                session, isOwn ? .signedOut : .byAdministrator, by: actor.person.identity, from: address,
                reason: reason)
        }
    }

    /// Ends all sessions of somebody.
    public func endSessions(
        of identity: Identity, by actor: Identity, from address: IPAddress?, reason: String
    ) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            try await endAll(.byAdministrator, by: actor, from: address, reason: reason) {
                $0.person.identity == identity
            }
        }
    }

    /// Ends every session that `isMeant`: called within ``changes``. None opens anything from the first moment on.
    func endAll(
        _ why: SessionEnd, by actor: Identity, from address: IPAddress?, reason: String,
        where isMeant: (LoginSession) -> Bool
    ) async throws(CertAuthorityError) {
        let meant = sessions.open(at: now).filter(isMeant)
        for session in meant { sessions.close(session.id, why) }
        for session in meant { try await end(session, why, by: actor, from: address, reason: reason) }
    }

    /// Ends a session: called within ``changes``, so that each end is recorded once.
    ///
    /// - Parameter why: what its owner is told.
    func end(
        _ session: LoginSession, _ why: SessionEnd, by actor: Identity, from address: IPAddress?,
        reason: String
    ) async throws(CertAuthorityError) {
        // From here on it opens nothing, also if what follows fails.
        sessions.close(session.id, why)
        try await record(
            .login(loginRecord(session, .ended, from: address, reason: reason), requester: actor))
        try await directory.removeSessions([session.id])
        sessions.remove(session.id)
    }

    func loginRecord(
        _ session: LoginSession, _ change: LoginRecord.Change, from address: IPAddress?, reason: String
    ) -> LoginRecord {
        LoginRecord(
            change: change, identity: session.person.identity, session: ExactText(session.id),
            provider: ExactText(session.person.provider), keyFingerprint: ExactText(session.key.fingerprint),
            sourceAddress: ExactText(address?.description ?? ""), expires: session.expires,
            reason: ExactText(reason))
    }
}
