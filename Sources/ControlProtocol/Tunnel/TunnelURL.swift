// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Where a tunnel or a registration goes: `wss://`, `ws://`, `https://` or `http://`, a host, a port, a path and a query.
///
/// No user name, no fragment: what a URL may say in two places is said in one.
public struct TunnelURL: Sendable, Hashable, CustomStringConvertible {
    /// How the bytes travel.
    public let isEncrypted: Bool
    /// True for `ws` and `wss`.
    public let isWebSocket: Bool
    /// A DNS name or an address, in lower case, IPv6 without brackets.
    public let host: String
    public let port: UInt16
    /// Path and query as the request line has them; "/" where the URL ends with its host.
    public let target: String

    /// The longest URL, in bytes.
    public static let maximumBytes = 2_048

    /// Parses a URL.
    ///
    /// - Throws: `.tooLong` or `.invalidValue`, the URL quoted only as far as its host: a path may hold a secret.
    public init(_ text: String) throws(ControlProtocolError) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw ControlProtocolError(.tooLong, "URL: over \(Self.maximumBytes) bytes")
        }
        let refusal = ControlProtocolError(
            .invalidValue, "URL: wss://host[:port][/path] or https://host[:port][/path] expected")
        guard let separator = text.firstRange(of: "://") else { throw refusal }
        switch text[..<separator.lowerBound].lowercased() {
        case "wss": (isEncrypted, isWebSocket) = (true, true)
        case "ws": (isEncrypted, isWebSocket) = (false, true)
        case "https": (isEncrypted, isWebSocket) = (true, false)
        case "http": (isEncrypted, isWebSocket) = (false, false)
        default: throw refusal
        }
        let rest = text[separator.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let target = rest[end...]
        guard target.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw refusal
        }
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
        guard let (host, port) = Self.hostAndPort(rest[..<end], default: isEncrypted ? 443 : 80) else {
            throw refusal
        }
        (self.host, self.port) = (host, port)
    }

    /// Takes `host`, `host:port`, `[::1]` or `[::1]:port` apart.
    public static func hostAndPort(_ text: Substring, default port: UInt16) -> (host: String, port: UInt16)? {
        var host = text
        var digits: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard (try? IPAddress(String(host))) != nil, tail.isEmpty || tail.hasPrefix(":") else {
                return nil
            }
            digits = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            digits = text[text.index(after: colon)...]
            guard !host.contains(":") else { return nil }
        }
        let isPlain = host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || ".-_".utf8.contains(byte) || byte == UInt8(ascii: ":") && text.hasPrefix("[")
        }
        guard !host.isEmpty, host.utf8.count <= 253, isPlain else { return nil }
        guard let digits else { return (host.lowercased(), port) }
        guard let number = UInt16(digits), String(number) == digits, number > 0 else { return nil }
        return (host.lowercased(), number)
    }

    /// Host and port as the `Host` header has them: the port only where it isn't the scheme's own.
    public var authority: String {
        port == (isEncrypted ? 443 : 80) ? bracketedHost : "\(bracketedHost):\(port)"
    }

    /// Host and port, always both, as a proxy is asked for them.
    public var connectTarget: String { "\(bracketedHost):\(port)" }

    /// The audience of tokens for this server: `https://` and the authority.
    public var origin: String { "\(isEncrypted ? "https" : "http")://\(authority)" }

    /// True when the bytes don't leave this machine: `localhost` and the addresses of the loopback.
    public var isLoopback: Bool {
        if host == "localhost" { return true }
        guard let address = try? IPAddress(host) else { return false }
        return address.bytes.count == 4
            ? address.bytes[0] == 127 : address.bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    private var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }
    private var scheme: String { (isWebSocket ? "ws" : "http") + (isEncrypted ? "s" : "") }

    /// The URL without its query, which may hold a secret.
    public var description: String {
        "\(scheme)://\(authority)\(target.prefix { $0 != "?" })"
    }
}
