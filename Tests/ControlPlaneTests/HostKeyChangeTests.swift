// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("A host's new key") struct HostKeyChangeTests {
    private struct Scene {
        let plane: TestPlane
        let host: TestTunnel.Host

        static func with(_ body: (Scene) async throws -> Void) async throws {
            try await TestPlane.with { plane in
                try await body(Scene(plane: plane, host: try await TestTunnel.join(plane)))
            }
        }

        func token(by key: HostKey, subject: String? = nil, id: String, audience: String? = nil) throws
            -> String
        {
            try host.token(plane, audience: audience, tokenID: id, subject: subject, by: key)
        }

        func change(to key: HostKey, bearer: String?, proof: String) async throws -> TestAnswer {
            var request = TestRequest(
                "POST", "/v1/hosts/key", HostKeyChange(key: key.publicKey, proof: proof).json)
            if let bearer { request.extraHeaders = [("authorization", "Bearer \(bearer)")] }
            return try await plane.send(request)
        }

        var known: PublicKey? { plane.hub.fleet.host(clientID: host.host.clientID)?.key }
    }

    @Test func theOldKeysWordAndTheNewKeysProofPutItInPlaceAndTunnelsOfTheOldOneEnd() async throws {
        try await Scene.with { scene in
            let tunnel = try await TestTunnel.open(scene.plane, scene.host)
            let next = try HostKey.generate()
            let answer = try await scene.change(
                to: next, bearer: try scene.token(by: scene.host.key, id: "a"),
                proof: try scene.token(by: next, id: "b"))
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json?["thumbprint"]?.string == next.publicKey.thumbprint)
            #expect(scene.known == next.publicKey.key)
            #expect(await tunnel.connection.closed(within: .seconds(20)) != nil)
            // The old key opens nothing any more, the new one does.
            var old = try await TestTunnel(
                asking: scene.plane, token: try scene.token(by: scene.host.key, id: "c"))
            try await old.passHead("HTTP/1.1 401")
            var new = try await TestTunnel(asking: scene.plane, token: try scene.token(by: next, id: "d"))
            try await new.passHead()
            // Who didn't hear the answer asks again by the new key: that is no change.
            let entries = await scene.plane.parts.ledger.kept.entries.count
            let again = try await scene.change(
                to: next, bearer: try scene.token(by: next, id: "e"),
                proof: try scene.token(by: next, id: "f"))
            #expect(again.status == 200)
            let bytes = await scene.plane.parts.ledger.kept.entries
            #expect(bytes.count == entries)
            let last = try #require(bytes.last)
            let entry = try LogEntry(encoded: last.span)
            guard case .change(let change) = entry.event else { throw UnexpectedOutcome(what: "\(entry)") }
            #expect(change.subject == .hostKey && "\(entry.requester)" == "web1")
            #expect(
                change.detail.string.hasPrefix(
                    "\(next.publicKey.key.fingerprint) by the host itself, in the place of \(scene.host.host.key.fingerprint)"
                ))
        }
    }

    @Test func withoutBothKeysWordsForThisServerNothingChanges() async throws {
        try await Scene.with { scene in
            let (next, thief) = (try HostKey.generate(), try HostKey.generate())
            let own = scene.host.key
            let other = "https://other.example.com"
            let refused = [
                (nil, try scene.token(by: next, id: "1"), 401),
                (try scene.token(by: thief, id: "2"), try scene.token(by: next, id: "3"), 401),
                (try scene.token(by: next, id: "4"), try scene.token(by: next, id: "5"), 401),
                (
                    try scene.token(by: own, id: "6", audience: other), try scene.token(by: next, id: "7"),
                    401
                ),
                (try scene.token(by: own, id: "8"), try scene.token(by: thief, id: "9"), 400),
                (try scene.token(by: own, id: "10"), try scene.token(by: own, id: "11"), 400),
                (try scene.token(by: own, id: "12"), "", 400),
                (try scene.token(by: own, id: "13"), "a.b", 400),
                (
                    try scene.token(by: own, id: "14"),
                    try scene.token(by: next, subject: "daypass:web2:ssh", id: "15"), 400
                ),
                (
                    try scene.token(by: own, id: "16"),
                    try scene.token(by: next, id: "17", audience: other), 400
                ),
            ]
            for (bearer, proof, status) in refused {
                let answer = try await scene.change(to: next, bearer: bearer, proof: proof)
                #expect(answer.status == status, "\(answer.text)")
            }
            #expect(scene.known == own.publicKey.key)
        }
    }

    @Test func attack42_whatWasUsedForAKeyIsNotUsedAgain() async throws {
        try await Scene.with { scene in
            let next = try HostKey.generate()
            let (bearer, proof) = (
                try scene.token(by: scene.host.key, id: "a"), try scene.token(by: next, id: "b")
            )
            // A tunnel was opened by it.
            var tunnel = try await TestTunnel(asking: scene.plane, token: bearer)
            try await tunnel.passHead()
            #expect(try await scene.change(to: next, bearer: bearer, proof: proof).status == 401)
            let fresh = try scene.token(by: scene.host.key, id: "c")
            #expect(try await scene.change(to: next, bearer: fresh, proof: proof).status == 200)
            let own = try scene.token(by: next, id: "d")
            #expect(try await scene.change(to: next, bearer: own, proof: proof).status == 400)
        }
    }

    @Test func aKeyOfAnotherHostIsRefused() async throws {
        try await Scene.with { scene in
            let token = try await scene.plane.hub.fleet.makeJoinToken(
                hostPattern: "web2", labels: [:], lifetime: 600, by: try Identity("admin@example.com")
            ).text
            let other = try HostKey.generate()
            _ = try await scene.plane.hub.fleet.join(
                token: token, name: "web2", key: other.publicKey.key, hostKeys: [], from: nil)
            let answer = try await scene.change(
                to: other, bearer: try scene.token(by: scene.host.key, id: "a"),
                proof: try scene.token(by: other, id: "b"))
            #expect(answer.status == 409, "\(answer.text)")
            #expect(scene.known == scene.host.key.publicKey.key)
        }
    }
}
