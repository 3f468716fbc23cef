// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

@testable import Agent

@Suite struct HostCertificateTests {
    private let authority: PrivateKey
    private let key: PublicKey

    init() throws {
        authority = try PrivateKey.generate(.ed25519, comment: "")
        key = try PrivateKey.generate(.ed25519, comment: "").publicKey
    }

    private func make(
        _ names: [String], from start: UInt64 = 1_000_000, life: UInt64 = 3_000,
        kind: CertificateKind = .host,
        serial: UInt64 = 1
    ) throws -> Certificate {
        let unsigned = try UnsignedCertificate(
            CertificateFields(
                nonce: (0..<32).map { _ in UInt8.random(in: 0...255) }, key: key, serial: serial, kind: kind,
                keyID: "web1#1", principals: names.map { ExactText($0) },
                validAfter: UnixTime(seconds: start), validBefore: UnixTime(seconds: start + life),
                signatureKey: authority.publicKey))
        let message = unsigned.toBeSigned
        return try Certificate(expecting: unsigned, signature: try authority.sign(message.span))
    }

    private func certificate(
        _ names: [String], from start: UInt64 = 1_000_000, life: UInt64 = 3_000
    ) throws -> HostCertificate {
        try HostCertificate(try make(names, from: start, life: life))
    }

    @Test func attack46_noNameVanishesUnlessTheServerSaysThatItWasTakenAway() throws {
        let old = try certificate(["web1", "web1.example.com"])
        let all = try certificate(["www.example.com", "web1.example.com", "web1"], from: 1_002_000)
        try all.checkSuccession(of: old, removed: [])
        let fewer = try certificate(["web1"], from: 1_002_000)
        let error = #expect(throws: AgentError.self) {
            try fewer.checkSuccession(of: old, removed: ["other"])
        }
        #expect(error?.reason.contains("it lacks web1.example.com") == true)
        try fewer.checkSuccession(of: old, removed: ["web1.example.com"])
        // Letters count: ssh compares in lower case what the certificate must have in lower case.
        #expect(throws: AgentError.self) {
            try certificate(["WEB1", "web1.example.com"], from: 1_002_000).checkSuccession(
                of: old, removed: [])
        }
    }

    @Test func oneThatEndsEarlierDoesNotTakeTheOldOnesPlace() throws {
        let old = try certificate(["web1"])
        #expect(throws: AgentError.self) {
            try certificate(["web1"], from: 999_000).checkSuccession(of: old, removed: [])
        }
        #expect(throws: AgentError.self) { try certificate(["web1"]).checkSuccession(of: old, removed: []) }
    }

    @Test func itIsRenewedAfterTwoThirdsOfItsLifeOrALittleEarlier() throws {
        var times: Set<UInt64> = []
        for _ in 0..<40 {
            let renewal = try certificate(["web1"], life: 3_000).renewal.seconds
            #expect((1_001_850...1_002_000).contains(renewal))
            times.insert(renewal)
        }
        // Hosts that got theirs at once don't ask at once.
        #expect(times.count > 5)
        let lives: [UInt64] = [1, 2, 3, 60, 90 * 86_400, 1 << 62]
        for life in lives {
            let shown = try certificate(["web1"], life: life)
            #expect(shown.renewal.seconds >= 1_000_000 && shown.renewal <= shown.end)
        }
    }

    @Test func whatIsNoHostCertificateIsRefused() throws {
        #expect(throws: AgentError.self) { try HostCertificate(try make(["web1"], kind: .user)) }
        let good = try make(["web1"])
        var bytes = good.encoded
        bytes[bytes.count - 1] ^= 1
        let forged = try Certificate(encoded: bytes)
        #expect(throws: AgentError.self) { try HostCertificate(forged) }
        #expect(throws: AgentError.self) {
            try HostCertificate(parsing: Array((key.text + "\n").utf8), name: "file")
        }
        let text = try PublicKeyLine(.certificate(good)).text + "\n"
        #expect(try HostCertificate(parsing: Array(text.utf8), name: "file").names == ["web1"])
    }
}

@Suite struct PinnedKeyTests {
    private let files = SystemFiles()
    private let folder: TemporaryFolder
    private let one: PublicKey
    private let other: PublicKey

    init() throws {
        folder = try TemporaryFolder()
        one = try PrivateKey.generate(.ed25519, comment: "").publicKey
        other = try PrivateKey.generate(.ed25519, comment: "").publicKey
    }

    private func pinned(_ keys: [PublicKey]) -> PinnedKeys {
        PinnedKeys(keys, what: "fleet root", path: folder.path("etc/fleet_root"))
    }

    @Test func whatIsPinnedStaysWhateverAServerSays() throws {
        try folder.makeFolder("etc")
        #expect(try pinned([one]).mustBeWritten(files))
        #expect(try !pinned([]).mustBeWritten(files))
        try folder.write("# by hand\n\(one.text) root\n\(other.text)\n", to: "etc/fleet_root")
        #expect(try !pinned([one]).mustBeWritten(files))
        #expect(try !pinned([]).mustBeWritten(files))
        let third = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let error = #expect(throws: AgentError.self) { try pinned([one, third]).mustBeWritten(files) }
        #expect(error?.code == .conflict && error?.reason.contains(third.fingerprint) == true)
        try folder.write("nonsense\n", to: "etc/fleet_root")
        #expect(throws: AgentError.self) { try pinned([one]).mustBeWritten(files) }
    }

    @Test func whatAnAdministratorExpectsIsAllThatIsPinned() throws {
        let fingerprint = ExpectedRoot.fingerprint(one.fingerprint)
        #expect(try fingerprint.pinned([one]) == [one])
        #expect(throws: AgentError.self) { try fingerprint.pinned([other]) }
        #expect(throws: AgentError.self) { try fingerprint.pinned([one, other]) }
        #expect(throws: AgentError.self) { try fingerprint.pinned([]) }
        #expect(throws: AgentError.self) { try ExpectedRoot.fingerprint("SHA256:").pinned([one]) }
        let keys = ExpectedRoot.keys([one, other])
        #expect(try keys.pinned([]) == [one, other])
        #expect(try keys.pinned([other]) == [one, other])
        #expect(throws: AgentError.self) { try ExpectedRoot.keys([one]).pinned([one, other]) }
    }
}
