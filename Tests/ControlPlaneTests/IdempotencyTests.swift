// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization
import Testing

@testable import ControlPlane

@Suite("Requests that come twice") struct IdempotencyTests {
    @Test func theSameRequestGetsTheSameCertificate() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let body = try Sample.wish()
            func ask(_ key: String?, _ body: JSONValue, by session: TestSession) async throws -> TestAnswer {
                try await plane.send(
                    TestRequest("POST", "/v1/certificates", body, by: session, idempotencyKey: key))
            }
            let first = try await ask("k1", body, by: session)
            let second = try await ask("k1", body, by: session)
            #expect(first.status == 201 && second.status == 201 && first.body == second.body)
            #expect(plane.parts.signer.signed == 1)
            let other = try await ask("k1", try Sample.wish(), by: session)
            #expect(other.status == 409 && other.code == "conflict")
            #expect(try await ask("k2", body, by: session).body != first.body)
            #expect(try await ask(nil, body, by: session).body != first.body)
            // The key is one session's.
            let another = try await plane.parts.session()
            #expect(try await ask("k1", body, by: another).body != first.body)
            plane.parts.clock.advance(seconds: 601)
            #expect(try await ask("k1", body, by: session).body != first.body)
        }
    }

    @Test(arguments: ["", " ", "a b", "ä", String(repeating: "k", count: 65)])
    func whatIsNoKeyIsInvalid(key: String) async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let answer = try await plane.send(
                TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session, idempotencyKey: key))
            #expect(answer.status == 400)
        }
    }

    @Test func twoAtATimeMakeOne() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let body = try Sample.wish()
            plane.parts.signer.gate.shut()
            async let first = plane.send(
                TestRequest("POST", "/v1/certificates", body, by: session, idempotencyKey: "k"))
            await plane.parts.signer.gate.arrival()
            async let second = plane.send(
                TestRequest("POST", "/v1/certificates", body, by: session, idempotencyKey: "k"))
            plane.parts.signer.gate.open()
            let answers = try await (first, second)
            #expect(answers.0.status == 201 && answers.0.body == answers.1.body)
            #expect(plane.parts.signer.signed == 1)
        }
    }

    @Test func aFailureIsNotRemembered() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let body = try Sample.wish()
            let request = TestRequest("POST", "/v1/certificates", body, by: session, idempotencyKey: "k")
            plane.parts.signer.fail(true)
            #expect(try await plane.send(request).status == 503)
            plane.parts.signer.fail(false)
            #expect(try await plane.send(request).status == 201)
        }
    }

    @Test func enrollingAKeyTwiceByOneRequestIsNoConflict() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let body = try Sample.enrolledKey()
            for _ in 0..<2 {
                let answer = try await plane.send(
                    TestRequest("POST", "/v1/keys", body, by: admin, idempotencyKey: "k"))
                #expect(answer.status == 201)
            }
            #expect(plane.authority.enrolledKeys.count == 1)
        }
    }

    @Test func itsMemoryIsBounded() async throws {
        let table = IdempotencyTable()
        let now = UnixTime(seconds: 1_000)
        func ask(_ number: Int, _ identity: Identity, at now: UnixTime) async throws {
            _ = try await table.answer(
                to: .init(session: "s", key: "\(number)"), of: identity, request: "r", at: now
            ) { Answer(json: .null) }
        }
        let alice = try Identity("alice")
        for number in 0..<2 * IdempotencyTable.perIdentity { try await ask(number, alice, at: now) }
        #expect(table.count == IdempotencyTable.perIdentity)
        for person in 0..<40 {
            let identity = try Identity("p\(person)")
            for number in 0..<IdempotencyTable.perIdentity { try await ask(number, identity, at: now) }
        }
        #expect(table.count <= IdempotencyTable.capacity)
        // What is too old makes room.
        try await ask(0, try Identity("late"), at: UnixTime(seconds: 1_601))
        #expect(table.count == 1)
    }
}

@Suite("How often somebody may ask") struct LimitTests {
    private let limit = RateLimit(perSecond: 2, burst: 5)

