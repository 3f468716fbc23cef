// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Where a control plane is: `https://host[:port]`, nothing behind it.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    /// A DNS name or an address, in lower case, IPv6 without brackets.
    public let host: String
    public let port: Int

    /// Parses an address; a bare `host[:port]` is taken for `https`.
    public init(_ text: String) throws(ClientError) {
        var rest = Substring(text)
        if rest.hasPrefix("https://") { rest = rest.dropFirst(8) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let refusal = ClientError.notUnderstood(
            "server \"\(text.escapedForTerminal)\": https://host or https://host:port expected")
        var host = rest
        var port: Substring?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { throw refusal }
            host = rest[rest.index(after: rest.startIndex)..<end]
            let tail = rest[rest.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":"), (try? IPAddress(String(host))) != nil else {
                throw refusal
            }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = rest.firstIndex(of: ":") {
            host = rest[..<colon]
            port = rest[rest.index(after: colon)...]
        }
        let isPlain = host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || ".-_:".utf8.contains(byte)
        }
        guard !host.isEmpty, host.utf8.count <= 253, isPlain else { throw refusal }
        let number = port.map { UInt16($0) ?? 0 } ?? 443
        guard number > 0 else { throw refusal }
        self.host = host.lowercased()
        self.port = Int(number)
    }

    /// Host and port as the `Host` header has them.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == 443 ? name : "\(name):\(port)"
    }

    public var url: String { "https://\(authority)" }
    public var description: String { url }
}
