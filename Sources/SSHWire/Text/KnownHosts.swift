// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A known_hosts file, and what it says about a host's keys (`check_hostkeys_by_key_or_type` in OpenSSH's hostfile.c).
public struct KnownHosts: Sendable {
    /// The file's lines.
    public var file: TextFile<KnownHost> {
        didSet { revoked = Self.revoked(in: file) }
    }
    private var revoked: [PublicKey: Int]

    /// Knows nothing.
    public init() {
        file = TextFile()
        revoked = [:]
    }

    /// Takes a file's content.
    ///
    /// - Throws: besides what ``TextFile`` throws, the error of a line that begins with a marker and can't be read:
    ///   ssh skips it, and with it perhaps a revocation. Only keys of types and sizes that are never accepted anyway
    ///   may be unreadable there.
    public init(_ content: [UInt8]) throws(SSHWireError) {
        file = try TextFile(content)
        revoked = Self.revoked(in: file)
        for (number, error) in file.problems {
            let first = file.lines[number - 1].text.utf8.first { !$0.isBlank }
            guard first == UInt8(ascii: "@") else { continue }
            guard Self.isAboutAnUnusableKey(file.lines[number - 1].text, error) else {
                throw SSHWireError(error.code, "line \(number): \(error.reason)")
            }
        }
    }

    /// True when a marked line could not be read only because its key is of a type or size that is never accepted:
    /// the blob says the same type as the line.
    private static func isAboutAnUnusableKey(_ line: String, _ error: SSHWireError) -> Bool {
        guard error.code == .unsupportedType || error.code == .invalidKey else { return false }
        let words = line.utf8.split(whereSeparator: \.isBlank)
        guard words.count >= 4, let blob = try? Base64.decode("key", String(words[3]) ?? "") else {
            return false
        }
        var reader = WireReader(blob.span)
        let type = try? reader.readText("key type", upTo: Limits.nameBytes)
        return type?.string.utf8.elementsEqual(words[2]) == true
    }

    /// What is known about a key that a host shows.
    public enum Status: Sendable, Hashable {
        /// It is marked as revoked on that line; nothing else counts.
        case revoked(line: Int)
        /// That line says that the host has this key.
        case known(line: Int)
        /// Only other keys are known for the host; that line has the last of them.
        case changed(line: Int)
        case unknown
    }

    /// Judges a plain key that a host shows.
    ///
    /// A revocation counts whatever hosts stand on its line: a stolen key is no better under another name. (ssh looks
    /// only at lines about the host, Go's knownhosts at all.)
    public func status(of key: PublicKey, host: String, port: UInt16 = 22) throws(SSHWireError) -> Status {
        let name = try HostName(host, port: port)
        if let line = revoked[key] { return .revoked(line: line) }
        var status = Status.unknown
        for (number, entry) in file.entries where entry.marker == .host && entry.hosts.matches(name) {
            if entry.key == key { return .known(line: number) }
            status = .changed(line: number)
        }
        return status
    }

    /// What is known about a CA that signed a host's certificate.
    public enum AuthorityStatus: Sendable, Hashable {
        /// It is marked as revoked on that line; nothing else counts.
        case revoked(line: Int)
        /// That line trusts it for the host.
        case trusted(line: Int)
        case notTrusted
    }

    /// Judges the CA key of a host's certificate; the certificate itself is for ``CertificateJudge``.
    public func status(
        ofAuthority key: PublicKey, host: String, port: UInt16 = 22
    ) throws(SSHWireError) -> AuthorityStatus {
        let name = try HostName(host, port: port)
        if let line = revoked[key] { return .revoked(line: line) }
        for (number, entry) in file.entries
        where entry.marker == .certAuthority && entry.key == key && entry.hosts.matches(name) {
            return .trusted(line: number)
        }
        return .notTrusted
    }

    /// Judges the CA of a certificate that a host shows; the certificate's own key may be the revoked one, too.
    public func status(
        ofAuthorityOf certificate: Certificate, host: String, port: UInt16 = 22
    ) throws(SSHWireError) -> AuthorityStatus {
        if let line = revoked[certificate.fields.key] { return .revoked(line: line) }
        return try status(ofAuthority: certificate.fields.signatureKey, host: host, port: port)
    }

    /// The CA keys that are trusted for a host and not revoked, as a ``CertificateJudge`` takes them.
    public func authorities(for host: String, port: UInt16 = 22) throws(SSHWireError) -> Set<PublicKey> {
        let name = try HostName(host, port: port)
        return Set(
            file.entries.lazy.map(\.entry).filter {
                $0.marker == .certAuthority && revoked[$0.key] == nil && $0.hosts.matches(name)
            }.map(\.key))
    }

    private static func revoked(in file: TextFile<KnownHost>) -> [PublicKey: Int] {
        var revoked: [PublicKey: Int] = [:]
        for (number, entry) in file.entries where entry.marker == .revoked {
            revoked[entry.key] = revoked[entry.key] ?? number
        }
        return revoked
    }
}
