// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

/// The installed ssh-keygen, which reads KRLs by sshd's own code.
@Suite struct RevocationInteropTests {
    let folder: RevocationTestFolder
    let ours: PublicKey
    let theirs: PublicKey

    init() throws {
        folder = try RevocationTestFolder()
        ours = try folder.makeKey("ours")
        theirs = try folder.makeKey("theirs", type: "ecdsa")
    }

    private func line(_ name: String) throws -> String {
        String(decoding: try folder.read(name + ".pub"), as: UTF8.self).split(separator: "\n").joined()
    }

    @Test(arguments: [
        [],
        ["serial: 1-4", "serial: 10", "serial: 15", "serial: 30", "serial: 50", "serial: 90", "serial: 999"],
        ["serial: 500-799", "serial: 10000-20000", "serial: 30000-40000"],
        ["serial: 1", "serial: 4294967296", "serial: 9223372036854775808", "serial: 18446744073709551615"],
        ["serial: 1-18446744073709551615"],
        ["id: alice#1", "id: bob with spaces", "id: b\u{fc}ro"],
        ["id: z", "serial: 7", "id: a", "serial: 9"],
        (0..<4_000).map { "serial: \($0 * 4 + 1)" },
    ])
    func certificatesOfSSHKeygensListsReadTheSame(specification: [String]) throws {
        for authority in [nil, "ours", "theirs"] {
            let made = try folder.makeKRL(
                "made.krl", of: specification, authority: authority, options: ["-z", "42"])
            let list = try KeyRevocationList(encoded: made)
            #expect(list.version == 42)
            #expect(try sshKeygenListing(of: folder.file("made.krl")) == ourListing(of: list))
            let written = try folder.write(try list.checkedEncoding(), to: "written.krl")
            #expect(try sshKeygenListing(of: written) == ourListing(of: list))
            #expect(try list.checkedEncoding().count <= made.count)
        }
    }

    @Test func keysOfSSHKeygensListsReadTheSame() throws {
        let types = ["ed25519", "ecdsa", "rsa"]
        for type in types { _ = try folder.makeKey("k-" + type, type: type) }
        let names = types.map { "k-" + $0 }
        var specification = ["serial: 5"]
        for name in names {
            specification.append("key: \(try line(name))")
            specification.append("sha1: \(try line(name))")
        }
        specification.append("sha256: \(try line("k-rsa"))")
        specification.append("hash: \(try folder.publicKey("k-ecdsa").fingerprint)")
        specification.append(try line("theirs"))
        let made = try folder.makeKRL("made.krl", of: specification)
        let list = try KeyRevocationList(encoded: made)
        #expect(Set(list.keys.map(\.key)) == Set(try names.map { try folder.publicKey($0) } + [theirs]))
        #expect(list.sha1Digests.count == 3)
        #expect(list.sha256Digests.count == 2)
        #expect(try sshKeygenListing(of: folder.file("made.krl")) == ourListing(of: list))
        #expect(list.encode() == made)
    }

