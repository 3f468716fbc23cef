// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An address of this host and a port that sshd listens on, as one connects to it.
public struct LoginEndpoint: Sendable, Hashable {
    /// In digits, without a zone.
    public let address: String
    public let port: UInt16

    /// Takes a value of `sshd -T`'s `listenaddress` apart: `192.0.2.1:22`, `[::1]:22`; every address is loopback's.
    ///
    /// - Returns: nil for what has no plain address and port. A routing domain may stand behind them, and another
    ///   domain's loopback is not ours.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0
        else { return nil }
        var address = String(text[..<colon])
        let isBracketed = address.hasPrefix("[") && address.hasSuffix("]")
        if isBracketed { address = String(address.dropFirst().dropLast()) }
        var bytes: (UInt64, UInt64) = (0, 0)
        guard unsafe inet_pton(isBracketed ? AF_INET6 : AF_INET, address, &bytes) == 1 else { return nil }
        self.address = address == "0.0.0.0" ? "127.0.0.1" : address == "::" ? "::1" : address
        self.port = port
    }

    var isLoopback: Bool { address == "127.0.0.1" || address == "::1" }
}
