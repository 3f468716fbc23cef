// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

/// Each refusal beside the nearest list that is accepted.
@Suite struct RevocationRefusalTests {
    private func code(_ raw: RawKRL) -> SSHWireError.Code? {
        refusal { () throws(SSHWireError) in try raw.parsed() }
    }

    private func code(_ sections: (type: UInt8, content: [UInt8])...) -> SSHWireError.Code? {
        code(RawKRL(certificates: sections))
    }

    @Test func unknownFormatVersionIsRefused() {
        var raw = RawKRL(certificates: [(0x20, uint64s(1))])
        #expect(code(raw) == nil)
        raw.format = 2
        #expect(code(raw) == .unsupportedType)
    }

    @Test func headerFieldsWithoutMeaningAreKept() throws {
        var raw = RawKRL(certificates: [(0x20, uint64s(1))], reserved: [5])
        raw.flags = 1 << 63
        raw.reserved = [1, 2]
        let list = try raw.parsed()
        #expect(list.flags == 1 << 63)
        #expect(list.reserved == [1, 2])
        #expect(list.certificates.first?.reserved == [5])
        #expect(list.encode() == raw.encoded)
    }

    @Test func commentMustBeTextWithinItsLimit() {
        var raw = RawKRL(certificates: [(0x20, uint64s(1))])
        raw.comment = [UInt8](repeating: 0x61, count: Limits.krlTextBytes)
        #expect(code(raw) == nil)
        raw.comment.append(0x61)
        #expect(code(raw) == .tooLong)
        raw.comment = [0x61, 0]
        #expect(code(raw) == .notText)
        raw.comment = [0xff]
        #expect(code(raw) == .notText)
    }

    @Test func unknownSectionsAreRefused() {
        #expect(code(RawKRL(6, [1])) == .unsupportedType)
        #expect(code((0x24, [1])) == .unsupportedType)
        #expect(code((0x20, uint64s(1)), (0, [1])) == .unsupportedType)
    }

