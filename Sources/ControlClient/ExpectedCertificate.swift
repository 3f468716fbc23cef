// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a certificate must say to be the one that was asked for.
///
/// A control plane that lies, or is broken, must not be able to put another key, name or authority into somebody's
/// hands. What policy decides alone (options, which of the account's principals) can't be known here.
public struct ExpectedCertificate: Sendable {
    /// The key that was sent.
    public var key: PublicKey
    /// The account that was asked for.
    public var login: String
    /// The CA key that the server named when it was first trusted.
    public var authority: PublicKey
    /// When it must have ended: with the session, or earlier if less was asked for.
    public var latestEnd: UnixTime
    /// What was asked to be permitted; nil for all that the policy gives.
    public var permissions: Set<Permission>?

    public init(
        key: PublicKey, login: String, authority: PublicKey, latestEnd: UnixTime,
        permissions: Set<Permission>? = nil
    ) {
        self.key = key
        self.login = login
        self.authority = authority
        self.latestEnd = latestEnd
        self.permissions = permissions
    }

    /// Reads the certificate of an answer, and compares every field that is known with what was asked for.
    ///
    /// - Parameter line: a line of a `-cert.pub` file.
    /// - Throws: ``ClientError/untrustedServer(_:)`` naming the field that differs.
    public func verified(_ line: String) throws(ClientError) -> Certificate {
        let certificate: Certificate
        do {
            guard case .certificate(let read) = try PublicKeyLine(line).content else {
                throw refusal("it is a plain key")
            }
            try read.verifySignature()
            certificate = read
        } catch let error as ClientError {
            throw error
        } catch {
            throw refusal("\(error)")
        }
        try check(certificate.fields)
        return certificate
    }

    private func check(_ fields: CertificateFields) throws(ClientError) {
        guard fields.kind == .user else { throw refusal("it is a \(fields.kind.name) certificate") }
        guard fields.key == key else { throw refusal("it is on another key") }
        guard fields.signatureKey == authority else { throw refusal("another authority signed it") }
        guard !fields.principals.isEmpty else { throw refusal("it names no account") }
        for principal in fields.principals
        where principal.string != login && !principal.string.hasPrefix(login + "@") {
            throw refusal("it is for \(principal.string.escapedForTerminal)")
        }
        guard fields.validBefore <= latestEnd else {
            throw refusal("it is valid until \(fields.validBefore), \(latestEnd) is the latest")
        }
        guard let permissions else { return }
        for permission in Permission.allCases where !permissions.contains(permission) {
            guard !fields.extensions.contains(where: { $0.name == permission.extensionName }) else {
                throw refusal("it permits \(permission.rawValue)")
            }
        }
    }

    private func refusal(_ reason: String) -> ClientError {
        .untrustedServer("the certificate that came is not what was asked for: \(reason)")
    }
}
