// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// What the control plane cannot do by itself: changes of the trusted CAs and of what is revoked.
@Suite struct SignedOrderTests {
    private let machine: PretendMachine
    private let root: PrivateKey
    private let authority: PrivateKey
    private let stranger: PrivateKey

    init() throws {
        machine = try PretendMachine()
        root = try PrivateKey.generate(.ed25519, comment: "")
        authority = try PrivateKey.generate(.ed25519, comment: "")
        stranger = try PrivateKey.generate(.ed25519, comment: "")
        try machine.folder.write(root.publicKey.text + "\n", to: "etc/fleet_root", mode: 0o644)
        try machine.folder.write(authority.publicKey.text + "\n", to: "etc/user_ca_keys", mode: 0o644)
        // As trust install leaves it.
        var record = TrustRecord()
        record.settings = [
            TrustRecord.Setting(keyword: "trustedusercakeys", value: machine.layout.userCAKeys)
        ]
        try machine.folder.write(try record.encode(), to: "state/trust.originals")
    }

    private func sign(_ message: [UInt8], _ key: PrivateKey, _ namespace: ExactText) throws -> String {
        try SSHSignature.sign(message, namespace: namespace, signer: .key(key.publicKey)) {
            (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm)
        }.armoured
    }

    private func trust(
        _ version: Int, _ keys: [PublicKey], by key: PrivateKey, _ namespace: ExactText = TrustOrder.namespace
    ) throws -> HostOutcome {
        let list = JSONValue.array(keys.map { .string($0.text) }).text
        let statement = "{\"format\":1,\"version\":\(version),\"authorities\":\(list)}"
        let call = JSONValue.object([
            .init("command", "trust"), .init("statement", .string(statement)),
            .init("signature", .string(try sign(Array(statement.utf8), key, namespace))),
        ])
        return try machine.perform(call.text)
    }

    private func revoke(
        _ version: UInt64, _ serials: [UInt64], by key: PrivateKey,
        _ namespace: ExactText = RevocationOrder.namespace
    ) throws -> HostOutcome {
        let list = try revocations(version, serials)
        let call = JSONValue.object([
            .init("command", "revocations"), .init("version", .string("\(version)")),
            .init("krl", .string(Base64.encode(list.bytes))),
            .init("signature", .string(try sign(list.bytes, key, namespace))),
        ])
        return try machine.perform(call.text)
    }

    @Test func attack72_theFleetsRootKeyAloneChangesTheTrustedCAs() throws {
        let next = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let before = try machine.folder.read("etc/user_ca_keys")
        for key in [stranger, authority] {
            let refused = try trust(1, [next], by: key)
            #expect(!refused.success)
            #expect(refused.message.contains("which is no root key of this host's fleet"), "\(refused)")
        }
        // Signed for something else.
        #expect(try !trust(1, [next], by: root, "daypass-krl").success)
        #expect(try machine.folder.read("etc/user_ca_keys") == before)
        let taken = try trust(1, [next, authority.publicKey], by: root)
        #expect(taken.success, "\(taken)")
        #expect(try machine.folder.readText("etc/user_ca_keys").contains(next.text))
    }

    @Test func aStatementAboutCAsNeverGoesBack() throws {
        let next = try PrivateKey.generate(.ed25519, comment: "").publicKey
        #expect(try trust(5, [next], by: root).success)
        let older = try trust(4, [authority.publicKey], by: root)
        #expect(older.message.contains("version 4, and 5 is known already"), "\(older)")
        #expect(try !trust(5, [authority.publicKey], by: root).success)
        let again = try trust(5, [next], by: root)
        #expect(again.success, "\(again)")
        #expect(again.message.contains("unchanged"))
        #expect(try !machine.folder.readText("etc/user_ca_keys").contains(authority.publicKey.text))
    }

    @Test func withoutAPinnedRootNothingIsTaken() throws {
        try SystemFiles().remove(machine.folder.path("etc/fleet_root"))
        let refused = try trust(1, [stranger.publicKey], by: stranger)
        #expect(refused.message.contains("fleet_root is not there"), "\(refused)")
        try machine.folder.write(stranger.publicKey.text + "\n", to: "etc/fleet_root", mode: 0o666)
        #expect(
            try trust(1, [stranger.publicKey], by: stranger).message.contains(
                "others than root may change it"))
    }

    @Test func attack60_aRevocationListNeedsItsSignatureAndAHigherVersion() throws {
        #expect(try !revoke(3, [7], by: stranger).success)
        #expect(try !revoke(3, [7], by: authority, "daypass-fleet").success)
        #expect(!machine.folder.contains("etc/revoked_keys"))
        let taken = try revoke(3, [7], by: authority)
        #expect(taken.message == "revocation list version 3 is installed; 0 sessions ended", "\(taken)")
        #expect(try revoke(3, [7], by: authority).message.contains("installed already"))
        #expect(try !revoke(3, [], by: authority).success)
        #expect(try revoke(2, [7, 8], by: authority).message.contains("version: 2, and 3 is installed"))
        #expect(try revoke(4, [7, 8], by: authority).success)
        let bytes = try machine.folder.read("etc/revoked_keys")
        #expect(try RevocationFile(bytes, name: "list").list.version == 4)
        let record = try #require(try TrustRecord.read(SystemFiles(), machine.layout))
        #expect(record.revocationVersion == 4)
        // Taken away or broken by hand: no older one comes in its place.
        try SystemFiles().remove(machine.folder.path("etc/revoked_keys"))
        #expect(try !revoke(3, [7], by: authority).success)
        #expect(try revoke(4, [7, 8], by: authority).success)
    }

    @Test func aKeyOfTheHostsOwnListMaySignRevocations() throws {
        try machine.folder.write(stranger.publicKey.text + "\n", to: "etc/krl_signers", mode: 0o644)
        #expect(try revoke(1, [7], by: stranger).success)
    }

    @Test func attack59_whatIsNoListIsNotInstalled() throws {
        for bytes in [Array("<html>".utf8), [], Array(try revocations(9, [1, 2]).bytes.dropLast(3))] {
            let call = JSONValue.object([
                .init("command", "revocations"), .init("version", "9"),
                .init("krl", .string(Base64.encode(bytes))),
                .init("signature", .string(try sign(bytes, authority, RevocationOrder.namespace))),
            ])
            #expect(try !machine.perform(call.text).success)
        }
        #expect(!machine.folder.contains("etc/revoked_keys"))
    }

    @Test func sessionsOfRevokedCertificatesEnd() throws {
        let fingerprint = authority.publicKey.fingerprint
        for (id, serial, ca) in [
            ("a", UInt64(7), fingerprint), ("b", 8, fingerprint), ("c", 9, "SHA256:other"),
        ] {
            var event = SessionEvent(
                .open, via: .pam, time: RecordTime(nanoseconds: 1), uptimeMicroseconds: 1)
            event.account = "alice"
            let use = CertificateUse(
                serial: serial, keyID: "alice#\(serial)",
                authority: .init(fingerprint: ca, type: nil, name: nil, isTrusted: true))
            event.methods = [LoginMethod("publickey", .certificate(use))]
            machine.state.withLock {
                $0.live.append(SessionSummary(id: id, event: event, state: .live, end: nil))
            }
        }
        let taken = try revoke(1, [7], by: authority)
        #expect(taken.message.hasSuffix("1 sessions ended"), "\(taken)")
        #expect(machine.ended == ["a"])
    }
}
