// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import ControlClient

@Suite("A control plane that lies")
struct ExpectedCertificateTests {
    private static let authority = Result { try PrivateKey.generate(.ed25519, comment: "ca") }
    private static let key = Result { try PrivateKey.generate(.ed25519, comment: "mine") }

    /// A certificate as it was asked for, but for what `change` does to it.
    private func line(
        signer: PrivateKey? = nil, _ change: (inout CertificateFields) throws -> Void = { _ in }
    ) throws -> String {
        let signer = try signer ?? Self.authority.get()
        var fields = CertificateFields(
            nonce: [UInt8](repeating: 7, count: 32), key: try Self.key.get().publicKey, serial: 1,
            kind: .user,
            keyID: "alice#1", principals: ["deploy@web1"], validAfter: UnixTime(seconds: 1_000),
            validBefore: UnixTime(seconds: 2_000), criticalOptions: [], extensions: [.flag(.permitPTY)],
            signatureKey: signer.publicKey)
        try change(&fields)
        let signature = try signer.sign(fields.toBeSigned.span)
        return try PublicKeyLine(
            .certificate(try Certificate(toBeSigned: fields.toBeSigned, signature: signature))
        ).text
    }

    private func expected() throws -> ExpectedCertificate {
        ExpectedCertificate(
            key: try Self.key.get().publicKey, login: "deploy", authority: try Self.authority.get().publicKey,
            latestEnd: UnixTime(seconds: 2_000), permissions: [.pty])
    }

    @Test func whatWasAskedForIsTaken() throws {
        #expect(try expected().verified(line()).fields.serial == 1)
        #expect(try expected().verified(line { $0.principals = ["deploy"] }).fields.principals == ["deploy"])
    }

    private func expectRefused(_ line: String, _ reason: String) throws {
        let expected = try expected()
        let error = #expect(throws: ClientError.self) { try expected.verified(line) }
        #expect(
            error?.description.hasSuffix(reason) == true, "\(error?.description ?? "taken"), not: \(reason)")
    }

    @Test func attack07_anotherKeyIsRefused() throws {
        let other = try PrivateKey.generate(.ed25519, comment: "other").publicKey
        try expectRefused(try line { $0.key = other }, "it is on another key")
    }

    @Test func attack07_anotherAuthorityIsRefused() throws {
        let other = try PrivateKey.generate(.ed25519, comment: "other")
        try expectRefused(try line(signer: other), "another authority signed it")
    }

    @Test func attack07_otherAccountsAreRefused() throws {
        try expectRefused(try line { $0.principals = ["root@web1"] }, "it is for root@web1")
        try expectRefused(try line { $0.principals = ["deploy@web1", "root"] }, "it is for root")
        try expectRefused(try line { $0.principals = ["deployer"] }, "it is for deployer")
        try expectRefused(try line { $0.principals = [] }, "it names no account")
    }

    @Test func attack07_aLongerLifeIsRefused() throws {
        try expectRefused(
            try line { $0.validBefore = UnixTime(seconds: 2_001) },
            "it is valid until 1970-01-01T00:33:21Z, 1970-01-01T00:33:20Z is the latest")
    }

    @Test func attack07_anotherKindAndMorePermissionsAreRefused() throws {
        try expectRefused(
            try line {
                $0.kind = .host; $0.extensions = []
            }, "it is a host certificate")
        try expectRefused(
            try line { $0.extensions = [.flag(.permitAgentForwarding), .flag(.permitPTY)] },
            "it permits agent-forwarding")
    }

    @Test func attack07_aPlainKeyAndABrokenSignatureAreRefused() throws {
        try expectRefused(try Self.key.get().publicKey.text, "it is a plain key")
        let other = try PrivateKey.generate(.ed25519, comment: "other")
        let forged = try line(signer: other) { $0.signatureKey = try Self.authority.get().publicKey }
        let expected = try expected()
        #expect(throws: ClientError.self) { try expected.verified(forged) }
    }
}
