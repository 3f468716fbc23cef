// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// A host and port as known_hosts names them: `host`, or `[host]:port` for a port other than 22 (`put_host_port` in
/// OpenSSH's misc.c).
public struct HostName: Sendable, Hashable {
    /// The name in lower case, as patterns and hashes see it.
    public let text: ExactText

    /// A host, which may be an address, and a port.
    ///
    /// - Throws: `.invalidValue` for a host that is empty, holds a blank or a character that means something in a
    ///   list of patterns or brackets; `.notText`, `.tooLong`.
    public init(_ host: String, port: UInt16 = 22) throws(SSHWireError) {
        let bytes = Array(host.utf8)
        guard !bytes.isEmpty, port > 0 else {
            throw SSHWireError(.invalidValue, "host: an empty name, or port 0")
        }
        try refuseControls(bytes, "host")
        guard !bytes.contains(where: { $0.isBlank || "*?!,|[]\"#".utf8.contains($0) }) else {
            throw SSHWireError(
                .invalidValue,
                "host \"\(host.prefix(64).description.escapedForTerminal)\": no name or address of a host")
        }
        let lowered = ExactText(part: bytes.map(\.lowercased))
        text = port == 22 ? lowered : ExactText("[\(lowered)]:\(port)")
        guard text.string.utf8.count <= Limits.matchedNameBytes else {
            throw SSHWireError(
                .tooLong, "host: \(bytes.count) bytes, at most \(Limits.matchedNameBytes) are allowed")
        }
    }
}

/// A host's name as a hash, `|1|salt|hash|`: HMAC-SHA1 of the name under a salt of 20 bytes (`host_hash` in
/// OpenSSH's hostfile.c).
public struct HashedHostName: Sendable, Hashable {
    /// 20 bytes.
    public let salt: [UInt8]
    /// 20 bytes.
    public let hash: [UInt8]

    private static let bytes = 20

    /// Hashes a name.
    ///
    /// - Parameter salt: 20 random bytes.
    public init(_ host: HostName, salt: [UInt8]) throws(SSHWireError) {
        guard salt.count == Self.bytes else {
            throw SSHWireError(.invalidValue, "host hash: a salt of \(salt.count) bytes, 20 expected")
        }
        self.salt = salt
        hash = try Self.hash(host, salt)
    }

    /// Parses `|1|salt|hash`.
    init(_ text: ArraySlice<UInt8>) throws(SSHWireError) {
        let parts = text.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].isEmpty, parts[1].elementsEqual("1".utf8) else {
            throw SSHWireError(.invalidValue, "host hash: |1|salt|hash expected")
        }
        salt = try Base64.decode("host hash salt", String(decoding: parts[2], as: UTF8.self))
        hash = try Base64.decode("host hash", String(decoding: parts[3], as: UTF8.self))
        guard salt.count == Self.bytes, hash.count == Self.bytes else {
            throw SSHWireError(
                .invalidValue, "host hash: \(salt.count) and \(hash.count) bytes, 20 and 20 expected")
        }
    }

    /// True when it is the name's hash.
    public func matches(_ host: HostName) -> Bool { (try? Self.hash(host, salt)) == hash }

    var text: String { "|1|\(Base64.encode(salt))|\(Base64.encode(hash))" }

    private static func hash(_ host: HostName, _ salt: [UInt8]) throws(SSHWireError) -> [UInt8] {
        let name = host.text.bytes
        var result = [UInt8](repeating: 0, count: bytes)
        let made = unsafe EVP_Q_mac(
            nil, "HMAC", nil, "SHA1", nil, salt, salt.count, name, name.count, &result, result.count, nil)
        guard unsafe made != nil else { throw .libcrypto("HMAC-SHA1") }
        return result
    }
}
