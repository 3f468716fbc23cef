// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Which CAs hosts are to take, as the fleet's root key signed it; the entry's requester is who brought it.
public struct FleetTrustRecord: Sendable, Hashable {
    /// The statement's number, at least 1.
    public let version: UInt64
    /// The key that signed it.
    public let root: PublicKey
    /// What was signed, byte by byte.
    public let statement: ExactText
    /// The SSHSIG signature over it, without armour.
    public let signature: [UInt8]

    /// What the signature is for (PROTOCOL.sshsig).
    public static let namespace: ExactText = "daypass-fleet"
    /// The longest statement, in bytes.
    static let maximumStatementBytes = 32 << 10

    /// Checks the signature.
    ///
    /// - Parameter version: the statement's own.
    /// - Throws: `.invalidRequest` for a signature by a certificate, over something else or for something else.
    public init(
        verifying statement: String, version: UInt64, signature: SSHSignature
    ) throws(CertAuthorityError) {
        guard version > 0, statement.utf8.count <= Self.maximumStatementBytes else {
            throw CertAuthorityError(
                .invalidRequest,
                "statement: version \(version), \(statement.utf8.count) bytes; over 0 and at most \(Self.maximumStatementBytes) expected"
            )
        }
        do {
            root = try signature.signer.plainKey("signature")
            try signature.verify(Array(statement.utf8), namespace: Self.namespace)
        } catch {
            throw CertAuthorityError(
                .invalidRequest, "the statement's signature: \(error.reason)",
                hint: "sign exactly this text, in the namespace \(Self.namespace.string)")
        }
        self.version = version
        self.statement = ExactText(statement)
        self.signature = signature.encoded
    }

    /// A record as it was read, or for tests.
    init(uncheckedVersion version: UInt64, root: PublicKey, statement: ExactText, signature: [UInt8]) {
        self.version = version
        self.root = root
        self.statement = statement
        self.signature = signature
    }

    // MARK: The encoding (docs/formats/log-entry.md)

    func write(to writer: inout WireWriter) {
        writer.write(version)
        writer.writeString(root.encoded)
        writer.writeString(statement)
        writer.writeString(signature)
    }

    init(from reader: inout WireReader) throws(SSHWireError) {
        version = try reader.readUInt64("version")
        guard version > 0 else { throw SSHWireError(.invalidValue, "version 0") }
        root = try PublicKey(encoded: try reader.readString("root", upTo: Limits.keyBlobBytes))
        statement = try reader.readText("statement", upTo: Self.maximumStatementBytes)
        signature = try reader.readBytes("signature", upTo: Limits.sshSignatureBytes)
    }
}
