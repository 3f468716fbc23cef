// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Host certificates through tunnels") struct HostCertificateTests {
    private func ask(
        _ tunnel: inout TestTunnel, _ key: PublicKey, _ number: Int64 = 3
    ) async throws -> Result<HostCertificateAnswer, RPCError> {
        try await tunnel.say(
            .request(
                id: .number(number), method: Tunnel.hostCertificate,
                params: HostCertificateRequest(key: key).json))
        switch try await tunnel.hear() {
        case .result(_, let value): return .success(try HostCertificateAnswer(json: value))
        case .failure(_, let error): return .failure(error)
        default: throw UnexpectedOutcome(what: "no answer")
        }
    }

    private func key() throws -> PublicKey { try PrivateKey.generate(.ed25519, comment: "").publicKey }

    @Test func attack46_aHostProvesAllNamesThatItWasGivenAndNoOther() async throws {
        try await TestPlane.with { plane in
            let actor = try Identity("admin@example.com")
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            let key = try key()
            let first = try await ask(&tunnel, key).get()
            let fields = first.certificate.fields
            #expect(fields.kind == .host && fields.key == key && fields.keyID.string.hasPrefix("web1#"))
            #expect(fields.principals.map(\.string) == ["web1", "web1.example.com"])
            #expect(first.removed.isEmpty && fields.validBefore != .forever)
            try first.certificate.verifySignature()
            // A new name comes, none goes.
            try await plane.authority.set(
                try ManagedHost(id: "web1", names: ["web1.example.com", "www.example.com"]), by: actor)
            let second = try await ask(&tunnel, key, 4).get()
            #expect(
                second.certificate.fields.principals.map(\.string) == [
                    "web1", "web1.example.com", "www.example.com",
                ])
            #expect(second.removed.isEmpty)
            // One is taken away, and said to be: also when a certificate in between was lost.
            try await plane.authority.set(try ManagedHost(id: "web1", names: ["www.example.com"]), by: actor)
            _ = try await ask(&tunnel, key, 5).get()
            #expect(try await ask(&tunnel, key, 6).get().removed == ["web1.example.com"])
            // All are in the log as they were issued.
            let issued = try await plane.parts.ledger.events.compactMap {
                if case .issuance(let certificate) = $0 { certificate.fields.principals.count } else { nil }
            }
            #expect(issued == [2, 3, 2, 2])
        }
    }

    @Test func attack15_aHostGetsNoOthersNameAndNoOthersKeyIsCertified() async throws {
        try await TestPlane.with { plane in
            let own = try key()
            let admin = try Identity("admin@example.com")
            let token = try await plane.hub.fleet.makeJoinToken(
                hostPattern: "web2", labels: [:], lifetime: 600, by: admin
            ).text
            _ = try await plane.hub.fleet.join(
                token: token, name: "web2", key: try HostKey.generate().publicKey.key, hostKeys: [own],
                from: nil)
            // One name leads to one host.
            await #expect(throws: CertAuthorityError.self) {
                try await plane.authority.set(try ManagedHost(id: "web1", names: ["web2"]), by: admin)
            }
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            guard case .failure(let error) = try await ask(&tunnel, own) else {
                throw UnexpectedOutcome(what: "certified")
            }
            #expect(error.message.contains("it is the host web2's"), "\(error)")
            // What it calls itself has no say.
            try await tunnel.say(
                .request(
                    id: .number(9), method: Tunnel.hostCertificate,
                    params: .object([
                        .init("key", .string(try key().text)),
                        .init("names", .array([.string("web2"), .string("*")])),
                    ])))
            guard case .result(_, let value) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "refused")
            }
            #expect(
                try HostCertificateAnswer(json: value).certificate.fields.principals.map(\.string) == [
                    "web1", "web1.example.com",
                ])
        }
    }

    @Test func aHostThatAsksTooOftenWaits() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            let key = try key()
            for number in 0..<10 { _ = try await ask(&tunnel, key, Int64(number + 10)).get() }
            guard case .failure(let error) = try await ask(&tunnel, key, 30) else {
                throw UnexpectedOutcome(what: "certified")
            }
            #expect(error.message.contains("10 host certificates within"), "\(error)")
            plane.parts.clock.advance(seconds: 3_601)
            _ = try await ask(&tunnel, key, 31).get()
        }
    }

    @Test func aHostThatWasRemovedFromTheInventoryGetsNone() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            try await plane.authority.removeHost("web1", by: try Identity("admin@example.com"))
            guard case .failure(let error) = try await ask(&tunnel, try key()) else {
                throw UnexpectedOutcome(what: "certified")
            }
            #expect(error.message.contains("not in the inventory"), "\(error)")
        }
    }
}