    @Test func listsOfSeveralAuthoritiesReadTheSame() throws {
        _ = try folder.makeKRL("made.krl", of: ["serial: 5", "id: x"], authority: "ours")
        _ = try folder.makeKRL("made.krl", of: ["serial: 6-9"], authority: "theirs", options: ["-u"])
        let made = try folder.makeKRL("made.krl", of: ["id: y"], options: ["-u"])
        let list = try KeyRevocationList(encoded: made)
        #expect(
            Set(list.certificates.map(\.scope)) == [.everyAuthority, .authority(ours), .authority(theirs)])
        #expect(try sshKeygenListing(of: folder.file("made.krl")) == ourListing(of: list))
        let written = try folder.write(try list.checkedEncoding(), to: "written.krl")
        #expect(try sshKeygenListing(of: written) == ourListing(of: list))
    }

    @Test func exactlyTheRevokedSerialsAreRevoked() throws {
        let key = try folder.makeKey("subject")
        let edges: [UInt64] = [1, 1 << 32, 1 << 63, .max]
        let asked = Set(
            edges.flatMap { [$0, $0 &- 1, $0 &+ 1, $0 &- 2, $0 &+ 2] }.filter { $0 > 0 }
        ).sorted()
        let certificates = try asked.map {
            try folder.certify("subject", serial: $0, keyID: "alice", by: "ours")
        }
        let lists: [[ClosedRange<UInt64>]] =
            edges.map { [$0...$0] } + [
                edges.map { $0...$0 },
                [1...(1 << 32)],
                [(1 << 32)...(1 << 63)],
                [(1 << 63)...(.max)],
                [2...(.max - 1)],
                // Two serials with one between them: a bitmap.
                edges.dropFirst().dropLast().flatMap { [($0 - 1)...($0 - 1), ($0 + 1)...($0 + 1)] },
            ]
        for ranges in lists {
            for scope in [KeyRevocationList.Scope.authority(ours), .everyAuthority, .authority(theirs)] {
                var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 1)
                for range in ranges { try builder.revoke(serials: range, of: scope) }
                let list = builder.build()
                let expected = asked.map { serial in
                    scope != .authority(theirs) && ranges.contains { $0.contains(serial) }
                }
                #expect(try folder.revoked(by: try list.checkedEncoding(), among: certificates) == expected)
                let answers = asked.map {
                    list.revocation(ofCertificateFor: key, serial: $0, keyID: "alice", signedBy: ours) != nil
                }
                #expect(answers == expected)
            }
        }
    }

    @Test func queriesAgreeAboutKeysAuthoritiesAndKeyIDs() throws {
        let key = try folder.makeKey("subject")
        let other = try folder.makeKey("other")
        let paths = [
            try folder.certify("subject", serial: 5, keyID: "alice", by: "ours"),
            try folder.certify("subject", serial: 0, keyID: "alice", by: "theirs"),
            try folder.certify("other", serial: 5, keyID: "bob", by: "theirs"),
            folder.file("subject.pub"), folder.file("other.pub"), folder.file("ours.pub"),
        ]
        typealias Fill = (inout KeyRevocationList.Builder) throws -> Void
        let fills: [Fill] = [
            { _ in },
            { try $0.revoke(key) },
            { try $0.revoke(sha1: Digest.insecureSHA1(key.encoded)) },
            { try $0.revoke(sha256: Digest.sha256(other.encoded)) },
            { try $0.revoke(ours) },
            { try $0.revoke(sha256: Digest.sha256(theirs.encoded)) },
            { try $0.revoke(sha1: Digest.insecureSHA1(theirs.encoded)) },
            { try $0.revoke(keyID: "alice", of: .everyAuthority) },
            { try $0.revoke(keyID: "alice", of: .authority(theirs)) },
            { try $0.revoke(serial: 5, of: .authority(theirs)) },
            { try $0.revoke(serials: 1...(.max), of: .everyAuthority) },
            { try $0.revoke(serials: 6...(.max), of: .everyAuthority) },
        ]
        var revokedTotal = 0
        for fill in fills {
            var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 1)
            try fill(&builder)
            let list = builder.build()
            let answers = [
                list.revocation(ofCertificateFor: key, serial: 5, keyID: "alice", signedBy: ours),
                list.revocation(ofCertificateFor: key, serial: 0, keyID: "alice", signedBy: theirs),
                list.revocation(ofCertificateFor: other, serial: 5, keyID: "bob", signedBy: theirs),
                list.revocation(of: key), list.revocation(of: other), list.revocation(of: ours),
            ]
            let revoked = answers.map { $0 != nil }
            #expect(try folder.revoked(by: try list.checkedEncoding(), among: paths) == revoked)
            revokedTotal += revoked.count { $0 }
        }
        #expect(revokedTotal == 20)
    }

    @Test func bitmapsAreReadUpToTheSameBit() throws {
        for bits in [16_383, 16_384, 16_385] {
            var bytes = [UInt8](repeating: 0, count: (bits + 7) / 8)
            bytes[0] |= 1 << UInt8((bits - 1) % 8)
            bytes[bytes.count - 1] |= 1
            if bytes[0] & 0x80 != 0 { bytes.insert(0, at: 0) }
            let raw = RawKRL(certificates: [(0x22, uint64s(100) + strings(bytes))])
            let asked = try runSSHKeygen(["-Q", "-l", "-f", try folder.write(raw.encoded, to: "bits.krl")])
            #expect((asked.status == 0) == (bits <= 16_384))
            guard asked.status == 0 else {
                #expect(throws: SSHWireError(.tooLong, "")) { try raw.parsed() }
                continue
            }
            let last = UInt64(99 + bits)
            #expect(try raw.parsed().certificates.first?.serials.ranges == [100...100, last...last])
        }
    }

    @Test(arguments: [16_383, 16_384, 16_385, 16_386, 32_768, 40_001] as [UInt64])
    func alternatingSerialsAreReadBySSHKeygen(span: UInt64) throws {
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 1)
        try builder.revoke(eachOf: stride(from: 1, to: span, by: 2), of: .authority(ours))
        try builder.revoke(serial: span, of: .authority(ours))
        let list = builder.build()
        let path = try folder.write(try list.checkedEncoding(), to: "alternating.krl")
        #expect(try sshKeygenListing(of: path) == ourListing(of: list))
    }

    @Test(arguments: [3, 10, 100, 1_000, 1 << 40] as [UInt64])
    func twentyThousandScatteredSerialsAreReadBySSHKeygen(largestGap: UInt64) throws {
        var numbers = RepeatableNumbers(state: largestGap)
        var serials: [UInt64] = []
        var next: UInt64 = 1
        for _ in 0..<20_000 {
            next += UInt64.random(in: 1...largestGap, using: &numbers)
            serials.append(next)
        }
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 1)
        try builder.revoke(eachOf: serials.shuffled(using: &numbers), of: .authority(ours))
        let list = builder.build()
        let written = try list.checkedEncoding()
        let path = try folder.write(written, to: "scattered.krl")
        #expect(try sshKeygenListing(of: path) == ourListing(of: list))

        // ssh-keygen's own list may be one that it can't read; then neither do we.
        let made = try folder.makeKRL("made.krl", of: serials.map { "serial: \($0)" }, authority: "ours")
        let isReadable = try runSSHKeygen(["-Q", "-l", "-f", folder.file("made.krl")]).status == 0
        guard isReadable else {
            #expect(throws: SSHWireError(.tooLong, "")) { try KeyRevocationList(encoded: made) }
            return
        }
        #expect(try KeyRevocationList(encoded: made).certificates == list.certificates)
        #expect(written.count <= made.count)
    }

    @Test(arguments: [2, 5, 20, 80, 400, 5_000] as [UInt64])
    func listsAreNeverLargerThanSSHKeygens(largestGap: UInt64) throws {
        var numbers = RepeatableNumbers(state: largestGap)
        for count in [1, 2, 3, 5, 8, 20, 60, 200] {
            var specification: [String] = []
            var next: UInt64 = 1
            for _ in 0..<count {
                next += UInt64.random(in: 1...largestGap, using: &numbers)
                let isRun = Int.random(in: 0..<4, using: &numbers) == 0
                let last = isRun ? next + UInt64.random(in: 1...60, using: &numbers) : next
                specification.append(isRun ? "serial: \(next)-\(last)" : "serial: \(next)")
                next = last
            }
            let made = try folder.makeKRL("made.krl", of: specification, authority: "ours")
            let list = try KeyRevocationList(encoded: made)
            #expect(try list.checkedEncoding().count <= made.count, "\(specification)")
        }
    }

    @Test func whatWeAcceptOfADamagedListSSHKeygenReadsTheSame() throws {
        var builder = KeyRevocationList.Builder(version: 3, generatedUnixSeconds: 1_700_000_000)
        try builder.setComment("a list")
        try builder.revoke(serials: 10...5_000, of: .authority(ours))
        try builder.revoke(eachOf: [1 << 40, .max, 10_001, 10_003, 10_009, 10_017], of: .authority(ours))
        try builder.revoke(keyID: "alice", of: .everyAuthority)
        try builder.revoke(ours)
        try builder.revoke(sha1: Digest.insecureSHA1([1]))
        try builder.revoke(sha256: Digest.sha256([1]))
        var encoded = try builder.build().checkedEncoding()
        var numbers = RepeatableNumbers(state: 11)
        var accepted = 0
        // Not the date: how it is shown depends on the C library. Nor control characters, which it escapes.
        for index in encoded.indices where !(20..<28).contains(index) {
            let original = encoded[index]
            encoded[index] ^= 1 << UInt8.random(in: 0..<5, using: &numbers)
            defer { encoded[index] = original }
            guard let list = try? KeyRevocationList(encoded: encoded) else { continue }
            let texts = [list.comment] + list.certificates.flatMap(\.keyIDs)
            guard texts.allSatisfy({ !$0.string.holdsControlCharacters }) else { continue }
            // It has no fingerprint for a key whose type it doesn't know.
            guard list.keys.allSatisfy({ $0.key != nil }) else { continue }
            accepted += 1
            let path = try folder.write(encoded, to: "damaged.krl")
            #expect(try sshKeygenListing(of: path) == ourListing(of: list), "byte \(index)")
        }
        #expect(accepted > 20)
    }
}
