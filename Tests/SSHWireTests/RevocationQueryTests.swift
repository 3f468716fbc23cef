// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite struct RevocationQueryTests {
    let key: PublicKey
    let authority: PublicKey
    let other: PublicKey

    init() throws {
        key = try PublicKey(.ed25519([UInt8](repeating: 1, count: 32)))
        authority = try PublicKey(.ed25519([UInt8](repeating: 2, count: 32)))
        other = try PublicKey(.ed25519([UInt8](repeating: 3, count: 32)))
    }

    private func list(
        _ fill: (inout KeyRevocationList.Builder) throws -> Void
    ) rethrows -> KeyRevocationList {
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        try fill(&builder)
        return builder.build()
    }

    private func certificateRevocation(
        _ list: KeyRevocationList, serial: UInt64 = 5, keyID: ExactText = "alice"
    ) -> Revocation? {
        list.revocation(ofCertificateFor: key, serial: serial, keyID: keyID, signedBy: authority)
    }

    @Test func keyIsFoundByEachOfItsNames() throws {
        let plain = try list { try $0.revoke(key) }
        #expect(plain.revocation(of: key) == .key(.key))
        #expect(plain.revocation(of: other) == nil)
        let sha1 = try list { try $0.revoke(sha1: Digest.insecureSHA1(key.encoded)) }
        #expect(sha1.revocation(of: key) == .sha1(.key))
        #expect(sha1.revocation(of: other) == nil)
        let sha256 = try list { try $0.revoke(sha256: Digest.sha256(key.encoded)) }
        #expect(sha256.revocation(of: key) == .sha256(.key))
        #expect(sha256.revocation(of: other) == nil)
    }

    @Test func revokedKeyTakesItsCertificatesWithIt() throws {
        #expect(certificateRevocation(try list { try $0.revoke(key) }) == .key(.key))
        #expect(
            certificateRevocation(try list { try $0.revoke(sha256: Digest.sha256(key.encoded)) })
                == .sha256(.key))
        #expect(certificateRevocation(try list { try $0.revoke(other) }) == nil)
    }

    @Test func revokedAuthorityTakesItsCertificatesWithIt() throws {
        #expect(certificateRevocation(try list { try $0.revoke(authority) }) == .key(.authority))
        let sha1 = try list { try $0.revoke(sha1: Digest.insecureSHA1(authority.encoded)) }
        #expect(certificateRevocation(sha1) == .sha1(.authority))
        #expect(sha1.revocation(of: key) == nil)
    }

    @Test func serialsAndKeyIDsBelongToTheirAuthority() throws {
        let ours = try list {
            try $0.revoke(serials: 3...5, of: .authority(authority))
            try $0.revoke(keyID: "bob", of: .authority(authority))
        }
        #expect(certificateRevocation(ours) == .serial(5, in: 3...5, .authority(authority)))
        #expect(certificateRevocation(ours, serial: 6) == nil)
        #expect(certificateRevocation(ours, serial: 6, keyID: "bob") == .keyID("bob", .authority(authority)))
        let theirs = try list {
            try $0.revoke(serials: 3...5, of: .authority(other))
            try $0.revoke(keyID: "alice", of: .authority(other))
        }
        #expect(certificateRevocation(theirs) == nil)
        let everybodys = try list { try $0.revoke(serial: 5, of: .everyAuthority) }
        #expect(certificateRevocation(everybodys) == .serial(5, in: 5...5, .everyAuthority))
    }

    @Test func plainKeyHasNeitherSerialNorKeyID() throws {
        let all = try list {
            try $0.revoke(serials: 1...(.max), of: .everyAuthority)
            try $0.revoke(keyID: "", of: .everyAuthority)
        }
        #expect(all.revocation(of: key) == nil)
        #expect(certificateRevocation(all) != nil)
    }

    @Test func attack61_serial0IsNeverMatchedButItsKeyIDIs() throws {
        let all = try list { try $0.revoke(serials: 1...(.max), of: .everyAuthority) }
        #expect(certificateRevocation(all, serial: 0) == nil)
        #expect(certificateRevocation(all, serial: .max) != nil)
        let byName = try list { try $0.revoke(keyID: "", of: .everyAuthority) }
        #expect(certificateRevocation(byName, serial: 0, keyID: "") == .keyID("", .everyAuthority))
        #expect(certificateRevocation(byName, serial: 0, keyID: "alice") == nil)
    }

    @Test func keyIDsAreComparedByTheirBytes() throws {
        let composed = try list { try $0.revoke(keyID: "caf\u{e9}", of: .everyAuthority) }
        #expect(certificateRevocation(composed, keyID: "caf\u{e9}") != nil)
        #expect(certificateRevocation(composed, keyID: "cafe\u{301}") == nil)
        #expect(certificateRevocation(composed, keyID: "CAF\u{e9}") == nil)
    }

    @Test func firstRuleInSSHDsOrderIsTold() throws {
        let everything = try list {
            try $0.revoke(key)
            try $0.revoke(authority)
            try $0.revoke(serial: 5, of: .everyAuthority)
            try $0.revoke(serial: 5, of: .authority(authority))
            try $0.revoke(keyID: "alice", of: .authority(authority))
        }
        #expect(certificateRevocation(everything) == .key(.key))
        let certificates = try list {
            try $0.revoke(authority)
            try $0.revoke(keyID: "alice", of: .everyAuthority)
            try $0.revoke(serial: 5, of: .authority(authority))
        }
        #expect(certificateRevocation(certificates) == .serial(5, in: 5...5, .authority(authority)))
    }

    @Test func explanationsNameTheRuleAndEscapeWhatTheyQuote() throws {
        let list = try list {
            try $0.revoke(keyID: "al\u{1b}[2Jice", of: .authority(authority))
            try $0.revoke(serials: 7...9, of: .everyAuthority)
        }
        let byName = try #require(certificateRevocation(list, keyID: "al\u{1b}[2Jice")).description
        #expect(byName == "key ID \"al\\u{1b}[2Jice\" is listed for authority \(authority.fingerprint)")
        let bySerial = try #require(certificateRevocation(list, serial: 8)).description
        #expect(bySerial == "serial 8 is in 7-9, listed for every authority")
    }
}
