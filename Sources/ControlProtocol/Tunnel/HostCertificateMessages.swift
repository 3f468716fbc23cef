// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A host asks for a certificate (``Tunnel/hostCertificate``). Which names it proves, it has no say in.
public struct HostCertificateRequest: Sendable, Hashable {
    /// A key of its sshd.
    public var key: PublicKey

    public init(key: PublicKey) { self.key = key }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("key", key.text)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "host certificate")
        key = try fields.needKey("key")
        // A newer agent may say more.
    }
}

/// The certificate.
public struct HostCertificateAnswer: Sendable {
    public var certificate: Certificate
    /// Names that an earlier certificate of this host had, and that an administrator took from it.
    public var removed: [String]

    /// The most names of it: as many as ten certificates hold.
    private static let maximumRemoved = Limits.principals * 10

    public init(certificate: Certificate, removed: [String]) {
        self.certificate = certificate
        self.removed = removed
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("certificate", "\(certificate.typeName) \(Base64.encode(certificate.encoded))")
        members.add("removed", .array(removed.map(JSONValue.string)))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "host certificate")
        let text = try fields.needText("certificate")
        do throws(SSHWireError) {
            guard case .certificate(let certificate) = try PublicKeyLine(text).content else {
                throw SSHWireError(.invalidValue, "a plain key")
            }
            self.certificate = certificate
        } catch {
            throw ControlProtocolError(.invalidValue, "host certificate: certificate: \(error.reason)")
        }
        removed = try fields.takeTexts("removed") ?? []
        guard removed.count <= Self.maximumRemoved else {
            throw fields.wrong("removed", "at most \(Self.maximumRemoved) names")
        }
        // A newer server may say more.
    }
}