    @Test func aBurstIsTakenAndThenSoManyASecond() {
        let buckets = Buckets<String>(limit, capacity: 10)
        for _ in 0..<5 { #expect(buckets.take(1, from: "a", at: 1_000) == nil) }
        #expect(buckets.take(1, from: "a", at: 1_000) == 1)
        #expect(buckets.take(1, from: "b", at: 1_000) == nil, "others have their own")
        #expect(buckets.take(1, from: "a", at: 1_499) == 1)
        #expect(buckets.take(1, from: "a", at: 1_500) == nil)
        #expect(buckets.take(5, from: "a", at: 1_500) == 3)
        #expect(buckets.take(5, from: "a", at: 4_000) == nil)
        #expect(buckets.take(1, from: "a", at: 0) == 1, "a clock that goes back gives nothing")
    }

    @Test func attack54_noTimeOverflows() {
        let buckets = Buckets<String>(RateLimit(perSecond: 1_000_000, burst: 1_000_000), capacity: 1)
        for time in [0, 1_000, UInt64.max] {
            #expect(buckets.take(1_000_000, from: "a", at: time) == nil)
            #expect(buckets.take(1_000_000, from: "a", at: time) != nil)
        }
        #expect(buckets.take(.max, from: "a", at: .max) != nil)
    }

    /// In any run of calls no key gets more than its burst and its rate.
    @Test(arguments: UInt64(1)...10) func nobodyGetsMoreThanTheirShare(seed: UInt64) {
        var random = SplitMix(state: seed)
        let buckets = Buckets<UInt64>(limit, capacity: 100)
        var now: UInt64 = 0
        var taken: [UInt64: Int] = [:]
        for _ in 0..<5_000 {
            now += random.next() % 50
            let key = random.next() % 3
            if buckets.take(1, from: key, at: now) == nil { taken[key, default: 0] += 1 }
        }
        for count in taken.values { #expect(count <= 5 + Int(now) * 2 / 1_000 + 1) }
        #expect(taken.count == 3)
    }

    @Test func attack55_manyAddressesTakeBoundedMemoryAndNoneIsLetThroughForIt() {
        let buckets = Buckets<Int>(limit, capacity: 100)
        for key in 0..<100 { _ = buckets.take(5, from: key, at: 0) }
        var passed = 0
        for key in 100..<10_000 where buckets.take(1, from: key, at: 0) == nil { passed += 1 }
        #expect(buckets.count <= 100 && passed == 5, "those without room share one bucket")
        #expect(buckets.take(1, from: 500, at: 60_000) == nil, "full buckets are forgotten")
    }

    @Test func attack55_aFullTableIsGoneThroughOnceASecondAndNotForEachStranger() {
        let buckets = Buckets<Int>(limit, capacity: 10)
        for key in 0..<10 { _ = buckets.take(1, from: key, at: 0) }
        // Half a second later all of them are full again.
        #expect(buckets.take(1, from: 100, at: 100) == nil && buckets.count == 10)
        #expect(buckets.take(1, from: 101, at: 1_099) == nil && buckets.count == 10)
        #expect(buckets.take(1, from: 102, at: 1_100) == nil && buckets.count == 1)
    }

    @Test func onesOwnRequestsAreCountedByIdentity() async throws {
        let limits = ServerConfiguration.Limits.with {
            $0.perIdentity = 1
            $0.perIdentityBurst = 3
        }
        try await TestPlane.with(limits) { plane in
            let (one, two) = (try await plane.parts.session(), try await plane.parts.session())
            let bob = try await plane.parts.session("bob@example.com")
            for session in [one, two, one] {
                #expect(try await plane.send(TestRequest("GET", "/v1/session", by: session)).status == 200)
            }
            let refused = try await plane.send(TestRequest("GET", "/v1/session", by: two))
            #expect(refused.status == 429 && refused.headers["retry-after"] == "1")
            #expect(refused.json?["retryAfter"]?.number == 1)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: bob)).status == 200)
            plane.parts.clock.advance(seconds: 1)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: one)).status == 200)
        }
    }

    @Test func attack55_aFloodWithoutLoginLeavesThoseWhoAreLoggedInAlone() async throws {
        let limits = ServerConfiguration.Limits.with {
            $0.perAddress = 1
            $0.perAddressBurst = 12
        }
        try await TestPlane.with(limits) { plane in
            let session = try await plane.parts.session()
            var statuses: [Int] = []
            for _ in 0..<4 {
                statuses.append(try await plane.send(TestRequest("GET", "/v1/server")).status)
                statuses.append(try await plane.send(TestRequest("GET", "/v1/session")).status)
                statuses.append(try await plane.send(TestRequest("GET", "/nothing")).status)
                statuses.append(try await plane.send(TestRequest("POST", "/v1/login/challenge")).status)
            }
            #expect(
                statuses.prefix(12).allSatisfy { $0 != 429 } && statuses.suffix(4).allSatisfy { $0 == 429 })
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: session)).status == 200)
        }
    }

    @Test func aLoginCountsTenTimes() async throws {
        let limits = ServerConfiguration.Limits.with {
            $0.perAddress = 1
            $0.perAddressBurst = 25
        }
        try await TestPlane.with(limits) { plane in
            let statuses = try await [1, 2, 3].asyncMap { _ in
                try await plane.send(TestRequest("POST", "/v1/login/keys", .object([]))).status
            }
            #expect(statuses == [400, 400, 429])
        }
    }

    @Test func limitsAreRead() throws {
        let yaml = "version: 1\nlimits: {per_identity: 7, connections_per_address: 9}\n"
        let settings = try ServerConfiguration(
            yaml: yaml, name: "x", environment: ["DAYPASSD_LIMITS_PER_ADDRESS": "11"])
        #expect(settings.limits.perIdentity == 7 && settings.limits.connectionsPerAddress == 9)
        #expect(settings.limits.perAddress == 11 && settings.limits.perIdentityBurst == 200)
        for bad in ["{per_identity: 0}", "{per_identity: x}", "{per_identity: 1000001}", "{other: 1}", "7"] {
            #expect(throws: CertAuthorityError(.configuration, "")) {
                try ServerConfiguration(yaml: "version: 1\nlimits: \(bad)\n", name: "x")
            }
        }
    }
}

/// Token buckets that expectations can change.
private final class Buckets<Key: Hashable & Sendable> {
    private var value: TokenBuckets<Key>

    init(_ limit: RateLimit, capacity: Int) { value = TokenBuckets(limit, capacity: capacity) }

    var count: Int { value.count }

    func take(_ tokens: Int, from key: Key, at milliseconds: UInt64) -> Int? {
        value.take(tokens, from: key, at: milliseconds)
    }
}

extension Array {
    func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await body(element)) }
        return results
    }
}
