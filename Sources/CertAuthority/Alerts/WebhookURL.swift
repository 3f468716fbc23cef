// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The address of a webhook: `https`, or `http` on a loopback address, which no other machine can read.
///
/// Its path and query are as good as a password at most services: ``description`` is without them, and errors have
/// nothing of it.
public struct WebhookURL: Sendable, Hashable, CustomStringConvertible {
    /// The whole address: for the request alone.
    public let secretText: String
    /// Scheme, host and port.
    public let description: String

    /// The longest address, in bytes.
    public static let maximumBytes = 2_048

    /// - Throws: `.invalidRequest` for other schemes, user names, fragments, and characters that no address has (RFC 3986,
    ///   appendix A).
    public init(_ text: String) throws(CertAuthorityError) {
        func refusal(_ why: String) -> CertAuthorityError { CertAuthorityError(.invalidRequest, why) }
        guard text.utf8.count <= Self.maximumBytes else {
            throw refusal("\(text.utf8.count) bytes, at most \(Self.maximumBytes) are allowed")
        }
        let isPlain = text.utf8.allSatisfy { byte in
            Self.isAlphanumeric(byte) || "-._~:/?[]@!$&'()*+,;=%".utf8.contains(byte)
        }
        guard isPlain else { throw refusal("a character that no address has, or a fragment") }
        let scheme = ["https://", "http://"].first { text.hasPrefix($0) }
        guard let scheme else { throw refusal("https:// expected") }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.utf8.contains(UInt8(ascii: "@")) else {
            throw refusal("a user's name before the host is not allowed")
        }
        guard let host = Self.host(of: authority) else {
            throw refusal("a host, and perhaps a port, expected")
        }
        guard scheme == "https://" || host == "[::1]" || Self.isLoopbackIPv4(host) else {
            throw refusal("http is allowed on loopback addresses alone, https:// expected")
        }
        secretText = text
        description = scheme + authority
    }

    /// What a store knows it by: SHA-256 of it, which tells nobody what it is.
    public var storedName: String { hexadecimal(Digest.sha256(Array(secretText.utf8))) }

    /// A text without what must not be seen of the address: for errors of a library that may have it in them.
    public func redacted(_ text: String) -> String {
        let path = secretText.dropFirst(description.count)
        guard path.utf8.count > 1 else { return text }
        return text.replacing(path, with: "/…")
    }

    private static func host(of authority: Substring) -> Substring? {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[...end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { return nil }
            port = after.isEmpty ? nil : after.dropFirst()
            guard (try? IPAddress(String(host.dropFirst().dropLast()))) != nil else { return nil }
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts[0]
            port = parts.count > 1 ? parts[1] : nil
            let isName = host.utf8.allSatisfy { isAlphanumeric($0) || "-.".utf8.contains($0) }
            guard isName, let first = host.utf8.first, isAlphanumeric(first) else { return nil }
        }
        if let port {
            guard let number = UInt16(port), number > 0, String(number) == port else { return nil }
        }
        return host
    }

    private static func isLoopbackIPv4(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        // "127.1" and "0177.0.0.1" are loopback for some readers and something else for others.
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in UInt8(part).map { String($0) == part } ?? false }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
}
