// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension FuzzTarget {
    /// The value of a `source-address` option.
    static let addressList = FuzzTarget("address-list", maximumBytes: 512) { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self) else { return .refused }
        if let address = try attempt({ try IPAddress(text) }) {
            try require(
                try attempt { try IPAddress("\(address)") } == address, "an address is read back")
        }
        guard let blocks = try attempt({ try AddressBlock.list(text) }) else { return .refused }
        try require(!blocks.isEmpty, "a list holds a block")
        for block in blocks { try require(block.contains(block.address), "a block holds its first address") }
        let written = blocks.map { "\($0)" }.joined(separator: ",")
        try require(try attempt { try AddressBlock.list(written) } == blocks, "a list is read back")
        return .accepted
    }

    /// A host pattern, a newline, and a name. Time is what counts: OpenSSH's matcher took exponential time once.
    static let hostPattern = FuzzTarget("host-pattern", maximumBytes: 2 << 10) {
        input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self),
            let newline = text.utf8.firstIndex(of: UInt8(ascii: "\n"))
        else { return .refused }
        let pattern = ExactText(String(text[..<newline]))
        let name = ExactText(String(text[text.utf8.index(after: newline)...]))
        let matches = HostPattern.matches(pattern, name)
        guard !name.isEmpty else {
            try require(!matches, "no host has an empty name")
            return .accepted
        }
        if !pattern.string.utf8.contains(where: { "*?".utf8.contains($0) }) {
            try require(matches == (pattern == name), "a pattern without wildcards is a name")
        }
        try require(HostPattern.matches("*", name), "a star matches every name")
        try require(HostPattern.matches(name, name), "a name matches itself as a pattern")
        return .accepted
    }
}
