// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// A proxy that is asked to connect us (RFC 9110, section 9.3.6).
public struct ProxyAddress: Sendable, Hashable, CustomStringConvertible {
    public let host: String
    public let port: UInt16
    /// The value of `Proxy-Authorization`; nil without a user.
    let authorization: String?

    /// Parses `http://[user:password@]host[:port]` or a bare `host:port`, as curl and Go do.
    ///
    /// - Throws: `.invalidRequest`; the reason quotes nothing, as a password may be in it.
    public init(_ text: String) throws(AgentError) {
        let refusal = AgentError(
            .invalidRequest,
            "proxy: http://host:port expected, with user:password@ before the host where it asks for one")
        guard text.utf8.count <= TunnelURL.maximumBytes else { throw refusal }
        var rest = Substring(text)
        if let separator = rest.firstRange(of: "://") {
            guard rest[..<separator.lowerBound].lowercased() == "http" else { throw refusal }
            rest = rest[separator.upperBound...]
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        var authorization: String?
        if let at = rest.lastIndex(of: "@") {
            let user = try Self.percentDecoded(rest[..<at], refusal)
            authorization = "Basic " + Base64.encode(user)
            rest = rest[rest.index(after: at)...]
        }
        guard let (host, port) = TunnelURL.hostAndPort(rest, default: 80) else { throw refusal }
        (self.host, self.port) = (host, port)
        self.authorization = authorization
    }

    private static func percentDecoded(_ text: Substring, _ refusal: AgentError) throws(AgentError) -> [UInt8]
    {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else {
                throw refusal
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { throw refusal }
        return bytes
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Which proxy a URL goes through, by the usual variables: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.
public struct ProxySettings: Sendable, Hashable {
    private let encrypted: ProxyAddress?
    private let plain: ProxyAddress?
    private let direct: [String]

    /// The most entries of `NO_PROXY` that are looked at.
    static let maximumEntries = 256

    /// No proxy for anything.
    public static let none = ProxySettings()

    private init() { (encrypted, plain, direct) = (nil, nil, []) }

    /// Reads the variables; lower case counts before upper case.
    ///
    /// - Throws: `.invalidRequest` naming the variable that can't be read.
    public init(_ variable: (String) -> String?) throws(AgentError) {
        func proxy(_ name: String) throws(AgentError) -> ProxyAddress? {
            guard let text = variable(name.lowercased()) ?? variable(name), !text.isEmpty else { return nil }
            do throws(AgentError) {
                return try ProxyAddress(text)
            } catch {
                throw AgentError(.invalidRequest, "\(name): \(error.reason)")
            }
        }
        encrypted = try proxy("HTTPS_PROXY")
        plain = try proxy("HTTP_PROXY")
        direct = (variable("no_proxy") ?? variable("NO_PROXY") ?? "")
            .split(whereSeparator: { $0 == "," || $0 == " " }).prefix(Self.maximumEntries)
            .map { $0.lowercased() }
    }

    /// The proxy for a URL; nil when it is reached directly. Never one for this machine itself.
    public func proxy(for url: TunnelURL) -> ProxyAddress? {
        guard !url.isLoopback, !direct.contains(where: { matches($0, url) }) else { return nil }
        return url.isEncrypted ? encrypted : plain
    }

    /// `*`, a name and all below it (with or without a dot before it), an address, or a block of addresses; each may name
    /// a port.
    private func matches(_ entry: String, _ url: TunnelURL) -> Bool {
        if entry == "*" { return true }
        if let block = try? AddressBlock(entry), let address = try? IPAddress(url.host) {
            return block.contains(address)
        }
        guard let (name, port) = TunnelURL.hostAndPort(Substring(entry), default: url.port), port == url.port
        else {
            return false
        }
        let bare = name.hasPrefix(".") ? String(name.dropFirst()) : name
        return url.host == bare || url.host.hasSuffix(".\(bare)")
    }
}
