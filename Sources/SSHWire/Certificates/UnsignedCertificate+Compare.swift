// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension UnsignedCertificate {
    /// Reads a certificate's fields up to and with the signature key, and names the first one that is not as here; nil
    /// when all are.
    ///
    /// Here and not with the fields: handed over by themselves they would be copied, a dozen references each time.
    ///
    /// - Throws: when the bytes end, or a field has another length than any that could be equal.
    func firstDifference(readFrom reader: inout WireReader) throws(SSHWireError) -> StaticString? {
        guard try reader.skipString(fields.key.keyType.certificateName) else { return "type name" }
        guard try reader.skipString(fields.nonce) else { return "nonce" }
        // A certificate holds the key's own fields: its blob without the name in front.
        guard try reader.skipRaw(fields.key.encoded[(4 + fields.key.keyType.rawValue.utf8.count)...]) else {
            return "key"
        }
        guard try reader.readUInt64("serial") == fields.serial else { return "serial" }
        guard try reader.readUInt32("certificate kind") == fields.kind.rawValue else { return "type" }
        guard try reader.skipString(fields.keyID.string) else { return "key ID" }
        let hasPrincipals = try reader.skipList { inner throws(SSHWireError) in
            for principal in fields.principals {
                guard try inner.skipString(principal.string) else { return false }
            }
            return true
        }
        guard hasPrincipals else { return "principals" }
        guard try reader.readUInt64("valid after") == fields.validAfter.seconds else { return "start" }
        guard try reader.readUInt64("valid before") == fields.validBefore.seconds else { return "end" }
        guard try reader.skipOptions(fields.criticalOptions) else { return "critical options" }
        guard try reader.skipOptions(fields.extensions) else { return "extensions" }
        guard try reader.skipString(fields.reserved) else { return "reserved field" }
        return try reader.skipString(fields.signatureKey.encoded) ? nil : "signature key"
    }
}

extension WireReader {
    /// Reads as many bytes as `expected` has, and tells whether they are the same.
    fileprivate mutating func skipRaw(_ expected: some Collection<UInt8>) throws(SSHWireError) -> Bool {
        let found = try readRaw("field", count: expected.count)
        let areEqual = expected.withContiguousStorageIfAvailable { expected in
            unsafe found.withUnsafeBufferPointer { found in
                guard let one = found.baseAddress, let other = expected.baseAddress else { return true }
                return unsafe memcmp(one, other, found.count) == 0
            }
        }
        return areEqual ?? expected.elementsEqual([UInt8](found))
    }

    fileprivate mutating func skipString(_ expected: some Collection<UInt8>) throws(SSHWireError) -> Bool {
        guard try readUInt32("field") == UInt32(truncatingIfNeeded: expected.count) else { return false }
        return try skipRaw(expected)
    }

    fileprivate mutating func skipString(_ expected: String) throws(SSHWireError) -> Bool {
        try skipString(expected.utf8)
    }

    /// Reads a `string`, and tells whether `body` finds in it what it expects and nothing more.
    fileprivate mutating func skipList(
        _ body: (inout WireReader) throws(SSHWireError) -> Bool
    ) throws(SSHWireError) -> Bool {
        var inner = WireReader(try readString("field", upTo: Limits.keyBlobBytes))
        return try body(&inner) && inner.isAtEnd
    }

    fileprivate mutating func skipOptions(_ expected: [CertificateOption]) throws(SSHWireError) -> Bool {
        try skipList { inner throws(SSHWireError) in
            for option in expected {
                guard try inner.skipString(option.name.string), try inner.skipString(option.data) else {
                    return false
                }
            }
            return true
        }
    }
}
