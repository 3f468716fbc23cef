// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension KeyRevocationList {
    /// Parses a list to its last byte.
    ///
    /// Takes memory in proportion to the number of separate ranges and entries, which ``Limits`` bounds, and never
    /// to the number of serials in a range.
    ///
    /// - Throws: `.unsupportedType` for a signature section, a critical extension or an unknown section,
    ///   `.invalidValue` for serial 0, a range that ends before it starts or an empty section, `.unordered` or
    ///   `.duplicate` for fingerprints out of order, and what the fields themselves throw.
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        guard encoded.count <= Limits.krlBytes else {
            throw SSHWireError(
                .tooLong, "KRL: \(encoded.count) bytes, at most \(Limits.krlBytes) are allowed")
        }
        var reader = WireReader(encoded)
        var builder = try Builder(headerFrom: &reader)
        var certificateSections = 0
        while !reader.isAtEnd {
            let type = try reader.readUInt8("section type")
            switch SectionType(rawValue: type) {
            case .certificates:
                certificateSections += 1
                guard certificateSections <= Limits.krlCertificateSections else {
                    throw SSHWireError(
                        .tooLong, "KRL: over \(Limits.krlCertificateSections) certificate sections")
                }
                try reader.readNested("certificate section", upTo: Limits.krlBytes) {
                    section throws(SSHWireError) in try builder.readCertificates(from: &section)
                }
            case .explicitKeys:
                try reader.readEntries("key section") { entries throws(SSHWireError) in
                    let blob = try entries.readString("revoked key", upTo: Limits.keyBlobBytes)
                    try builder.revoke(try RevokedKey(encoded: blob))
                }
            case .sha1Fingerprints:
                var last: [UInt8] = []
                try reader.readEntries("SHA-1 section") { entries throws(SSHWireError) in
                    last = try entries.readDigest("SHA-1 fingerprint", size: 20, after: last)
                    try builder.revoke(sha1: last)
                }
            case .sha256Fingerprints:
                var last: [UInt8] = []
                try reader.readEntries("SHA-256 section") { entries throws(SSHWireError) in
                    last = try entries.readDigest("SHA-256 fingerprint", size: 32, after: last)
                    try builder.revoke(sha256: last)
                }
            case .extension:
                try builder.add(try reader.readExtension(), toSection: nil)
            case .signature:
                throw SSHWireError(
                    .unsupportedType,
                    "KRL: it holds a signature section, which OpenSSH gave up in 9.4; sign the whole file with "
                        + "SSHSIG instead")
            case nil: throw SSHWireError(.unsupportedType, "KRL: unknown section type \(type)")
            }
        }
        self = builder.build()
    }

    /// Parses a list to its last byte.
    public init(encoded: [UInt8]) throws(SSHWireError) { try self.init(encoded: encoded.span) }
}

extension KeyRevocationList.Builder {
    fileprivate init(headerFrom reader: inout WireReader) throws(SSHWireError) {
        // sshd takes a file that doesn't start so for a list of public keys: an empty one revokes nobody without a
        // word (sshkey_check_revoked in authfile.c).
        let magic = [UInt8](try reader.readRaw("KRL magic", count: KeyRevocationList.magic.count))
        guard magic == KeyRevocationList.magic else {
            throw SSHWireError(.invalidValue, "KRL: it does not start with \"SSHKRL\"")
        }
        let format = try reader.readUInt32("KRL format version")
        guard format == KeyRevocationList.formatVersion else {
            throw SSHWireError(.unsupportedType, "KRL: format version \(format), 1 expected")
        }
        self.init(
            version: try reader.readUInt64("KRL version"),
            generatedUnixSeconds: try reader.readUInt64("generated date"))
        let flags = try reader.readUInt64("flags")
        let reserved = try reader.readBytes("reserved", upTo: Limits.krlTextBytes)
        setHeader(
            flags: flags, reserved: reserved,
            comment: try reader.readText("comment", upTo: Limits.krlTextBytes))
    }

