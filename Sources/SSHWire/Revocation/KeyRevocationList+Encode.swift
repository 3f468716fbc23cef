// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension KeyRevocationList {
    /// The list as a file's content, in the fewest bytes; equal lists have equal encodings.
    ///
    /// Use ``checkedEncoding()`` for what sshd is to read.
    public func encode() -> [UInt8] {
        var writer = WireWriter(reserving: 4_096)
        writer.writeRaw(Self.magic)
        writer.write(Self.formatVersion)
        writer.write(version)
        writer.write(generatedUnixSeconds)
        writer.write(flags)
        writer.writeString(reserved)
        writer.writeString(comment)
        for section in certificates {
            writer.write(SectionType.certificates.rawValue)
            writer.writeNested { section.write(to: &$0) }
        }
        writer.writeStrings(SectionType.explicitKeys.rawValue, keys.lazy.map(\.encoded))
        writer.writeStrings(SectionType.sha1Fingerprints.rawValue, sha1Digests)
        writer.writeStrings(SectionType.sha256Fingerprints.rawValue, sha256Digests)
        for `extension` in extensions { writer.write(SectionType.extension.rawValue, `extension`) }
        return writer.bytes
    }

    /// The list as a file's content that every sshd reads, proven by parsing it again.
    ///
    /// A KRL that sshd can't read refuses every login by key, and neither `sshd -t` nor the log of the reload says a
    /// word. So nothing else should ever reach a host.
    ///
    /// - Throws: `.unsupportedType` when the list holds extensions, which sshd before 9.4 refuses; `.tooLong` when it
    ///   is over ``Limits/krlBytes``; `.invalidValue` when it reads back as another list, which would be our mistake.
    public func checkedEncoding() throws(SSHWireError) -> [UInt8] {
        guard !holdsExtensions else {
            throw SSHWireError(
                .unsupportedType, "KRL: it holds extensions, and sshd before 9.4 refuses such a list")
        }
        let encoded = encode()
        guard try KeyRevocationList(encoded: encoded) == self else {
            throw SSHWireError(.invalidValue, "KRL: what was written reads back as another list")
        }
        return encoded
    }
}

extension KeyRevocationList.RevokedCertificates {
    fileprivate func write(to writer: inout WireWriter) {
        writer.writeString(scope.encoded)
        writer.writeString(reserved)
        writeSerials(to: &writer)
        if !keyIDs.isEmpty {
            writer.write(KeyRevocationList.CertificateSectionType.keyIDs.rawValue)
            writer.writeNested { section in
                for keyID in keyIDs { section.writeString(keyID) }
            }
        }
        for `extension` in extensions {
            writer.write(KeyRevocationList.CertificateSectionType.extension.rawValue, `extension`)
        }
    }

    private func writeSerials(to writer: inout WireWriter) {
        typealias SectionType = KeyRevocationList.CertificateSectionType
        let runs = serials.ranges
        let plan = SerialSectionPlan(for: runs)
        if !plan.listed.isEmpty {
            writer.write(SectionType.serialList.rawValue)
            writer.writeNested { section in
                for index in plan.listed {
                    for serial in runs[index] { section.write(serial) }
                }
            }
        }
        for index in plan.ranges {
            writer.write(SectionType.serialRange.rawValue)
            writer.write(UInt32(16))
            writer.write(runs[index].lowerBound)
            writer.write(runs[index].upperBound)
        }
        for indexes in plan.bitmaps {
            writer.write(SectionType.serialBitmap.rawValue)
            writer.writeNested { $0.writeBitmap(of: runs[indexes]) }
        }
    }
}

extension WireWriter {
    /// Appends the serial of bit 0 and the bits, one for each serial from the first to the last of `runs`.
    fileprivate mutating func writeBitmap(of runs: ArraySlice<ClosedRange<UInt64>>) {
        guard let first = runs.first?.lowerBound, let last = runs.last?.upperBound else { return }
        var bits = [UInt8](repeating: 0, count: Int(last - first) / 8 + 1)
        for run in runs {
            for bit in Int(run.lowerBound - first)...Int(run.upperBound - first) {
                bits[bits.count - 1 - bit / 8] |= 1 << UInt8(bit % 8)
            }
        }
        write(first)
        writePositiveInteger(bits)
    }

    /// Appends a section of strings, or nothing when there is none.
    fileprivate mutating func writeStrings(_ type: UInt8, _ strings: some Collection<[UInt8]>) {
        guard !strings.isEmpty else { return }
        write(type)
        writeNested { section in
            for string in strings { section.writeString(string) }
        }
    }

    /// Appends an extension that is not critical.
    fileprivate mutating func write(_ type: UInt8, _ extension: KeyRevocationList.Extension) {
        write(type)
        writeNested { section in
            section.writeString(`extension`.name)
            section.write(UInt8(0))
            section.writeString(`extension`.content)
        }
    }
}
