// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension KeyRevocationList {
    /// Gathers what is to be revoked, in any order and with repetitions, into a list.
    ///
    /// Every `revoke` throws `.tooLong` when a limit of ``Limits`` is reached, and then leaves the builder as it was.
    public struct Builder: Sendable {
        /// The number that must grow with every change of the list.
        public var version: UInt64
        /// When the list is made, in seconds since 1970 (UTC).
        public var generatedUnixSeconds: UInt64
        /// Free text.
        public private(set) var comment: ExactText = ""

        private var flags: UInt64 = 0
        private var reserved: [UInt8] = []
        private var sections: [PendingSection] = []
        private var sectionIndexes: [Scope: Int] = [:]
        private var keys: [RevokedKey] = []
        private var sha1Digests: [[UInt8]] = []
        private var sha256Digests: [[UInt8]] = []
        private var extensions: [Extension] = []
        private var serialRangeCount = 0
        private var keyIDCount = 0
        private var extensionCount = 0
        private var byteCount = 0

        /// Starts with nothing revoked.
        public init(version: UInt64, generatedUnixSeconds: UInt64) {
            self.version = version
            self.generatedUnixSeconds = generatedUnixSeconds
        }

        /// Starts with everything that `list` revokes, and its comment.
        ///
        /// Its flags, reserved fields and extensions stay behind: we don't know what they say, and sshd before 9.4
        /// refuses extensions.
        public init(
            extending list: KeyRevocationList, version: UInt64, generatedUnixSeconds: UInt64
        ) throws(SSHWireError) {
            self.init(version: version, generatedUnixSeconds: generatedUnixSeconds)
            try setComment(list.comment)
            for section in list.certificates {
                let index = try self.section(for: section.scope)
                for range in section.serials.ranges { try revoke(serials: range, ofSection: index) }
                for keyID in section.keyIDs { try revoke(keyID: keyID, ofSection: index) }
            }
            for key in list.keys { try revoke(key) }
            for digest in list.sha1Digests { try revoke(sha1: digest) }
            for digest in list.sha256Digests { try revoke(sha256: digest) }
        }
    }
}

extension KeyRevocationList.Builder {
    /// Sets the free text.
    public mutating func setComment(_ comment: ExactText) throws(SSHWireError) {
        try Self.checkText("comment", comment, upTo: Limits.krlTextBytes)
        self.comment = comment
    }

    /// Revokes one certificate by its serial.
    ///
    /// - Throws: `.invalidValue` for 0.
    public mutating func revoke(serial: UInt64, of scope: KeyRevocationList.Scope) throws(SSHWireError) {
        try revoke(serials: serial...serial, of: scope)
    }

    /// Revokes certificates by their serials, first and last included.
    ///
    /// - Throws: `.invalidValue` when 0 is among them.
    public mutating func revoke(
        serials: ClosedRange<UInt64>, of scope: KeyRevocationList.Scope
    ) throws(SSHWireError) {
        try revoke(serials: serials, ofSection: try section(for: scope))
    }

    /// Revokes many certificates by their serials.
    ///
    /// - Throws: `.invalidValue` when 0 is among them; those before it have then been taken.
    public mutating func revoke(
        eachOf serials: some Sequence<UInt64>, of scope: KeyRevocationList.Scope
    ) throws(SSHWireError) {
        let index = try section(for: scope)
        for serial in serials { try revoke(serials: serial...serial, ofSection: index) }
    }

    /// Revokes every certificate with this key ID. An empty one is allowed: there are certificates that have it.
    public mutating func revoke(
        keyID: ExactText, of scope: KeyRevocationList.Scope
    ) throws(SSHWireError) {
        try revoke(keyID: keyID, ofSection: try section(for: scope))
    }

    /// Revokes a plain key, every certificate on it, and every certificate that it signed.
    public mutating func revoke(_ key: PublicKey) throws(SSHWireError) { try revoke(RevokedKey(key)) }

    /// Revokes a plain key of whatever type.
    public mutating func revoke(_ key: RevokedKey) throws(SSHWireError) {
        try count("keys", keys.count, upTo: Limits.krlEntries, bytes: key.encoded.count)
        keys.append(key)
    }

    /// Revokes the plain key whose blob has this SHA-1 digest, and certificates as ``revoke(_:)-(PublicKey)`` does.
    ///
    /// - Throws: `.invalidValue` unless it has 20 bytes.
    public mutating func revoke(sha1 digest: [UInt8]) throws(SSHWireError) {
        try Self.checkDigest(digest, 20)
        try count("SHA-1 fingerprints", sha1Digests.count, upTo: Limits.krlEntries, bytes: 20)
        sha1Digests.append(digest)
    }

    /// Revokes the plain key whose blob has this SHA-256 digest, and certificates as ``revoke(_:)-(PublicKey)`` does.
    ///
    /// - Throws: `.invalidValue` unless it has 32 bytes.
    public mutating func revoke(sha256 digest: [UInt8]) throws(SSHWireError) {
        try Self.checkDigest(digest, 32)
        try count("SHA-256 fingerprints", sha256Digests.count, upTo: Limits.krlEntries, bytes: 32)
        sha256Digests.append(digest)
    }

