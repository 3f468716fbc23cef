// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
public import SSHWire

/// A list of what is revoked, with the signature of somebody whom the host trusts for it.
public struct RevocationOrder: Sendable, Hashable {
    /// What the signature is for.
    public static let namespace: ExactText = "daypass-krl"

    public let list: RevocationFile
    public let signature: SSHSignature

    /// Reads `version`, `krl` (base64) and `signature` (armoured).
    ///
    /// - Throws: `.invalidRequest` for another version than the list's own, `.damaged` for no list that sshd loads.
    init(_ fields: inout OperationFields) throws(AgentError) {
        guard let version = try fields.text("version", upTo: 20) else {
            throw OperationFields.missing("version")
        }
        guard let content = try fields.text("krl", upTo: Limits.krlBytes / 3 * 4 + 4) else {
            throw OperationFields.missing("krl")
        }
        let bytes: [UInt8]
        do throws(SSHWireError) {
            bytes = try Base64.decode("krl", content)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
        list = try RevocationFile(bytes, name: "krl")
        guard String(list.list.version).utf8.elementsEqual(version.utf8) else {
            throw AgentError(
                .invalidRequest, "version: \(describe(version)), and the list's own is \(list.list.version)")
        }
        signature = try Self.signature(&fields)
    }

    static func signature(_ fields: inout OperationFields) throws(AgentError) -> SSHSignature {
        guard let text = try fields.text("signature", upTo: OperationFields.Limit.signatureBytes) else {
            throw OperationFields.missing("signature")
        }
        do throws(SSHWireError) {
            return try SSHSignature(armoured: Array(text.utf8))
        } catch {
            throw AgentError(.invalidRequest, "signature: \(error.reason)")
        }
    }
}

/// The CAs that sshd is to trust, as the fleet's root key signed it.
///
/// The statement is kept as it came: its bytes are what was signed.
public struct TrustOrder: Sendable, Hashable {
    /// What the signature is for.
    public static let namespace = TrustStatement.namespace

    /// JSON: `format` 1, `version`, `authorities`.
    public let statement: String
    /// Grows with each change.
    public let version: UInt64
    public let authorities: [TrustSettings.AuthorityKey]
    public let signature: SSHSignature

    /// Reads `statement` and `signature` (armoured).
    ///
    /// - Throws: `.invalidRequest`.
    init(_ fields: inout OperationFields) throws(AgentError) {
        guard let statement = try fields.text("statement", upTo: OperationFields.Limit.statementBytes) else {
            throw OperationFields.missing("statement")
        }
        let signature = try RevocationOrder.signature(&fields)
        try self.init(statement: statement, signature: signature)
    }

    init(statement: String, signature: SSHSignature) throws(AgentError) {
        let parsed: TrustStatement
        do throws(ControlProtocolError) {
            parsed = try TrustStatement(parsing: statement)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
        self.statement = statement
        version = parsed.version
        authorities = parsed.authorities.map { TrustSettings.AuthorityKey($0.key, comment: $0.comment) }
        self.signature = signature
    }
}

extension SSHSignature {
    /// Checks that one of these keys made the signature over a message, for a namespace.
    ///
    /// - Throws: `.invalidRequest`: for a certificate as signer, too, for nobody here would judge it.
    func check(_ message: [UInt8], namespace: ExactText, by keys: [PublicKey], whose: String)
        throws(AgentError)
    {
        do throws(SSHWireError) {
            let key = try signer.plainKey("signature")
            guard keys.contains(key) else {
                throw SSHWireError(
                    .invalidSignature, "signature: by \(key.fingerprint), which is no \(whose)")
            }
            try verify(message, namespace: namespace)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
    }
}
