// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Statements of the fleet's root") struct FleetTrustTests {
    private let root: PrivateKey
    private let authority: PublicKey

    init() throws {
        root = try PrivateKey.generate(.ed25519, comment: "")
        authority = try PrivateKey.generate(.ed25519, comment: "").publicKey
    }

    private func signed(
        _ version: UInt64, by key: PrivateKey? = nil, namespace: ExactText = TrustStatement.namespace,
        over text: String? = nil
    ) throws -> FleetTrustRequest {
        let statement = try TrustStatement(
            version: version, authorities: [.init(authority, comment: "users 2027")])
        let key = key ?? root
        let signature = try SSHSignature.sign(
            Array((text ?? statement.text).utf8), namespace: namespace, signer: .key(key.publicKey)
        ) { (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm) }
        return FleetTrustRequest(statement: statement, signature: signature)
    }

    private func put(_ wish: FleetTrustRequest, _ plane: TestPlane, by who: String = "admin@example.com")
        async throws -> TestAnswer
    {
        let session = try await plane.parts.session(who)
        return try await plane.send(TestRequest("PUT", "/v1/fleet/trust", wish.json, by: session))
    }

    @Test func versionsRiseUnderOneRootAndEachIsInTheLog() async throws {
        try await TestPlane.with { plane in
            let first = try await put(try signed(1), plane)
            #expect(first.status == 200, "\(first.text)")
            let info = try FleetTrustInfo(json: try #require(first.json))
            #expect(info.roots == [root.publicKey] && info.current?.statement.version == 1)
            // The same again changes nothing; another of the same version, or an older one, is refused.
            #expect(try await put(try signed(1), plane).status == 200)
            #expect(try await put(try signed(5), plane).status == 200)
            for version in [UInt64(5), 4] {
                var other = try signed(version)
                if version == 5 {
                    let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
                    let statement = try TrustStatement(version: 5, authorities: [.init(key)])
                    other = FleetTrustRequest(
                        statement: statement,
                        signature: try SSHSignature.sign(
                            Array(statement.text.utf8), namespace: TrustStatement.namespace,
                            signer: .key(root.publicKey)
                        ) { (bytes, algorithm) throws(SSHWireError) in
                            try root.sign(bytes, with: algorithm)
                        })
                }
                let refused = try await put(other, plane)
                #expect(
                    refused.status == 409 && refused.text.contains("5 is here already"), "\(refused.text)")
            }
            let thief = try PrivateKey.generate(.ed25519, comment: "")
            let foreign = try await put(try signed(9, by: thief), plane)
            #expect(
                foreign.status == 409 && foreign.text.contains("is not this fleet's root"), "\(foreign.text)")
            let records = try await plane.parts.ledger.events.compactMap {
                if case .fleetTrust(let record) = $0 { record.version } else { nil }
            }
            #expect(records == [1, 5])
            // The next process has it from the log.
            #expect(try await plane.parts.fleet().trust?.version == 5)
            #expect(try await plane.parts.fleet().roots == [root.publicKey])
        }
    }

    @Test func whatIsNotSignedForThisIsRefusedAndLeavesNoEntry() async throws {
        try await TestPlane.with { plane in
            let wrong = [
                try signed(1, namespace: "daypass-krl"), try signed(1, over: "something else"),
            ]
            for wish in wrong {
                let answer = try await put(wish, plane)
                #expect(answer.status == 400 && answer.text.contains("signature"), "\(answer.text)")
            }
            #expect(try await put(try signed(1), plane, by: "alice@example.com").status == 403)
            #expect(plane.hub.fleet.trust == nil)
        }
    }

    @Test(arguments: [
        (#"{"format":2,"version":1,"authorities":["K"]}"#, "format: 1 expected"),
        (#"{"format":1,"version":0,"authorities":["K"]}"#, "version: a number from 1"),
        (#"{"format":1,"version":"1","authorities":["K"]}"#, "version: a number from 1"),
        (#"{"format":1,"version":1,"authorities":[]}"#, "authorities: 1 to 256 keys"),
        (#"{"format":1,"version":1,"authorities":["K","K"]}"#, "is there twice"),
        (#"{"format":1,"version":1,"authorities":["ssh-rsa AAAA"]}"#, "authorities: "),
        (#"{"format":1,"version":1,"authorities":["K"],"more":1}"#, "1 members that are not known"),
        (#"{"format":1,"version":1,"version":2,"authorities":["K"]}"#, "a member twice"),
        ("[]", "an object expected"), ("", ""),
    ])
    func aStatementIsReadStrictly(text: String, reason: String) throws {
        let key = authority.text
        let error = #expect(throws: ControlProtocolError.self) {
            try TrustStatement(parsing: text.replacing("\"K\"", with: "\"\(key)\""))
        }
        #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
    }

    @Test func attack16_aCertificateIsNoCAInAStatement() throws {
        let issuer = try PrivateKey.generate(.ed25519, comment: "")
        let unsigned = try UnsignedCertificate(
            CertificateFields(
                nonce: [1], key: authority, serial: 1, kind: .user, keyID: "a", principals: ["a"],
                validAfter: .always, validBefore: .forever, signatureKey: issuer.publicKey))
        let message = unsigned.toBeSigned
        let certificate = try Certificate(expecting: unsigned, signature: try issuer.sign(message.span))
        let line = try PublicKeyLine(.certificate(certificate)).text
        #expect(throws: ControlProtocolError.self) {
            try TrustStatement(parsing: #"{"format":1,"version":1,"authorities":["\#(line)"]}"#)
        }
    }

    @Test func aStatementIsWrittenAsItIsReadAndSaysWhatChanges() throws {
        let other = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let first = try TrustStatement(version: 7, authorities: [.init(authority, comment: "users 2027")])
        #expect(first.text == #"{"format":1,"version":7,"authorities":["\#(authority.text) users 2027"]}"#)
        #expect(try TrustStatement(parsing: first.text) == first)
        let second = try TrustStatement(version: 8, authorities: [.init(other), .init(authority)])
        #expect(second.changes(from: first).added.map(\.key) == [other])
        #expect(second.changes(from: first).removed.isEmpty)
        #expect(first.changes(from: second).removed.map(\.key) == [other])
        #expect(first.changes(from: nil).added.count == 1)
        #expect(throws: ControlProtocolError.self) { try TrustStatement(version: 1, authorities: []) }
    }

    @Test func aHostThatConnectsIsSentTheStatementAndItsAnswerIsShown() async throws {
        try await TestPlane.with { plane in
            #expect(try await put(try signed(1), plane).status == 200)
            let host = try await TestTunnel.join(plane)
            func state() async throws -> FleetTrustInfo.Host? {
                let admin = try await plane.parts.session("admin@example.com")
                let answer = try await plane.send(TestRequest("GET", "/v1/fleet/trust", by: admin))
                return try FleetTrustInfo(json: try #require(answer.json)).hosts.first
            }
            func answer(_ tunnel: inout TestTunnel, _ success: Bool, _ message: String) async throws {
                guard case .request(let id, Tunnel.call, let params) = try await tunnel.hear() else {
                    throw UnexpectedOutcome(what: "no call")
                }
                let call = try #require(try TunnelCall(params: params).hostCall())
                #expect(call.command == "trust")
                try await tunnel.say(
                    .result(
                        id: id,
                        TunnelReply(
                            clientID: host.host.clientID, command: "trust",
                            outcome: HostOutcome(success: success, message: message),
                            time: plane.authority.now
                        ).value))
            }
            #expect(try await state()?.reason == "it is not connected")
            // It comes before the answer to the introduction.
            var tunnel = try await TestTunnel(asking: plane, token: try host.token(plane))
            try await tunnel.passHead()
            try await tunnel.say(
                .request(
                    id: .number(0), method: Tunnel.setClientID,
                    params: .object([.init("clientId", .string(host.host.clientID))])))
            try await answer(
                &tunnel, false, "statement: by SHA256:x, which is no root key of this host's fleet")
            guard case .result = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "not introduced")
            }
            try await eventually { try await state()?.state == .refused }
            #expect(try await state()?.reason?.contains("no root key") == true)
            // A newer one, to whom is connected.
            async let brought = put(try signed(2), plane)
            try await answer(&tunnel, true, "1 CAs of version 2: done")
            #expect(try await brought.status == 200)
            try await eventually { try await state()?.state == .acknowledged }
            // What a dry run says is not what is.
            try await tunnel.say(
                .request(
                    id: .number(7), method: Tunnel.state, params: .object([.init("dryRun", .bool(true))])))
            _ = try await tunnel.hear()
            #expect(try await state()?.state == .pending)
        }
    }

    private func eventually(_ condition: () async throws -> Bool) async throws {
        for _ in 0..<2_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw UnexpectedOutcome(what: "never")
    }
}
