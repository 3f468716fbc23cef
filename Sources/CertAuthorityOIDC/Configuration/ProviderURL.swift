// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// An address that we ask or send people to: `https`, or `http` on a loopback address, which no other machine can read.
///
/// Its text stays as it was written: issuers are compared byte by byte (OpenID Connect Discovery, section 4.3).
public struct ProviderURL: Sendable, Hashable, CustomStringConvertible {
    /// The whole address.
    public let text: ExactText
    /// True for `https`.
    public let isSecure: Bool
    /// True when the host is an address in 127.0.0.0/8, or `[::1]`. A name like localhost is not: what it means is up
    /// to a resolver.
    public let isLoopback: Bool
    /// What follows host and port: empty, or from the slash on.
    public let path: String

    /// The longest address, in bytes.
    public static let maximumBytes = 2_048

    /// - Parameter field: what errors call it.
    /// - Throws: `.provider` for everything else: other schemes, user names, fragments, and characters that have no
    ///   place in an address.
    public init(_ text: String, field: String) throws(SignInError) {
        func refusal(_ why: String) -> SignInError {
            SignInError(.provider, "\(field) \"\(String(text.prefix(200)).escapedForTerminal)\": \(why)")
        }
        guard text.utf8.count <= Self.maximumBytes else {
            throw SignInError(
                .provider, "\(field): \(text.utf8.count) bytes, at most \(Self.maximumBytes) are allowed")
        }
        // RFC 3986, appendix A; no quotes, brackets elsewhere than around an address, backslashes or white space.
        let isPlain = text.utf8.allSatisfy { byte in
            Self.isAlphanumeric(byte) || "-._~:/?[]@!$&'()*+,;=%".utf8.contains(byte)
        }
        guard isPlain else { throw refusal("a character that no address has, or a fragment") }
        let rest: Substring
        if text.hasPrefix("https://") {
            isSecure = true
            rest = text.dropFirst("https://".count)
        } else if text.hasPrefix("http://") {
            isSecure = false
            rest = text.dropFirst("http://".count)
        } else {
            throw refusal("https:// expected")
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard let host = Self.host(of: rest[..<end]) else {
            throw refusal("a host, and perhaps a port, expected")
        }
        isLoopback = host == "[::1]" || Self.isLoopbackIPv4(host)
        guard isSecure || isLoopback else {
            throw refusal("http is allowed on loopback addresses alone, https:// expected")
        }
        path = String(rest[end...])
        self.text = ExactText(text)
    }

    public var description: String { text.string }

    /// True when there is something after a question mark.
    public var hasQuery: Bool { path.utf8.contains(UInt8(ascii: "?")) }

    /// The host of `host`, `host:port` or `[address]:port`; nil for everything else, a user's name among it.
    private static func host(of authority: Substring) -> String? {
        let host: Substring
        let port: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { return nil }
            host = authority[...end]
            port = after.isEmpty ? nil : after.dropFirst()
            let isAddress = host.dropFirst().dropLast().utf8.allSatisfy { byte in
                byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
                    || Character(Unicode.Scalar(byte)).isHexDigit
            }
            guard isAddress, host.utf8.count > 2 else { return nil }
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts[0]
            port = parts.count > 1 ? parts[1] : nil
            let isName = host.utf8.allSatisfy { byte in
                isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            }
            guard isName, let first = host.utf8.first, isAlphanumeric(first) else { return nil }
        }
        if let port {
            guard let number = UInt16(port), number > 0, String(number) == port else { return nil }
        }
        return String(host)
    }

    private static func isLoopbackIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        // "127.1" and "0177.0.0.1" are loopback for some readers and something else for others.
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in UInt8(part).map { String($0) == part } ?? false }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
}