    fileprivate mutating func readCertificates(from reader: inout WireReader) throws(SSHWireError) {
        let blob = try reader.readString("CA key", upTo: Limits.keyBlobBytes)
        let scope: KeyRevocationList.Scope =
            blob.isEmpty ? .everyAuthority : .authority(try PublicKey(encoded: blob))
        let index = try section(for: scope)
        try setReserved(try reader.readBytes("reserved", upTo: Limits.krlTextBytes), ofSection: index)
        guard !reader.isAtEnd else {
            throw SSHWireError(.invalidValue, "certificate section: it revokes nothing")
        }
        while !reader.isAtEnd {
            let type = try reader.readUInt8("certificate section type")
            switch KeyRevocationList.CertificateSectionType(rawValue: type) {
            case .serialList:
                try reader.readEntries("serial list") { entries throws(SSHWireError) in
                    let serial = try entries.readUInt64("serial")
                    try revoke(serials: serial...serial, ofSection: index)
                }
            case .serialRange:
                try reader.readNested("serial range", upTo: 16) { fields throws(SSHWireError) in
                    let first = try fields.readUInt64("first serial")
                    let last = try fields.readUInt64("last serial")
                    guard first <= last else {
                        throw SSHWireError(.invalidValue, "serial range: it ends before it starts")
                    }
                    try revoke(serials: first...last, ofSection: index)
                }
            case .serialBitmap: try readBitmap(from: &reader, section: index)
            case .keyIDs:
                try reader.readEntries("key ID section") { entries throws(SSHWireError) in
                    let keyID = try entries.readText("key ID", upTo: Limits.keyIDBytes)
                    try revoke(keyID: keyID, ofSection: index)
                }
            case .extension: try add(try reader.readExtension(), toSection: index)
            case nil:
                throw SSHWireError(.unsupportedType, "certificate section: unknown section type \(type)")
            }
        }
    }

    /// Reads a bitmap, from its lowest bit up: neighbours become ranges before anything is stored.
    private mutating func readBitmap(
        from reader: inout WireReader, section index: Int
    ) throws(SSHWireError) {
        // The serial of bit 0, and a big number with its length and perhaps a sign byte.
        let maximum = 8 + 4 + Limits.krlBitmapBits / 8 + 1
        try reader.readNested("serial bitmap", upTo: maximum) { fields throws(SSHWireError) in
            let offset = try fields.readUInt64("bitmap offset")
            let bits = try fields.readPositiveInteger("bitmap", upTo: Limits.krlBitmapBits / 8)
            var serial = offset
            var wrapped = false
            for position in stride(from: bits.count - 1, through: 0, by: -1) {
                for bit in 0..<8 {
                    if bits[position] >> UInt8(bit) & 1 == 1 {
                        guard !wrapped else {
                            throw SSHWireError(.invalidValue, "bitmap: it goes past the last serial")
                        }
                        try revoke(serials: serial...serial, ofSection: index)
                    }
                    let next = serial.addingReportingOverflow(1)
                    serial = next.partialValue
                    wrapped = wrapped || next.overflow
                }
            }
        }
    }
}

extension WireReader {
    /// Reads a section that must hold at least one entry (PROTOCOL.krl, sections 2.4, 3 and 4).
    fileprivate mutating func readEntries(
        _ field: StaticString, _ body: (inout WireReader) throws(SSHWireError) -> Void
    ) throws(SSHWireError) {
        try readNested(field, upTo: Limits.krlBytes) { entries throws(SSHWireError) in
            guard !entries.isAtEnd else { throw SSHWireError(.invalidValue, "\(field): it is empty") }
            while !entries.isAtEnd { try body(&entries) }
        }
    }

    /// Reads a fingerprint; they must ascend (PROTOCOL.krl, section 4).
    fileprivate mutating func readDigest(
        _ field: StaticString, size: Int, after last: [UInt8]
    ) throws(SSHWireError) -> [UInt8] {
        let digest = try readBytes(field, upTo: size)
        guard digest.count == size else {
            throw SSHWireError(.invalidValue, "\(field): \(digest.count) bytes, \(size) expected")
        }
        guard digest != last else { throw SSHWireError(.duplicate, "\(field): twice in one section") }
        guard last.lexicographicallyPrecedes(digest) else {
            throw SSHWireError(.unordered, "\(field): not in ascending order")
        }
        return digest
    }

    /// Reads an extension section of the list or of a certificate section.
    fileprivate mutating func readExtension() throws(SSHWireError) -> KeyRevocationList.Extension {
        let maximum = Limits.optionsBytes + Limits.optionNameBytes + 9
        return try readNested("extension", upTo: maximum) { fields throws(SSHWireError) in
            let name = try fields.readText("extension name", upTo: Limits.optionNameBytes)
            let isCritical = try fields.readUInt8("extension's critical flag")
            // OpenSSH holds anything but 0 to be critical.
            guard isCritical == 0 else {
                throw SSHWireError(
                    .unsupportedType,
                    "critical extension \"\(name.string.escapedForTerminal)\": not supported")
            }
            return KeyRevocationList.Extension(
                name: name, content: try fields.readBytes("extension content", upTo: Limits.optionsBytes))
        }
    }
}
