// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An IPv4 or IPv6 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16 bytes.
    public let bytes: [UInt8]

    /// Parses the usual text forms (`inet_pton`); a scope ("%eth0") is refused.
    ///
    /// An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) becomes the IPv4 address, as sshd does with its peer's
    /// (`ipv64_normalise_mapped`).
    public init(_ text: String) throws(SSHWireError) {
        let parsed = try Self.parse(text)
        let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        bytes = parsed.count == 16 && parsed.starts(with: mappedPrefix) ? Array(parsed[12...]) : parsed
    }

    fileprivate static func parse(_ text: String) throws(SSHWireError) -> [UInt8] {
        // 45 characters are the longest form of an IPv6 address (INET6_ADDRSTRLEN less its NUL).
        if text.utf8.count <= 45, !text.utf8.contains(0) {
            for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
                var bytes = [UInt8](repeating: 0, count: size)
                if unsafe inet_pton(family, text, &bytes) == 1 { return bytes }
            }
        }
        throw SSHWireError(
            .invalidValue, "address \"\(text.escapedForTerminal)\": not an IPv4 or IPv6 address")
    }

    public var description: String {
        var text = [CChar](repeating: 0, count: 46)
        guard unsafe inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, 46) != nil else {
            return "?"
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A block of addresses in CIDR form ("192.0.2.0/24"), as `source-address` lists them.
public struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
    /// The block's first address.
    public let address: IPAddress
    /// How many leading bits all its addresses share.
    public let prefixLength: Int

    /// The most blocks in one `source-address`: with ", " between, they must fit the option.
    static let maximumInList = 1_024

    /// Parses `address` or `address/bits`.
    ///
    /// - Throws: `.invalidValue` when the text has bits set behind the prefix, which OpenSSH refuses too
    ///   (`addr_match_cidr_list`), or is an IPv4 address in IPv6 clothes, which would match nothing.
    public init(_ text: String) throws(SSHWireError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bytes = try IPAddress.parse(String(parts[0]))
        let address = try IPAddress(String(parts[0]))
        guard address.bytes.count == bytes.count else {
            throw SSHWireError(
                .invalidValue,
                "address \"\(text.escapedForTerminal)\": write it as the IPv4 address that it maps, sshd compares that"
            )
        }
        let bits = bytes.count * 8
        guard parts.count == 2 else {
            (self.address, prefixLength) = (address, bits)
            return
        }
        guard let length = Int(parts[1]), (0...bits).contains(length), String(length) == parts[1] else {
            throw SSHWireError(
                .invalidValue,
                "address \"\(text.escapedForTerminal)\": a prefix of 0 to \(bits) bits expected")
        }
        for bit in length..<bits where bytes[bit / 8] & (0x80 >> UInt8(bit % 8)) != 0 {
            throw SSHWireError(
                .invalidValue,
                "address \"\(text.escapedForTerminal)\": bits are set behind the prefix of \(length)")
        }
        (self.address, prefixLength) = (address, length)
    }

    /// True when `candidate` lies in the block.
    public func contains(_ candidate: IPAddress) -> Bool {
        guard candidate.bytes.count == address.bytes.count else { return false }
        for bit in 0..<prefixLength {
            let mask: UInt8 = 0x80 >> UInt8(bit % 8)
            guard (candidate.bytes[bit / 8] ^ address.bytes[bit / 8]) & mask == 0 else { return false }
        }
        return true
    }

    /// Parses the comma-separated list of a `source-address` option; no spaces, no negation.
    public static func list(_ text: String) throws(SSHWireError) -> [AddressBlock] {
        let items = text.split(separator: ",", omittingEmptySubsequences: false)
        guard items.count <= maximumInList else {
            throw SSHWireError(
                .tooLong, "source addresses: \(items.count), at most \(maximumInList) are allowed")
        }
        var blocks: [AddressBlock] = []
        for item in items { blocks.append(try AddressBlock(String(item))) }
        return blocks
    }

    public var description: String {
        prefixLength == address.bytes.count * 8 ? "\(address)" : "\(address)/\(prefixLength)"
    }
}
