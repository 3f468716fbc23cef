// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite struct RevocationFormatTests {
    static let key = Result { try PublicKey(.ed25519([UInt8](repeating: 7, count: 32))) }
    static let authority = Result { try PublicKey(.ed25519([UInt8](repeating: 9, count: 32))) }

    /// A list with every kind of section that we write.
    static func everything() throws -> KeyRevocationList {
        let ours = KeyRevocationList.Scope.authority(try authority.get())
        var builder = KeyRevocationList.Builder(version: 3, generatedUnixSeconds: 1_700_000_000)
        try builder.setComment("héllo")
        try builder.revoke(serials: 10...5_000, of: ours)
        try builder.revoke(eachOf: [1 << 40, 1 << 50, .max], of: ours)
        try builder.revoke(eachOf: stride(from: 10_001, to: 10_200, by: 3), of: ours)
        try builder.revoke(keyID: "alice#1", of: ours)
        try builder.revoke(keyID: "", of: .everyAuthority)
        try builder.revoke(try key.get())
        try builder.revoke(sha1: Digest.insecureSHA1([1]))
        try builder.revoke(sha256: Digest.sha256([1]))
        try builder.revoke(sha256: Digest.sha256([2]))
        return builder.build()
    }

    @Test func listWithEverySectionSurvivesARoundTrip() throws {
        let list = try Self.everything()
        let encoded = try list.checkedEncoding()
        let parsed = try KeyRevocationList(encoded: encoded)
        #expect(parsed == list)
        #expect(parsed.encode() == encoded)
        #expect(parsed.version == 3)
        #expect(parsed.generatedUnixSeconds == 1_700_000_000)
        #expect(parsed.comment == "héllo")
        #expect(parsed.certificates.map(\.scope) == [.everyAuthority, .authority(try Self.authority.get())])
        #expect(parsed.certificates[1].serials.ranges.first == 10...5_000)
        #expect(parsed.certificates[1].serials.count == 4_991 + 3 + 67)
        #expect(parsed.keys.map(\.key) == [try Self.key.get()])
        #expect(parsed.sha1Digests.count == 1)
        #expect(parsed.sha256Digests.count == 2)
    }

    @Test func orderAndRepetitionDoNotShow() throws {
        var one = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        try one.revoke(eachOf: [5, 3, 4, 3, 9], of: .everyAuthority)
        try one.revoke(keyID: "b", of: .everyAuthority)
        try one.revoke(keyID: "a", of: .everyAuthority)
        try one.revoke(serial: 1, of: .authority(try Self.authority.get()))
        var other = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        try other.revoke(serial: 1, of: .authority(try Self.authority.get()))
        try other.revoke(keyID: "a", of: .everyAuthority)
        try other.revoke(keyID: "b", of: .everyAuthority)
        try other.revoke(keyID: "a", of: .everyAuthority)
        try other.revoke(serials: 3...5, of: .everyAuthority)
        try other.revoke(serial: 9, of: .everyAuthority)
        #expect(one.build() == other.build())
        #expect(one.build().encode() == other.build().encode())
    }

    @Test func sectionsOfOneAuthorityBecomeOne() throws {
        let section =
            strings([], []) + [0x20] + strings(uint64s(4)) + [0x23] + strings(strings(Array("a".utf8)))
        let again = strings([], []) + [0x21] + strings(uint64s(5, 9))
        var raw = RawKRL(1, section)
        raw.sections.append((1, again))
        let list = try raw.parsed()
        #expect(list.certificates.count == 1)
        #expect(list.certificates.first?.serials.ranges == [4...9])
        #expect(list.certificates.first?.keyIDs == ["a"])
    }

    @Test func extendingAListKeepsWhatItRevokes() throws {
        let list = try Self.everything()
        var builder = try KeyRevocationList.Builder(extending: list, version: 4, generatedUnixSeconds: 5)
        #expect(builder.build().certificates == list.certificates)
        #expect(builder.build().keys == list.keys)
        try builder.revoke(serial: 77_777, of: .everyAuthority)
        let extended = builder.build()
        #expect(extended.version == 4)
        #expect(extended.comment == list.comment)
        #expect(extended.certificates[0].serials.ranges == [77_777...77_777])
        #expect(extended.sha256Digests == list.sha256Digests)
    }

    @Test func attack58_everyPrefixIsRefusedOrEndsBeforeASection() throws {
        let list = try Self.everything()
        let encoded = list.encode()
        let boundaries = try sectionBoundaries(encoded)
        #expect(boundaries.count == 5)
        // The format doesn't say where it ends: a list cut between two sections is a smaller list.
        for count in boundaries {
            #expect(try KeyRevocationList(encoded: [UInt8](encoded.prefix(count))) != list)
        }
        for count in 0..<encoded.count where !boundaries.contains(count) {
            let code = refusal { () throws(SSHWireError) in
                try KeyRevocationList(encoded: [UInt8](encoded.prefix(count)))
            }
            #expect(code == .truncated, "\(count) bytes")
        }
    }

    @Test func everyChangedByteIsRefusedOrChangesTheList() throws {
        let list = try Self.everything()
        var encoded = list.encode()
        var refused = 0
        for index in encoded.indices {
            let original = encoded[index]
            for mask in UInt8(1)...255 {
                encoded[index] = original ^ mask
                if let changed = try? KeyRevocationList(encoded: encoded) {
                    #expect(changed != list, "byte \(index) xor \(mask)")
                } else {
                    refused += 1
                }
            }
            encoded[index] = original
        }
        #expect(refused > 0)
    }

    @Test func bytesAfterTheLastSectionAreRefused() throws {
        let encoded = try Self.everything().encode()
        for extra: [UInt8] in [[0], [1], [1, 0, 0, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 0]] {
            #expect(throws: SSHWireError.self) { try KeyRevocationList(encoded: encoded + extra) }
        }
    }

    @Test func attack58_emptyOrForeignFileIsRefused() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"
        for text in ["", "S", "SSHKRL\n", "# nothing\n", key, String(repeating: "\n", count: 100)] {
            #expect(throws: SSHWireError.self) { try KeyRevocationList(encoded: Array(text.utf8)) }
        }
        #expect(throws: SSHWireError.self) {
            try KeyRevocationList(encoded: [UInt8](repeating: 0, count: 4_096))
        }
    }

    @Test func attack58_listOfNothingIsAWholeFile() throws {
        let empty = KeyRevocationList.Builder(version: 0, generatedUnixSeconds: 0).build()
        #expect(empty.isEmpty)
        #expect(try empty.checkedEncoding().count == 44)
        #expect(try !Self.everything().isEmpty)
    }

    @Test func attack59_errorPageIsRefused() {
        let page = "HTTP/1.1 502 Bad Gateway\r\n\r\n<html><body>502 Bad Gateway</body></html>"
        #expect(
            refusal { () throws(SSHWireError) in try KeyRevocationList(encoded: Array(page.utf8)) }
                == .invalidValue)
    }

    @Test func attack60_signatureSectionIsRefused() throws {
        let list = try Self.everything()
        var writer = WireWriter()
        writer.writeRaw(list.encode())
        writer.write(UInt8(4))
        writer.writeString(try Self.authority.get().encoded)
        writer.writeString([1, 2, 3])
        let signed = writer.bytes
        #expect(
            refusal { () throws(SSHWireError) in try KeyRevocationList(encoded: signed) } == .unsupportedType)
    }

    @Test func attack61_serial0IsRefusedWhereverItStands() throws {
        let bitmap = uint64s(0) + strings([3])
        for section: (type: UInt8, content: [UInt8]) in [
            (0x20, uint64s(0)), (0x20, uint64s(1, 0)), (0x21, uint64s(0, 5)), (0x22, bitmap),
        ] {
            #expect(
                refusal { () throws(SSHWireError) in try RawKRL(certificates: [section]).parsed() }
                    == .invalidValue)
        }
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        #expect(throws: SSHWireError(.invalidValue, "")) {
            try builder.revoke(serial: 0, of: .everyAuthority)
        }
        #expect(throws: SSHWireError(.invalidValue, "")) {
            try builder.revoke(serials: 0...4, of: .everyAuthority)
        }
        #expect(builder.build().isEmpty)
        // Bit 0 of a bitmap at 0 is serial 0; the others are fine.
        let second = try RawKRL(certificates: [(0x22, uint64s(0) + strings([2]))]).parsed()
        #expect(second.certificates.first?.serials.ranges == [1...1])
    }
}

/// Where the sections of a right list start, the first one first.
private func sectionBoundaries(_ encoded: [UInt8]) throws(SSHWireError) -> [Int] {
    var reader = WireReader(encoded.span)
    _ = try reader.readRaw("header", count: 36)
    _ = try reader.readString("reserved", upTo: 1_000)
    _ = try reader.readString("comment", upTo: 1_000)
    var boundaries: [Int] = []
    while !reader.isAtEnd {
        boundaries.append(reader.offset)
        _ = try reader.readUInt8("type")
        _ = try reader.readString("section", upTo: encoded.count)
    }
    return boundaries
}
