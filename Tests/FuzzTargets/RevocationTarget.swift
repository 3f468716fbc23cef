// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension FuzzTarget {
    /// A key revocation list.
    static let revocationList = FuzzTarget("krl", maximumBytes: 8 << 10) { input throws(BrokenProperty) in
        guard let list = try attempt({ try KeyRevocationList(encoded: input) }) else { return .refused }
        let encoded = list.encode()
        try require(
            try attempt { try KeyRevocationList(encoded: encoded) } == list, "an encoding is read back")
        try require(encoded.count <= input.count, "no encoding is shorter than ours")
        let checked = try attempt { try list.checkedEncoding() }
        try require(
            checked == (list.holdsExtensions ? nil : encoded), "only extensions keep a list from hosts")
        for section in list.certificates { try query(list, section) }
        for key in list.keys {
            guard let plain = try attempt({ try PublicKey(encoded: key.encoded) }) else { continue }
            try require(list.revocation(of: plain) != nil, "a listed key is revoked")
            try requireRevoked(list, key: plain, signedBy: keys.subject)
            try requireRevoked(list, key: keys.subject, signedBy: plain)
        }
        _ = (list.revocation(of: keys.subject), list.isEmpty)
        return .accepted
    }

    /// Two keys that no list names but by chance.
    private static let keys = (subject: unlistedKey(1), authority: unlistedKey(2))

    private static func unlistedKey(_ byte: UInt8) -> PublicKey {
        let bytes = [UInt8](repeating: byte, count: 32)
        guard let key = try? PublicKey(.ed25519(bytes)) else { fatalError("32 bytes are an Ed25519 key") }
        return key
    }

    private static func query(
        _ list: KeyRevocationList, _ section: KeyRevocationList.RevokedCertificates
    ) throws(BrokenProperty) {
        let authority: PublicKey
        switch section.scope {
        case .everyAuthority: authority = keys.authority
        case .authority(let key): authority = key
        }
        func requireListed(serial: UInt64, keyID: ExactText) throws(BrokenProperty) {
            let found = list.revocation(
                ofCertificateFor: keys.subject, serial: serial, keyID: keyID, signedBy: authority)
            guard let found else { throw BrokenProperty("serial \(serial) is revoked") }
            try requireOneLine("\(found)", "a revocation")
        }
        // All of them would make a long list's time quadratic, and the fuzzer's best inputs the slowest.
        for range in section.serials.ranges.prefix(64) {
            try requireListed(serial: range.lowerBound, keyID: "")
            try requireListed(serial: range.upperBound, keyID: "")
            try require(section.serials.range(holding: range.lowerBound) == range, "a range is found")
        }
        for keyID in section.keyIDs.prefix(64) { try requireListed(serial: 0, keyID: keyID) }
        var last: UInt64?
        for range in section.serials.ranges {
            try require(range.lowerBound > 0, "serial 0 is not revoked")
            if let last {
                try require(range.lowerBound > last && range.lowerBound - last > 1, "ranges are apart")
            }
            last = range.upperBound
        }
    }

    private static func requireRevoked(
        _ list: KeyRevocationList, key: PublicKey, signedBy authority: PublicKey
    ) throws(BrokenProperty) {
        let found = list.revocation(ofCertificateFor: key, serial: 0, keyID: "", signedBy: authority)
        guard let found else { throw BrokenProperty("a listed key's certificates are revoked") }
        try requireOneLine("\(found)", "a revocation")
    }
}
