// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("What the signer signs") struct SigningTests {
    /// A log in memory.
    private struct Entries: RecordedEntries {
        let entries: [[UInt8]]

        func recordedEntries(at indexes: [UInt64]) throws(CertAuthorityError) -> [[UInt8]] {
            var found: [[UInt8]] = []
            for index in indexes {
                guard let place = Int(exactly: index), entries.indices.contains(place) else {
                    throw CertAuthorityError(.logInconsistent, "there is no entry \(index)")
                }
                found.append(entries[place])
            }
            return found
        }
    }

    private func code(_ desk: SigningDesk, _ indexes: [UInt64], at now: UnixTime) -> CertAuthorityError.Code?
    {
        do throws(CertAuthorityError) {
            _ = try desk.sign(indexes, at: now)
            return nil
        } catch {
            return error.code
        }
    }

    /// A log with one decision and one issuance at its end, and where they are.
    private func recorded() async throws -> (parts: TestAuthority, entries: Entries, last: UInt64) {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        _ = try await parts.authority.issue(parts.wish(), for: session.session, from: nil)
        let entries = await parts.ledger.kept.entries
        return (parts, Entries(entries: entries), UInt64(entries.count - 1))
    }

    @Test func itSignsWhatIsRecorded() async throws {
        let (parts, entries, last) = try await recorded()
        let desk = SigningDesk(
            entries: entries, signers: [GuardedKeySigner(parts.signer.key)], policy: IssuancePolicy())
        let signatures = try desk.sign([last, last], at: parts.authority.now)
        #expect(signatures.count == 2)
        let entry = entries.entries[Int(last)]
        let event = try LogEntry(encoded: entry.span).event
        guard case .issuance(let certificate) = event else {
            Issue.record("no issuance")
            return
        }
        let signed = certificate.toBeSigned
        try parts.signer.publicKey.verify(signatures[0], over: signed.span)
    }

    @Test func attack43_whatIsNoIssuanceIsNotSigned() async throws {
        let (parts, entries, last) = try await recorded()
        let desk = SigningDesk(
            entries: entries, signers: [GuardedKeySigner(parts.signer.key)], policy: IssuancePolicy())
        for index in 0..<last { #expect(code(desk, [index], at: parts.authority.now) == .logInconsistent) }
        for index in [last + 1, .max] {
            #expect(code(desk, [last, index], at: parts.authority.now) == .logInconsistent)
        }
    }

    @Test func anotherAuthoritysCertificateIsNotSigned() async throws {
        let (parts, entries, last) = try await recorded()
        let other = GuardedKeySigner(try PrivateKey.generate(.ed25519, comment: ""))
        let desk = SigningDesk(entries: entries, signers: [other], policy: IssuancePolicy())
        #expect(code(desk, [last], at: parts.authority.now) == .key)
    }

    @Test func whatIsOutsideTheCAsBoundsIsNotSigned() async throws {
        let (parts, entries, last) = try await recorded()
        var narrow = IssuancePolicy()
        narrow.user = IssuancePolicy.Bounds(defaultLifetime: 60, maximumLifetime: 60)
        let signer = GuardedKeySigner(parts.signer.key)
        #expect(
            code(
                SigningDesk(entries: entries, signers: [signer], policy: narrow), [last],
                at: parts.authority.now)
                == .invalidRequest)
        // What has expired is not signed either, so an old entry is worth nothing.
        let desk = SigningDesk(entries: entries, signers: [signer], policy: IssuancePolicy())
        #expect(
            code(desk, [last], at: UnixTime(seconds: parts.clock.seconds + 3_600)) == .invalidRequest)
        #expect(code(desk, [last], at: UnixTime(seconds: .max)) == .invalidRequest)
    }

    @Test func anOrderIsBounded() async throws {
        let (parts, entries, last) = try await recorded()
        let desk = SigningDesk(
            entries: entries, signers: [GuardedKeySigner(parts.signer.key)], policy: IssuancePolicy())
        let most = [UInt64](repeating: last, count: SigningDesk.maximumOrder)
        #expect(code(desk, most, at: parts.authority.now) == nil)
        #expect(code(desk, most + [last], at: parts.authority.now) == .invalidRequest)
        #expect(code(desk, [], at: parts.authority.now) == nil)
    }

    @Test func anOrderComesBackAsItWas() throws {
        for indexes in [[], [0], [1, 2, .max]] as [[UInt64]] {
            let order = SigningOrder(number: .max, indexes: indexes)
            let frame = order.frame
            #expect(frame.prefix(4).reduce(0) { $0 << 8 | Int($1) } == frame.count - 4)
            let body = Array(frame.dropFirst(4))
            #expect(try SigningOrder(body: body.span) == order)
            for count in 0..<body.count where count < 8 || (count - 8) % 8 != 0 {
                let prefix = Array(body.prefix(count))
                #expect(throws: SSHWireError.self) { try SigningOrder(body: prefix.span) }
            }
        }
        let most = [UInt8](repeating: 0, count: 8 + 8 * (SigningDesk.maximumOrder + 1))
        #expect(throws: SSHWireError(.tooLong, "")) { try SigningOrder(body: most.span) }
    }

    @Test func anAnswerComesBackAsItWas() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let signature = try key.sign(Array("x".utf8).span)
        for signatures in [[], [signature], [signature, signature]] {
            let answer = SigningAnswer(number: 7, result: .success(signatures))
            let body = Array(answer.frame.dropFirst(4))
            #expect(try SigningAnswer(body: body.span) == answer)
            for count in 0..<body.count {
                let prefix = Array(body.prefix(count))
                guard let parsed = try? SigningAnswer(body: prefix.span) else { continue }
                #expect(parsed != answer)
            }
        }
        let refusal = SigningAnswer(
            number: 7, result: .failure(CertAuthorityError(.key, "no \u{1b}[2J key")))
        guard
            case .failure(let error) = try SigningAnswer(body: Array(refusal.frame.dropFirst(4)).span).result
        else {
            Issue.record("no failure")
            return
        }
        #expect(error.code == .key && !error.reason.unicodeScalars.contains("\u{1b}"))
    }
}