    /// The list: sorted, each thing once.
    public func build() -> KeyRevocationList {
        KeyRevocationList(
            version: version, generatedUnixSeconds: generatedUnixSeconds, flags: flags, reserved: reserved,
            comment: comment,
            certificates: sections.filter { !$0.isEmpty }.map { $0.built }.sorted {
                $0.scope.encoded.lexicographicallyPrecedes($1.scope.encoded)
            },
            keys: sortedUnique(keys, by: <),
            sha1Digests: sortedUnique(sha1Digests) { $0.lexicographicallyPrecedes($1) },
            sha256Digests: sortedUnique(sha256Digests) { $0.lexicographicallyPrecedes($1) },
            extensions: extensions)
    }
}

/// What only the parser brings.
extension KeyRevocationList.Builder {
    mutating func setHeader(flags: UInt64, reserved: [UInt8], comment: ExactText) {
        self.flags = flags
        self.reserved = reserved
        self.comment = comment
    }

    /// The index of the section of `scope`, made when there is none.
    mutating func section(for scope: KeyRevocationList.Scope) throws(SSHWireError) -> Int {
        if let last = sections.last, last.scope == scope { return sections.count - 1 }
        if let index = sectionIndexes[scope] { return index }
        try count(
            "certificate sections", sections.count, upTo: Limits.krlCertificateSections,
            bytes: scope.encoded.count + 8)
        sectionIndexes[scope] = sections.count
        sections.append(PendingSection(scope: scope))
        return sections.count - 1
    }

    mutating func revoke(serials: ClosedRange<UInt64>, ofSection index: Int) throws(SSHWireError) {
        guard serialRangeCount < Limits.krlSerialRanges else {
            throw SSHWireError(.tooLong, "KRL: over \(Limits.krlSerialRanges) ranges of serials")
        }
        if try sections[index].serials.add(serials) { serialRangeCount += 1 }
    }

    mutating func revoke(keyID: ExactText, ofSection index: Int) throws(SSHWireError) {
        try Self.checkText("key ID", keyID, upTo: Limits.keyIDBytes)
        try count("key IDs", keyIDCount, upTo: Limits.krlEntries, bytes: keyID.string.utf8.count)
        keyIDCount += 1
        sections[index].keyIDs.append(keyID)
    }

    /// Keeps a section's reserved field; sections of one authority must agree on it, since they become one.
    mutating func setReserved(_ reserved: [UInt8], ofSection index: Int) throws(SSHWireError) {
        guard (sections[index].reserved ?? reserved) == reserved else {
            throw SSHWireError(
                .invalidValue, "certificate sections of one authority: different reserved fields")
        }
        sections[index].reserved = reserved
    }

    /// Keeps an extension of a section, or of the whole list when `index` is nil.
    mutating func add(
        _ extension: KeyRevocationList.Extension, toSection index: Int?
    ) throws(SSHWireError) {
        let bytes = `extension`.content.count + `extension`.name.string.utf8.count
        try count("extensions", extensionCount, upTo: Limits.krlExtensions, bytes: bytes)
        extensionCount += 1
        if let index {
            sections[index].extensions.append(`extension`)
        } else {
            extensions.append(`extension`)
        }
    }

    /// Counts one more of `kind`, and its bytes.
    private mutating func count(
        _ kind: StaticString, _ present: Int, upTo maximum: Int, bytes: Int
    ) throws(SSHWireError) {
        guard present < maximum else { throw SSHWireError(.tooLong, "KRL: over \(maximum) \(kind)") }
        // The largest section header and the length of the entry itself.
        let total = byteCount + bytes + 16
        guard total <= Limits.krlBytes else {
            throw SSHWireError(.tooLong, "KRL: its \(kind) take it over \(Limits.krlBytes) bytes")
        }
        byteCount = total
    }

    private static func checkText(
        _ field: StaticString, _ text: ExactText, upTo maximum: Int
    ) throws(SSHWireError) {
        let bytes = text.string.utf8
        guard bytes.count <= maximum else {
            throw SSHWireError(.tooLong, "\(field): \(bytes.count) bytes, at most \(maximum) are allowed")
        }
        guard !bytes.contains(0) else { throw SSHWireError(.notText, "\(field): NUL") }
    }

    private static func checkDigest(_ digest: [UInt8], _ size: Int) throws(SSHWireError) {
        guard digest.count == size else {
            throw SSHWireError(.invalidValue, "fingerprint: \(digest.count) bytes, \(size) expected")
        }
    }
}

/// What has been gathered for one authority.
private struct PendingSection {
    let scope: KeyRevocationList.Scope
    var serials = PendingSerials()
    var keyIDs: [ExactText] = []
    var reserved: [UInt8]?
    var extensions: [KeyRevocationList.Extension] = []

    init(scope: KeyRevocationList.Scope) { self.scope = scope }

    var isEmpty: Bool { serials.isEmpty && keyIDs.isEmpty && extensions.isEmpty }

    var built: KeyRevocationList.RevokedCertificates {
        KeyRevocationList.RevokedCertificates(
            scope: scope, serials: serials.merged, keyIDs: sortedUnique(keyIDs, by: <),
            reserved: reserved ?? [], extensions: extensions)
    }
}

/// The elements in order, each once.
private func sortedUnique<Element: Equatable>(
    _ elements: [Element], by precedes: (Element, Element) -> Bool
) -> [Element] {
    var unique: [Element] = []
    unique.reserveCapacity(elements.count)
    for element in elements.sorted(by: precedes) where element != unique.last { unique.append(element) }
    return unique
}
