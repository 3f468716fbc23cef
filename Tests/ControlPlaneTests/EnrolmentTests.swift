// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Hosts that are enrolled by what they printed") struct EnrolmentTests {
    /// A host and what it prints.
    private struct Printed {
        let key: HostKey
        let hostKey: PublicKey
        var members: [JSONValue.Member]

        init(_ name: String = "web7", key: HostKey? = nil, hostKey: PublicKey? = nil) throws {
            self.key = try key ?? HostKey.generate()
            self.hostKey = try hostKey ?? PrivateKey.generate(.ed25519, comment: "").publicKey
            members = [
                .init("hostname", .string(name)), .init("publicIp", ""),
                .init("fingerprint", .string(self.hostKey.fingerprint)),
                .init("fingerprintPublicKey", .string("\(self.hostKey.text) root@\(name)")),
                .init("jwkPublicKey", self.key.publicKey.value), .init("labels", .array(["team=admins"])),
                .init("timestamp", "2026-11-20T20:21:36Z"), .init("environmentId", "default"),
            ]
        }

        var value: JSONValue { .object(members) }

        /// With another value of a member, or without it.
        func with(_ name: String, _ value: JSONValue?) -> Printed {
            var other = self
            other.members.removeAll { $0.name == name }
            if let value { other.members.append(.init(name, value)) }
            return other
        }
    }

    private func enrol(
        _ printed: Printed, _ plane: TestPlane, by who: String = "admin@example.com",
        session: TestSession? = nil,
        key: String? = nil, _ more: [JSONValue.Member] = []
    ) async throws -> TestAnswer {
        var caller = session
        if caller == nil { caller = try await plane.parts.session(who) }
        return try await plane.send(
            TestRequest(
                "POST", "/v1/agents", .object([.init("registration", printed.value)] + more), by: caller,
                idempotencyKey: key))
    }

    @Test func theKeyInTheRequestOpensATunnelAndTheHostIsThere() async throws {
        try await TestPlane.with { plane in
            let printed = try Printed()
            let answer = try await enrol(
                printed, plane, [.init("labels", .object([.init("team", "infra")]))])
            #expect(answer.status == 201, "\(answer.text)")
            let joined = try JoinAnswer(json: try #require(answer.json))
            #expect(joined.clientID == "daypass:web7:ssh")
            #expect(joined.tunnelURL == "wss://\(plane.name)/v1/tunnel")
            let host = try #require(plane.hub.fleet.host(clientID: joined.clientID))
            #expect(host.hostKeys == [printed.hostKey])
            // What the host would like to be labelled with is nothing to the policy.
            #expect(plane.authority.hosts.first { $0.id == "web7" }?.labels == ["team": "infra"])
            _ = try await TestTunnel.open(plane, .init(host: host, key: printed.key))
            #expect(plane.hub.status(of: "web7").connected != nil)
            let log = await plane.parts.ledger.kept.entries.map { String(decoding: $0, as: UTF8.self) }
            let entry = log.last { $0.contains(host.key.fingerprint) }
            #expect(entry?.contains("by an administrator; host key \(printed.hostKey.fingerprint)") == true)
            #expect(entry?.contains("admin@example.com") == true)
        }
    }

    @Test func aHostOfTheInventoryKeepsItsIdItsNamesAndItsLabels() async throws {
        try await TestPlane.with { plane in
            #expect(try await enrol(try Printed("WEB1.example.com"), plane).status == 201)
            let host = try #require(plane.authority.hosts.first { $0.id == "web1" })
            #expect(host.names == ["web1.example.com"] && host.labels == ["team": "infra"])
            #expect(plane.hub.fleet.host(clientID: "daypass:web1:ssh") != nil)
            // Under another id it is another host.
            #expect(
                try await enrol(try Printed("WEB1.example.com"), plane, [.init("id", "web8")]).status == 201)
            #expect(plane.hub.fleet.host(clientID: "daypass:web8:ssh") != nil)
        }
    }

    @Test func aClientIDThatTheAgentHasAlreadyIsTheOneThatItIsKnownBy() async throws {
        try await TestPlane.with { plane in
            let printed = try Printed().with("orgId", "acme").with("hostId", "h-7")
            #expect(try await enrol(printed, plane).status == 201)
            let host = try #require(plane.hub.fleet.host(clientID: "acme:h-7:ssh"))
            #expect(host.id == "web7")
            _ = try await TestTunnel.openP0(plane, .init(host: host, key: printed.key))
            // Once it has another, the old one opens nothing.
            let joined = try await TestTunnel.join(plane, "web7")
            #expect(plane.hub.fleet.host(clientID: "acme:h-7:ssh") == nil)
            #expect(plane.hub.fleet.hosts == [joined.host])
        }
    }

    @Test func onlyAdministratorsEnrol() async throws {
        try await TestPlane.with { plane in
            let answer = try await enrol(try Printed(), plane, by: "alice@example.com")
            #expect(answer.status == 403 && answer.code == "denied")
            #expect(plane.hub.fleet.hosts.isEmpty)
        }
    }

    /// What is wrong with a request, and what is said of it.
    static let hostile: [(name: String, value: JSONValue?, reason: String)] = [
        ("hostname", nil, "hostname is missing"), ("hostname", "", "hostname: a name expected"),
        ("hostname", "web7; rm -rf /", "host id"), ("hostname", "web7\nweb8", "a control character"),
        ("hostname", "*", "host id"), ("hostname", 7, "hostname: a text expected"),
        ("hostname", .string(String(repeating: "a", count: 65)), "at most 64"),
        ("hostname", .string(String(repeating: "a", count: 254)), "at most 253"),
        ("fingerprint", nil, "fingerprint is missing"),
        ("fingerprint", "SHA256:0123456789abcdef0123456789abcdef", "fingerprint: it is not the key's"),
        ("fingerprintPublicKey", "bWFjaGluZS1wdWJsaWMta2V5", "a public key of sshd's expected"),
        ("fingerprintPublicKey", .string(String(repeating: "A", count: 8_193)), "at most 8192"),
        ("jwkPublicKey", nil, "jwkPublicKey is missing"), ("jwkPublicKey", "key", "JWK"),
        ("timestamp", nil, "timestamp is missing"), ("timestamp", "yesterday", "timestamp: a time"),
        ("publicIp", .string(String(repeating: "1", count: 257)), "at most 256"),
        ("labels", .array([7]), "labels: an array of texts"),
        ("labels", .array(Array(repeating: "a=b", count: 65)), "labels: over 64"),
        ("clientId", "daypass:web1:ssh", "is no name of the host web7"),
        ("clientId", "acme:web 7:ssh", "printable ASCII"),
        ("trustedCa", "ssh-ed25519 AAAA", "1 members that are not known"),
    ]

    @Test(arguments: hostile.indices)
    func aRequestThatIsNoneEnrolsNobody(index: Int) async throws {
        let (name, value, reason) = Self.hostile[index]
        try await TestPlane.with { plane in
            let answer = try await enrol(try Printed().with(name, value), plane)
            #expect(answer.status == 400 || answer.status == 413, "\(answer.text)")
            #expect(answer.text.contains(reason), "\(answer.text)")
            #expect(plane.hub.fleet.hosts.isEmpty && !plane.authority.hosts.contains { $0.id == "web7" })
        }
    }

    @Test func keysOfAnotherKindAndPrivateOnesAreRefused() async throws {
        try await TestPlane.with { plane in
            let printed = try Printed()
            guard case .object(let members) = printed.key.publicKey.value else { return }
            func jwk(_ name: String, _ value: JSONValue) -> JSONValue {
                .object(members.filter { $0.name != name } + [.init(name, value)])
            }
            let zero = JSONValue.string(Base64URL.encode([UInt8](repeating: 0, count: 48)))
            for wrong in [
                jwk("kty", "RSA"), jwk("crv", "P-256"), jwk("alg", "ES256"), jwk("use", "enc"),
                jwk("x", zero),
                jwk("d", zero),
            ] {
                let answer = try await enrol(printed.with("jwkPublicKey", wrong), plane)
                #expect(answer.status == 400, "\(answer.text)")
            }
            #expect(plane.hub.fleet.hosts.isEmpty)
        }
    }

    @Test func membersOfTheWishThatAreNotKnownAreRefused() async throws {
        try await TestPlane.with { plane in
            for more in [
                JSONValue.Member("token", "x"), .init("replace", "yes"), .init("labels", .array([])),
                .init("id", "Web 7"), .init("labels", .object([.init("team", "a@b")])),
            ] {
                let answer = try await enrol(try Printed(), plane, [more])
                #expect(answer.status == 400, "\(more.name): \(answer.text)")
            }
            #expect(plane.hub.fleet.hosts.isEmpty)
        }
    }

    @Test func nothingThatAnotherHostHasIsTakenOver() async throws {
        try await TestPlane.with { plane in
            let first = try Printed()
            #expect(try await enrol(first.with("clientId", "acme:web7:ssh"), plane).status == 201)
            let hosts = plane.hub.fleet.hosts
            for thief in [
                try Printed("web8", key: first.key), try Printed("web8", hostKey: first.hostKey),
                try Printed("web8").with("clientId", "acme:web7:ssh"),
            ] {
                let answer = try await enrol(thief, plane, [.init("replace", .bool(true))])
                #expect(answer.status == 409 && answer.text.contains("web7"), "\(answer.text)")
            }
            #expect(plane.hub.fleet.hosts == hosts && !plane.authority.hosts.contains { $0.id == "web8" })
        }
    }

    @Test func aHostThatHasJoinedIsReplacedWhenThatIsAskedForAndItsTunnelIsCut() async throws {
        try await TestPlane.with { plane in
            let first = try await TestTunnel.join(plane, "web7")
            let tunnel = try await TestTunnel.open(plane, first)
            let second = try Printed()
            let refused = try await enrol(second, plane)
            #expect(refused.status == 409 && refused.text.contains("--replace"), "\(refused.text)")
            #expect(plane.hub.fleet.hosts == [first.host])
            #expect(try await enrol(second, plane, [.init("replace", .bool(true))]).status == 201)
            #expect(await tunnel.connection.closed(within: .seconds(20)) != nil)
            let again = try await TestTunnel(asking: plane, token: try first.token(plane))
            #expect(await again.connection.hasReceived("HTTP/1.1 401 "))
            let host = try #require(plane.hub.fleet.host(clientID: "daypass:web7:ssh"))
            _ = try await TestTunnel.open(plane, .init(host: host, key: second.key))
        }
    }

    @Test func theSameRequestAgainIsAnsweredAsTheFirst() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session("admin@example.com")
            let printed = try Printed()
            let first = try await enrol(printed, plane, session: session, key: "k1")
            let entries = await plane.parts.ledger.kept.entries.count
            let again = try await enrol(printed, plane, session: session, key: "k1")
            #expect(first.status == 201 && again.status == 201 && first.body == again.body)
            #expect(await plane.parts.ledger.kept.entries.count == entries)
            let other = try await enrol(try Printed("web8"), plane, session: session, key: "k1")
            #expect(other.status == 409)
            #expect(try await enrol(printed, plane, session: session).status == 409)
        }
    }
}
