// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Synchronization
import Testing

@testable import CertAuthority

@Suite("Issuing, end to end in memory")
struct IssuerTests {
    private func issuer(
        ledger: any Ledger = InMemoryLedger(), user: (any CertificateSigner)? = nil,
        host: (any CertificateSigner)? = nil, policy: IssuancePolicy = IssuancePolicy()
    ) -> Issuer {
        var signers: [CertificateKind: any CertificateSigner] = [:]
        signers[.user] = user
        signers[.host] = host
        let nonces = Mutex(UInt8(0))
        return Issuer(
            policy: policy, ledger: ledger, signers: signers, clock: { sampleNow.seconds * 1_000 + 5 },
            randomBytes: { count in
                nonces.withLock { number in
                    (0..<count).map { _ in
                        number &+= 1
                        return number
                    }
                }
            })
    }

    private func code(_ issuer: Issuer, _ requests: [IssuanceRequest]) async -> CertAuthorityError.Code? {
        do {
            _ = try await issuer.issue(requests)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func whatWasAskedForIsSignedAndStandsInTheLog() async throws {
        let ledger = InMemoryLedger()
        let signer = try HonestSigner(Sample.userAuthority)
        let issuer = issuer(ledger: ledger, user: signer)
        let request = try Sample.userRequest(["alice", "deploy"], lifetime: 3_600)
        let outcomes = try await issuer.issue([request])
        try #require(outcomes.count == 1)
        guard case .issued(let certificate, let index) = outcomes[0] else {
            Issue.record("refused")
            return
        }
        try certificate.verifySignature()
        let judge = CertificateJudge(authorities: [signer.publicKey])
        guard
            case .accepted = judge.judge(
                certificate, for: .login(principal: "deploy", address: nil), at: sampleNow)
        else {
            Issue.record("not accepted")
            return
        }
        let entry = try logEntry(await ledger.entries[Int(index)])
        guard case .issuance(let record) = entry.event else {
            Issue.record("not an issuance")
            return
        }
        #expect(record.toBeSigned == Array(certificate.signedBytes))
        #expect(entry.requester == request.requester)
        #expect(entry.milliseconds == sampleNow.seconds * 1_000 + 5)
    }

    @Test func attack14_aCertificateHoldsNothingThatWasNotAskedFor() async throws {
        let issuer = issuer(user: try HonestSigner(Sample.userAuthority))
        let request = try Sample.userRequest(["alice"], lifetime: 60)
        guard case .issued(let certificate, _) = try await issuer.issue([request])[0] else {
            Issue.record("refused")
            return
        }
        let fields = certificate.fields
        #expect(fields.key == request.key)
        #expect(fields.kind == .user)
        #expect(fields.principals == ["alice"])
        #expect(fields.keyID == ExactText("alice@example.com#\(fields.serial)"))
        #expect(fields.criticalOptions.isEmpty)
        #expect(fields.extensions == [.flag(.permitPTY)])
        #expect(fields.reserved.isEmpty)
        #expect(fields.nonce == Array(1...32))
        #expect(fields.signatureKey == (try Sample.userAuthority.publicKey))
        #expect(fields.validBefore.seconds == sampleNow.seconds + 60)
        // The requester is in the log, not on every host.
        let text = String(decoding: certificate.encoded, as: UTF8.self)
        #expect(!text.contains("operator"))
    }

    @Test func attack24_withoutAKeyForTheKindNothingIsIssuedOrRecorded() async throws {
        let ledger = InMemoryLedger()
        #expect(await code(issuer(ledger: ledger), [try Sample.userRequest()]) == .key)
        let signer = CountingSigner(try HonestSigner(Sample.userAuthority))
        let onlyUser = issuer(ledger: ledger, user: signer)
        #expect(await code(onlyUser, [try Sample.userRequest(), try Sample.hostRequest()]) == .key)
        #expect(await ledger.entries.isEmpty)
        #expect(signer.messages.isEmpty)
        #expect(await code(onlyUser, [try Sample.userRequest()]) == nil)
    }

    @Test func attack43_whatPolicyRefusesReachesNoSigner() async throws {
        let ledger = InMemoryLedger()
        let signer = CountingSigner(try HonestSigner(Sample.userAuthority))
        let issuer = issuer(ledger: ledger, user: signer)
        let outcomes = try await issuer.issue([
            try Sample.userRequest(lifetime: 86_401), try Sample.userRequest(lifetime: 86_400),
            try Sample.userRequest(validFrom: .always),
        ])
        let refused = outcomes.map { if case .refused = $0 { true } else { false } }
        #expect(refused == [true, false, true])
        #expect(signer.messages.count == 1)
        let events = try await ledger.entries.map { try logEntry($0).event }
        guard case .refusal(let record) = events[0], case .issuance(let issuance) = events[1],
            case .refusal = events[2]
        else {
            Issue.record("\(events)")
            return
        }
        #expect(record.reasons.count == 1)
        #expect(record.keyFingerprint.string == (try Sample.subjectKey.fingerprint))
        #expect(signer.messages == [issuance.toBeSigned])
    }

    @Test func attack43_aSignerThatFailsLeavesARecordAndNoCertificate() async throws {
        let ledger = InMemoryLedger()
        let failing = LyingSigner(honest: try HonestSigner(Sample.userAuthority)) {
            _ throws(CertAuthorityError) in throw CertAuthorityError(.key, "the key is gone")
        }
        #expect(await code(issuer(ledger: ledger, user: failing), [try Sample.userRequest()]) == .key)
        let entries = await ledger.entries
        #expect(entries.count == 1)
        guard case .issuance(let lost) = try logEntry(entries[0]).event else {
            Issue.record("not an issuance")
            return
        }
        // The serial is spent.
        let honest = issuer(ledger: ledger, user: try HonestSigner(Sample.userAuthority))
        guard case .issued(let certificate, _) = try await honest.issue([try Sample.userRequest()])[0] else {
            Issue.record("refused")
            return
        }
        #expect(certificate.fields.serial != lost.fields.serial)
    }

    @Test func attack44_withoutADurableRecordNothingIsSigned() async throws {
        let signer = CountingSigner(try HonestSigner(Sample.userAuthority))
        let issuer = issuer(ledger: FailingLedger(), user: signer)
        #expect(await code(issuer, [try Sample.userRequest()]) == .storeFull)
        #expect(signer.messages.isEmpty)
    }

    @Test func attack44_aLedgerThatForgetsAnEntryGetsNothingSigned() async throws {
        let signer = CountingSigner(try HonestSigner(Sample.userAuthority))
        let ledger = LyingLedger { Array($0.dropLast()) }
        let issuer = issuer(ledger: ledger, user: signer)
        #expect(await code(issuer, [try Sample.userRequest(), try Sample.userRequest()]) == .logInconsistent)
        #expect(signer.messages.isEmpty)
    }

    @Test func attack07_aLedgerThatHandsBackSomethingElseGetsNothingSigned() async throws {
        let alice = try Sample.userRequest(["alice"])
        let bob = try Sample.userRequest(["bob"])
        let refused = try Sample.userRequest(lifetime: 86_401)
        let other = try await InMemoryLedger().append(
            [
                .revocation(
                    try RevocationRecord(target: .key(try Sample.subjectKey), expires: nil, reason: "x"),
                    requester: try Identity("x"))
            ], at: 0)
        let changes: [@Sendable ([LedgerReceipt]) -> [LedgerReceipt]] = [
            { $0.reversed() }, { [$0[0], $0[0], $0[2]] }, { [$0[1], $0[2], $0[0]] },
            { $0.dropLast() + other },
            { other + $0.dropFirst() },
        ]
        for change in changes {
            let signer = CountingSigner(try HonestSigner(Sample.userAuthority))
            let issuer = issuer(ledger: LyingLedger(change: change), user: signer)
            #expect(await code(issuer, [alice, bob, refused]) == .logInconsistent)
            #expect(signer.messages.isEmpty)
        }
        let truthful = issuer(
            ledger: LyingLedger(change: { $0 }), user: try HonestSigner(Sample.userAuthority))
        #expect(await code(truthful, [alice, bob, refused]) == nil)
    }

    @Test func attack07_aSignatureTooFewOrTooManyIsRefused() async throws {
        let honest = try HonestSigner(Sample.userAuthority)
        let changes: [@Sendable ([Signature]) -> [Signature]] = [
            { Array($0.dropLast()) }, { $0 + $0.suffix(1) }, { _ in [] },
        ]
        for change in changes {
            let liar = LyingSigner(honest: honest) { messages throws(CertAuthorityError) in
                change(try honest.sign(messages))
            }
            let requests = [try Sample.userRequest(), try Sample.userRequest()]
            #expect(await code(issuer(user: liar), requests) == .signerMismatch)
        }
    }

    @Test func attack07_aSignatureOverOtherBytesIsRefused() async throws {
        let honest = try HonestSigner(Sample.userAuthority)
        let liar = LyingSigner(honest: honest) { messages throws(CertAuthorityError) in
            try honest.sign(messages.map { $0.dropLast() + [0] })
        }
        #expect(await code(issuer(user: liar), [try Sample.userRequest()]) == .signerMismatch)
        // In another's place: each signature is good, none is for its certificate.
        let shuffler = LyingSigner(honest: honest) { messages throws(CertAuthorityError) in
            try honest.sign(messages).reversed()
        }
        let requests = [try Sample.userRequest(), try Sample.userRequest()]
        #expect(await code(issuer(user: shuffler), requests) == .signerMismatch)
        let truthful = LyingSigner(honest: honest) { messages throws(CertAuthorityError) in
            try honest.sign(messages)
        }
        #expect(await code(issuer(user: truthful), requests) == nil)
    }

    @Test func attack07_aSignatureByAnotherKeyIsRefused() async throws {
        let other = try HonestSigner(Sample.hostAuthority)
        let liar = LyingSigner(honest: try HonestSigner(Sample.userAuthority)) {
            messages throws(CertAuthorityError) in try other.sign(messages)
        }
        #expect(await code(issuer(user: liar), [try Sample.userRequest()]) == .signerMismatch)
    }

    @Test(arguments: [SignatureAlgorithm.ecdsaP256, .rsaSHA512, .skEd25519])
    func attack07_aSignatureOfAnotherAlgorithmIsRefused(algorithm: SignatureAlgorithm) async throws {
        let liar = LyingSigner(honest: try HonestSigner(Sample.userAuthority)) {
            messages throws(CertAuthorityError) in
            messages.map { _ in Signature(algorithm, blob: [UInt8](repeating: 1, count: 64)) }
        }
        #expect(await code(issuer(user: liar), [try Sample.userRequest()]) == .signerMismatch)
    }

    @Test func attack61_noCertificateHasSerialZero() async throws {
        let issuer = Issuer(
            policy: IssuancePolicy(), ledger: InMemoryLedger(),
            signers: [.user: try HonestSigner(Sample.userAuthority)], clock: { 0 },
            randomBytes: { [UInt8](repeating: 0, count: $0) })
        let outcomes = try await issuer.issue([try Sample.userRequest(), try Sample.userRequest()])
        var serials: [UInt64] = []
        for case .issued(let certificate, _) in outcomes { serials.append(certificate.fields.serial) }
        #expect(serials == [1, 2])
    }

    @Test func usersAndHostsOfOneCallAreSignedEachByTheirKeyInOrder() async throws {
        let user = CountingSigner(try HonestSigner(Sample.userAuthority))
        let host = CountingSigner(try HonestSigner(Sample.hostAuthority))
        let requests = [
            try Sample.userRequest(), try Sample.userRequest(), try Sample.hostRequest(),
            try Sample.userRequest(lifetime: 86_401), try Sample.userRequest(),
        ]
        let outcomes = try await issuer(user: user, host: host).issue(requests)
        var kinds: [CertificateKind?] = []
        for outcome in outcomes {
            if case .issued(let certificate, let index) = outcome {
                #expect(index == UInt64(kinds.count))
                kinds.append(certificate.fields.kind)
                let authority = certificate.fields.kind == .user ? user.publicKey : host.publicKey
                #expect(certificate.fields.signatureKey == authority)
                try certificate.verifySignature()
            } else {
                kinds.append(nil)
            }
        }
        #expect(kinds == [.user, .user, .host, nil, .user])
        #expect(user.messages.count == 3)
        #expect(host.messages.count == 1)
    }

    @Test func noRequestIsNoCertificate() async throws {
        let outcomes = try await issuer(user: try HonestSigner(Sample.userAuthority)).issue([])
        #expect(outcomes.isEmpty)
    }

    @Test func noncesAndSerialsDifferWithinACall() async throws {
        let requests = try (0..<7).map { _ in try Sample.userRequest() }
        let outcomes = try await issuer(user: try HonestSigner(Sample.userAuthority)).issue(requests)
        var nonces: Set<[UInt8]> = []
        var serials: Set<UInt64> = []
        for case .issued(let certificate, _) in outcomes {
            nonces.insert(certificate.fields.nonce)
            serials.insert(certificate.fields.serial)
        }
        #expect(nonces.count == 7)
        #expect(serials.count == 7)
    }
}
