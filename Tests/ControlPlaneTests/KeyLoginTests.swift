// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Logging in by an enrolled key") struct KeyLoginTests {
    private func reason(_ outcome: AccessAuthority.LoginOutcome) -> String? {
        guard case .refused(let refusal) = outcome else { return nil }
        return refusal.reason
    }

    @Test func anEnrolledKeyStartsASessionThatIsRecordedAndKept() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        guard case .started(let session) = try await parts.logIn(key) else {
            Issue.record("refused")
            return
        }
        #expect(session.person.identity.description == "alice@example.com")
        #expect(session.credential == key.publicKey.fingerprint)
        #expect(await parts.directory.kept.sessions() == [session])
        #expect(parts.authority.sessions.open(at: parts.authority.now) == [session])
        guard case .login(let record)? = try await parts.ledger.events.last else {
            Issue.record("no record")
            return
        }
        #expect(record.change == .started && record.session.string == session.id)
    }

    @Test func aKeyThatIsNotEnrolledIsRefusedAndRecorded() async throws {
        let parts = try await TestAuthority()
        let outcome = try await parts.logIn(try PrivateKey.generate(.ed25519, comment: ""))
        #expect(reason(outcome)?.contains("not enrolled") == true)
        guard case .login(let record)? = try await parts.ledger.events.last else {
            Issue.record("no record")
            return
        }
        #expect(record.change == .refused)
    }

    @Test func attack42_aChallengeIsGoodForOneLogin() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        let challenge = parts.authority.challenges.issue(at: parts.authority.now).challenge
        #expect(reason(try await parts.logIn(key, challenge: challenge)) == nil)
        let size = await parts.ledger.kept.entries.count
        #expect(reason(try await parts.logIn(key, challenge: challenge))?.contains("challenge") == true)
        // Nothing is recorded of what anybody can send.
        #expect(await parts.ledger.kept.entries.count == size)
    }

    @Test func attack42_aChallengeThatFailedIsSpentToo() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        let challenge = parts.authority.challenges.issue(at: parts.authority.now).challenge
        #expect(reason(try await parts.logIn(key, challenge: challenge, namespace: "file")) != nil)
        #expect(reason(try await parts.logIn(key, challenge: challenge)) != nil)
    }

    @Test func attack42_aSignatureForAnotherAuthorityIsRefused() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        #expect(reason(try await parts.logIn(key, origin: "evil.example")) != nil)
        #expect(reason(try await parts.logIn(key, origin: "test.example")) == nil)
    }

    @Test func attack42_aSignatureForAnotherSessionKeyIsRefused() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        let mine = try PrivateKey.generate(.ed25519, comment: "")
        let thiefs = try PrivateKey.generate(.ed25519, comment: "")
        let stolen = try await parts.logIn(key, signedSessionKey: mine.publicKey, sessionKey: thiefs)
        #expect(reason(stolen) != nil)
    }

    @Test(arguments: ["file", "git", "login.daypas", "login.daypass2"])
    func attack42_aSignatureForAnotherPurposeIsRefused(namespace: String) async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        #expect(reason(try await parts.logIn(key, namespace: namespace))?.contains("namespace") == true)
    }

    @Test func attack25_aKeyThatDidNotSignDoesNotLogIn() async throws {
        let parts = try await TestAuthority()
        let alice = try await parts.enrolled()
        let mallory = try PrivateKey.generate(.ed25519, comment: "")
        let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
        let challenge = parts.authority.challenges.issue(at: parts.authority.now).challenge
        let message = LoginChallenge.message(
            challenge: challenge, origin: "test.example", sessionKey: sessionKey.publicKey)
        let honest = try SSHSignature.sign(
            message, namespace: "login.daypass", signer: .key(mallory.publicKey)
        ) { (bytes, algorithm) throws(SSHWireError) in try mallory.sign(bytes, with: algorithm) }
        // Mallory's signature with alice's key in it.
        let forged = honest.encoded.replacing(mallory.publicKey.encoded, with: alice.publicKey.encoded)
        let outcome = try await parts.authority.logIn(
            by: try SSHSignature(encoded: forged), over: message, namespace: "login.daypass",
            challenge: challenge, sessionKey: sessionKey.publicKey, from: nil)
        #expect(reason(outcome) != nil)
        #expect(parts.authority.sessions.open(at: parts.authority.now).isEmpty)
    }

    @Test func attack25_aCertificateIsNoLoginKey() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        let session = try await parts.session()
        let wish = try AccessWish(host: "web1", login: "deploy", key: key.publicKey)
        guard
            case .issued(let certificate, _, _, _) = try await parts.authority.issue(
                wish, for: session.session, from: nil)
        else {
            Issue.record("not issued")
            return
        }
        let outcome = try await parts.logIn(key, signer: .certificate(certificate))
        #expect(reason(outcome)?.contains("certificate") == true)
    }

    @Test func aSessionsKeyIsEd25519() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        let outcome = try await parts.logIn(
            key, sessionKey: try PrivateKey.generate(.ecdsaP256, comment: ""))
        #expect(reason(outcome)?.contains("Ed25519") == true)
    }

    /// A security key that signs without being touched proves nothing about who is there.
    @Test(arguments: [(UInt8(0x01), true), (0x05, true), (0x00, false), (0x04, false)] as [(UInt8, Bool)])
    func aSecurityKeyMustHaveBeenTouched(flags: UInt8, isTaken: Bool) async throws {
        let parts = try await TestAuthority()
        let token = try SecurityKey()
        try await parts.authority.enrol(
            try EnrolledKey(
                key: token.publicKey, identity: try Identity("alice@example.com"), added: parts.authority.now
            ), by: try Identity("setup"))
        let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
        let challenge = parts.authority.challenges.issue(at: parts.authority.now).challenge
        let message = LoginChallenge.message(
            challenge: challenge, origin: "test.example", sessionKey: sessionKey.publicKey)
        let outcome = try await parts.authority.logIn(
            by: try token.signature(of: message, namespace: "login.daypass", flags: flags), over: message,
            namespace: "login.daypass", challenge: challenge, sessionKey: sessionKey.publicKey, from: nil)
        #expect((reason(outcome) == nil) == isTaken, "\(reason(outcome) ?? "")")
    }

    @Test func theOldestSessionsOfAPersonWithTooManyEnd() async throws {
        var limits = AccessAuthority.Limits()
        limits.sessionsPerPerson = 3
        let parts = try await TestAuthority(limits: limits)
        var ids: [String] = []
        for _ in 0..<5 {
            parts.clock.advance(seconds: 1)
            ids.append(try await parts.session().session.id)
        }
        #expect(parts.authority.sessions.open(at: parts.authority.now).map(\.id) == Array(ids.suffix(3)))
        #expect(Set(await parts.directory.kept.sessions().map(\.id)) == Set(ids.suffix(3)))
    }

    @Test func sessionsThatExpiredAreForgottenEverywhere() async throws {
        let parts = try await TestAuthority()
        _ = try await parts.session()
        parts.clock.advance(seconds: 13 * 3_600)
        let new = try await parts.session()
        #expect(await parts.directory.kept.sessions().map(\.id) == [new.session.id])
    }
}

