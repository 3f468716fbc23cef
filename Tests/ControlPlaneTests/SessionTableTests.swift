// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("Open sessions") struct SessionTableTests {
    private static let now = UnixTime(seconds: 1_795_237_200)
    private let key: PrivateKey
    private let session: LoginSession
    private let message = Array("GET /".utf8)

    init() throws {
        key = try PrivateKey.generate(.ed25519, comment: "")
        session = try Self.session("a", key.publicKey)
    }

    private static func session(
        _ id: String, _ key: PublicKey, expires: UnixTime = UnixTime(seconds: now.seconds + 3_600)
    ) throws -> LoginSession {
        LoginSession(
            id: id,
            person: Person(
                identity: try Identity("alice@example.com"), provider: "keys", subject: "s",
                authenticatedAt: now),
            key: key, credential: nil, sourceAddress: "", created: now, expires: expires)
    }

    private func table(_ sessions: [LoginSession]? = nil) -> SessionTable {
        SessionTable(sessions ?? [session], startedAt: 1_000)
    }

    private func ask(
        _ table: SessionTable, _ id: String = "a", created: Int64? = nil, sequence: UInt64? = nil,
        signature: [UInt8]? = nil, at now: UnixTime = now
    ) throws -> SessionTable.Refusal? {
        let here = Int64(Self.now.seconds)
        let signed = try signature ?? key.sign(message.span).blob
        do throws(SessionTable.Refusal) {
            _ = try table.authenticate(
                id, message: message, signature: signed, created: created ?? here,
                sequence: sequence ?? Self.now.seconds * 1_000_000, at: now)
            return nil
        } catch {
            return error
        }
    }

    @Test func whatTheSessionsKeySignedIsTakenOnce() throws {
        let table = table()
        #expect(try ask(table) == nil)
        #expect(try ask(table) == .replayed)
    }

    @Test func whatAnotherKeySignedIsNot() throws {
        let other = try PrivateKey.generate(.ed25519, comment: "")
        #expect(try ask(table(), signature: try other.sign(message.span).blob) == .notLoggedIn)
        for length in [0, 63, 65] {
            #expect(
                try ask(table(), signature: [UInt8](repeating: 0, count: length)) == .notLoggedIn)
        }
    }

    @Test func aRefusedSignatureSpendsNoNumber() throws {
        let table = table()
        #expect(try ask(table, signature: [UInt8](repeating: 0, count: 64)) == .notLoggedIn)
        #expect(try ask(table) == nil)
    }

    @Test func anUnknownSessionAndAWrongKeyAreToldAlike() throws {
        #expect(try ask(table(), "b") == .notLoggedIn)
    }

    @Test(arguments: [(-121, true), (-120, false), (120, false), (121, true)] as [(Int64, Bool)])
    func theClientsClockMayBeTwoMinutesOff(offset: Int64, isStale: Bool) throws {
        let created = Int64(Self.now.seconds) + offset
        #expect(try ask(table(), created: created) == (isStale ? .stale : nil))
    }

    @Test(arguments: [Int64.min, -1, 0, .max] as [Int64])
    func attack54_timesAtTheEdgesAreStale(created: Int64) throws {
        #expect(try ask(table(), created: created) == .stale)
    }

    @Test func attack54_aSequenceFarAheadIsStaleAndSpendsNothing() throws {
        let table = table()
        #expect(try ask(table, sequence: .max) == .stale)
        #expect(try ask(table) == nil)
    }

    @Test func attack54_aSessionAtTheEndOfTimeIsOpenAndHarmless() throws {
        let endless = try Self.session("a", key.publicKey, expires: UnixTime(seconds: .max))
        #expect(try ask(table([endless])) == nil)
        #expect(try ask(table([endless]), at: UnixTime(seconds: .max - 1)) == .stale)
    }

    @Test func anExpiredSessionOpensNothing() throws {
        let table = table()
        #expect(try ask(table, at: session.expires) == .ended(.expired))
        #expect(table.open(at: session.expires).isEmpty)
        #expect(table.session("a", at: session.expires) == nil)
        #expect(table.purge(at: session.expires) == ["a"])
        #expect(table.purge(at: session.expires).isEmpty)
        #expect(try ask(table) == .ended(.expired))
    }

    @Test func aClosedSessionOpensNothingAndIsStillKnownUntilItIsRemoved() throws {
        let table = table()
        table.close("a", .byAdministrator)
        table.close("a", .signedOut)
        #expect(try ask(table) == .ended(.byAdministrator))
        #expect(table.open(at: Self.now).isEmpty)
        #expect(!table.isOpen("a", at: Self.now))
        #expect(table.session("a", at: Self.now) != nil)
        table.remove("a")
        #expect(table.session("a", at: Self.now) == nil)
        #expect(try ask(table) == .ended(.byAdministrator))
    }

    @Test func whyASessionEndedIsToldToWhoeverHasItsKeyAlone() throws {
        let stranger = try PrivateKey.generate(.ed25519, comment: "").sign(message.span).blob
        let table = SessionTable(ended: [(session, .enrolledKeyRemoved)], startedAt: 0)
        #expect(try ask(table, signature: stranger) == .notLoggedIn)
        #expect(try ask(table) == .ended(.enrolledKeyRemoved))
        let closed = self.table()
        closed.close("a", .tooMany)
        #expect(try ask(closed, signature: stranger) == .notLoggedIn)
        #expect(try ask(closed) == .ended(.tooMany))
    }

    @Test func attack55_ofSessionsThatEndedTheLatestAreRememberedInBoundedMemory() throws {
        let table = SessionTable(startedAt: 0)
        let count = SessionTable.endedCapacity * 2
        for number in 0..<count {
            table.add(try Self.session("\(number)", key.publicKey))
            table.close("\(number)", .signedOut)
            table.remove("\(number)")
        }
        #expect(try ask(table, "\(count - 1)") == .ended(.signedOut))
        #expect(try ask(table, "0") == .notLoggedIn)
        var known = 0
        for number in stride(from: 0, to: count, by: 64) {
            known += try ask(table, "\(number)") == .notLoggedIn ? 0 : 1
        }
        #expect(known <= SessionTable.endedCapacity / 64)
    }

    @Test func whatMayHaveBeenSpentBeforeTheStartIsReplayed() throws {
        let table = SessionTable([session], startedAt: Self.now.seconds * 1_000)
        #expect(try ask(table, sequence: Self.now.seconds * 1_000_000) == .replayed)
        #expect(try ask(table, sequence: Self.now.seconds * 1_000_000 + 1) == nil)
    }
}