    @Test func sectionsThatRevokeNothingAreRefused() {
        #expect(code(RawKRL(certificates: [])) == .invalidValue)
        #expect(code((0x20, [])) == .invalidValue)
        #expect(code((0x23, [])) == .invalidValue)
        for type: UInt8 in [2, 3, 5] { #expect(code(RawKRL(type, [])) == .invalidValue) }
    }

    @Test func rangeThatEndsBeforeItStartsIsRefused() throws {
        #expect(code((0x21, uint64s(5, 4))) == .invalidValue)
        #expect(code((0x21, uint64s(5, 5))) == nil)
        let all = try RawKRL(certificates: [(0x21, uint64s(1, .max))]).parsed()
        #expect(all.certificates.first?.serials.count == UInt64.max)
        #expect(try all.checkedEncoding() == RawKRL(certificates: [(0x21, uint64s(1, .max))]).encoded)
    }

    @Test func cutOffOrOverlongSerialSectionsAreRefused() {
        #expect(code((0x20, uint64s(5) + [0])) == .truncated)
        #expect(code((0x21, uint64s(5))) == .truncated)
        #expect(code((0x21, uint64s(5, 6) + [0])) == .tooLong)
        #expect(code((0x22, uint64s(5))) == .truncated)
        #expect(code((0x22, uint64s(5) + strings([1]) + [0])) == .trailingBytes)
    }

    @Test func bitmapHasOneForm() {
        #expect(code((0x22, uint64s(5) + strings([1]))) == nil)
        #expect(code((0x22, uint64s(5) + strings([]))) == .invalidValue)
        #expect(code((0x22, uint64s(5) + strings([0, 1]))) == .notCanonical)
        #expect(code((0x22, uint64s(5) + strings([0x80]))) == .invalidValue)
        #expect(code((0x22, uint64s(5) + strings([0, 0x80]))) == nil)
    }

    @Test func bitmapEndsAtTheLastSerial() throws {
        let last = try RawKRL(certificates: [(0x22, uint64s(.max - 1) + strings([3]))]).parsed()
        #expect(last.certificates.first?.serials.ranges == [(UInt64.max - 1)...UInt64.max])
        #expect(code((0x22, uint64s(.max - 1) + strings([7]))) == .invalidValue)
        #expect(code((0x22, uint64s(.max) + strings([1]))) == nil)
        #expect(code((0x22, uint64s(.max) + strings([1, 0]))) == .invalidValue)
    }

    @Test func hostileBitmapsStopAtTheLimitOfRanges() {
        // 512 bitmaps of 8,192 separate serials are the limit; two bytes of bitmap hold eight.
        var writer = WireWriter(reserving: 2 << 20)
        writer.writeString([])
        writer.writeString([])
        let bits = [UInt8](repeating: 0x55, count: Limits.krlBitmapBits / 8)
        let bitmaps = Limits.krlSerialRanges / (Limits.krlBitmapBits / 2)
        for number in 0...UInt64(bitmaps) {
            writer.write(UInt8(0x22))
            writer.writeString(uint64s(number * UInt64(Limits.krlBitmapBits) + 1) + strings(bits))
        }
        #expect(writer.bytes.count < 2 << 20)
        #expect(code(RawKRL(1, writer.bytes)) == .tooLong)
    }

    @Test func manyCertificateSectionsAreRefused() {
        let section = strings([], []) + [0x20] + strings(uint64s(1))
        var raw = RawKRL(1, section)
        raw.sections = Array(repeating: (1, section), count: Limits.krlCertificateSections)
        #expect(code(raw) == nil)
        raw.sections.append((1, section))
        #expect(code(raw) == .tooLong)
    }

    @Test func keyIDMustBeTextWithinItsLimit() {
        let longest = [UInt8](repeating: 0x61, count: Limits.keyIDBytes)
        #expect(code((0x23, strings(longest))) == nil)
        #expect(code((0x23, strings(longest + [0x61]))) == .tooLong)
        #expect(code((0x23, strings([0x61, 0]))) == .notText)
        #expect(code((0x23, strings([]))) == nil)
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        #expect(throws: SSHWireError(.notText, "")) { try builder.revoke(keyID: "a\0b", of: .everyAuthority) }
        #expect(throws: SSHWireError(.notText, "")) { try builder.setComment("\0") }
    }

    @Test func fingerprintsHaveTheirSize() {
        for (type, size) in [(UInt8(3), 20), (5, 32)] {
            #expect(code(RawKRL(type, strings([UInt8](repeating: 1, count: size)))) == nil)
            #expect(code(RawKRL(type, strings([UInt8](repeating: 1, count: size - 1)))) == .invalidValue)
            #expect(code(RawKRL(type, strings([UInt8](repeating: 1, count: size + 1)))) == .tooLong)
        }
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        #expect(throws: SSHWireError(.invalidValue, "")) {
            try builder.revoke(sha1: [UInt8](repeating: 1, count: 32))
        }
        #expect(throws: SSHWireError(.invalidValue, "")) {
            try builder.revoke(sha256: [UInt8](repeating: 1, count: 20))
        }
    }

    @Test func fingerprintsAscend() {
        let low = [UInt8](repeating: 1, count: 32)
        let high = [UInt8](repeating: 2, count: 32)
        #expect(code(RawKRL(5, strings(low, high))) == nil)
        #expect(code(RawKRL(5, strings(high, low))) == .unordered)
        #expect(code(RawKRL(5, strings(low, low))) == .duplicate)
    }

    @Test func keysMustBePlainAndWhole() throws {
        let key = try RevocationFormatTests.key.get().encoded
        #expect(code(RawKRL(2, strings(key))) == nil)
        #expect(code(RawKRL(2, strings(key + [0]))) == .trailingBytes)
        #expect(code(RawKRL(2, strings([UInt8](key.dropLast())))) == .truncated)
        #expect(code(RawKRL(2, strings([]))) == .truncated)
        let certificate = strings(Array("ssh-ed25519-cert-v01@openssh.com".utf8), [1, 2, 3])
        #expect(code(RawKRL(2, strings(certificate))) == .nestedCertificate)
    }

    @Test func keysThatWeDoNotSupportCanBeRevoked() throws {
        let small = strings(Array("ssh-rsa".utf8), [3], [0] + [UInt8](repeating: 0xff, count: 128))
        let dsa = strings(Array("ssh-dss".utf8), [7], [5], [3], [2])
        let list = try RawKRL(2, strings(small, dsa)).parsed()
        #expect(list.keys.map(\.typeName) == ["ssh-dss", "ssh-rsa"])
        #expect(list.keys.map(\.key) == [nil, nil])
        // A number with a superfluous zero would never match.
        let padded = strings(Array("ssh-rsa".utf8), [0, 3], [0] + [UInt8](repeating: 0xff, count: 128))
        #expect(code(RawKRL(2, strings(padded))) == .notCanonical)
    }

    @Test func attack16_certificateAsAuthorityIsRefused() throws {
        let authority = try RevocationFormatTests.authority.get().encoded
        let section: [(type: UInt8, content: [UInt8])] = [(0x20, uint64s(1))]
        #expect(code(RawKRL(certificates: section, authority: authority)) == nil)
        let certificate = strings(Array("ssh-ed25519-cert-v01@openssh.com".utf8), [1, 2, 3])
        #expect(code(RawKRL(certificates: section, authority: certificate)) == .nestedCertificate)
        #expect(code(RawKRL(certificates: section, authority: [1, 2, 3])) == .truncated)
    }

    @Test func sectionsOfOneAuthorityWithDifferentReservedFieldsAreRefused() {
        var raw = RawKRL(certificates: [(0x20, uint64s(1))], reserved: [1])
        raw.sections += RawKRL(certificates: [(0x20, uint64s(2))], reserved: [1]).sections
        #expect(code(raw) == nil)
        raw.sections += RawKRL(certificates: [(0x20, uint64s(3))], reserved: [2]).sections
        #expect(code(raw) == .invalidValue)
    }

    @Test func extensionsThatAreNotCriticalAreKeptButNotInstalled() throws {
        let name = Array("note@example.org".utf8)
        let harmless = strings(name) + [0] + strings([1, 2])
        var raw = RawKRL(certificates: [(0x20, uint64s(1)), (0x39, harmless)])
        raw.sections.append((255, harmless))
        let list = try raw.parsed()
        #expect(list.extensions == list.certificates.first?.extensions)
        #expect(list.extensions.first?.name == "note@example.org")
        #expect(list.extensions.first?.content == [1, 2])
        #expect(list.encode() == raw.encoded)
        #expect(throws: SSHWireError(.unsupportedType, "")) { try list.checkedEncoding() }
        let rebuilt = try KeyRevocationList.Builder(extending: list, version: 8, generatedUnixSeconds: 1)
        #expect(try rebuilt.build().checkedEncoding().count < raw.encoded.count)
    }

    @Test func criticalExtensionsAreRefused() {
        let name = Array("note@example.org".utf8)
        for flag: UInt8 in [1, 2, 255] {
            let critical = strings(name) + [flag] + strings([1, 2])
            #expect(code(RawKRL(255, critical)) == .unsupportedType)
            #expect(code((0x20, uint64s(1)), (0x39, critical)) == .unsupportedType)
        }
        #expect(code(RawKRL(255, strings(name) + [0] + strings([1]) + [0])) == .trailingBytes)
        #expect(code(RawKRL(255, strings(name) + [0])) == .truncated)
    }
}