/// An Ed25519 security key in software, which does what PROTOCOL.u2f says.
private struct SecurityKey {
    let publicKey: PublicKey
    private let secret: [UInt8]

    init() throws {
        var point = [UInt8](repeating: 0, count: 32)
        var secret = [UInt8](repeating: 0, count: 64)
        _ = unsafe crypto_sign_keypair(&point, &secret)
        var writer = WireWriter()
        writer.writeString("sk-ssh-ed25519@openssh.com")
        writer.writeString(point)
        writer.writeString("ssh:")
        publicKey = try PublicKey(encoded: writer.bytes)
        self.secret = secret
    }

    func signature(of message: [UInt8], namespace: String, flags: UInt8) throws -> SSHSignature {
        var data = WireWriter()
        for byte in "SSHSIG".utf8 { data.write(byte) }
        data.writeString(namespace)
        data.writeString("")
        data.writeString("sha512")
        data.writeString(SSHSignature.HashAlgorithm.sha512.digest(message.span))
        let signed = Digest.sha256(Array("ssh:".utf8)) + [flags, 0, 0, 0, 7] + Digest.sha256(data.bytes)
        var raw = [UInt8](repeating: 0, count: 64)
        _ = unsafe crypto_sign_detached(&raw, nil, signed, UInt64(signed.count), secret)
        var inner = WireWriter()
        inner.writeString("sk-ssh-ed25519@openssh.com")
        inner.writeString(raw)
        inner.write(flags)
        inner.write(UInt32(7))
        var blob = WireWriter()
        for byte in "SSHSIG".utf8 { blob.write(byte) }
        blob.write(UInt32(1))
        blob.writeString(publicKey.encoded)
        blob.writeString(namespace)
        blob.writeString("")
        blob.writeString("sha512")
        blob.writeString(inner.bytes)
        return try SSHSignature(encoded: blob.bytes)
    }
}
