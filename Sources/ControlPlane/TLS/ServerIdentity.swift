// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Crypto
public import Foundation
import SSHWire
import SwiftASN1
import X509

/// The X.509 certificates of a server that was given none: a root of its own, whose fingerprint clients pin, and the
/// server's certificate under it.
public struct ServerIdentity: Sendable {
    /// The chain as PEM, the server's own certificate first, the root last.
    public let chainPEM: String
    /// The private key of the server's certificate, as PEM.
    public let privateKeyPEM: String
    /// The fingerprint of the root, `SHA256:` and 64 hexadecimal digits.
    public let fingerprint: String

    /// How long the root is valid, in seconds: 10 years.
    private static let rootLifetime: TimeInterval = 10 * 366 * 86_400
    /// How long the server's certificate is valid: 90 days. It is made anew when a third is left.
    private static let leafLifetime: TimeInterval = 90 * 86_400

    /// Loads the root from `folder`, or makes it, and makes the server's certificate when there is none for `names` that
    /// lasts.
    ///
    /// - Parameters:
    ///   - folder: a folder with mode 0700 that this server owns.
    ///   - names: DNS names and addresses by which clients call the server.
    public init(folder: String, names: [String], at now: Date) throws {
        let root = try Self.root(in: folder, at: now)
        let (leafPath, keyPath) = ("\(folder)/server.pem", "\(folder)/server.key")
        var leaf = try? X509.Certificate(pemEncoded: Self.text(leafPath))
        if let found = leaf,
            found.notValidAfter.timeIntervalSince(now) < Self.leafLifetime / 3
                || !found.issuer.elementsEqual(root.certificate.subject) || !Self.speaks(found, for: names)
                || !FileIO.exists(keyPath)
        {
            leaf = nil
        }
        if leaf == nil {
            let key = P256.Signing.PrivateKey()
            let made = try Self.leaf(for: names, key: key.publicKey, root, at: now)
            try Self.writeSecret(X509.Certificate.PrivateKey(key).serializeAsPEM().pemString, to: keyPath)
            try FileIO.write(try made.serializeAsPEM().pemString + "\n", to: leafPath, mode: 0o644)
            leaf = made
        }
        guard let leaf else { throw CertAuthorityError(.key, "no server certificate could be made") }
        chainPEM =
            try leaf.serializeAsPEM().pemString + "\n" + root.certificate.serializeAsPEM().pemString + "\n"
        privateKeyPEM = try Self.secretText(keyPath)
        fingerprint = try Self.fingerprint(of: root.certificate)
    }

    /// `SHA256:` and the digest of a certificate's DER, in hexadecimal.
    static func fingerprint(of certificate: X509.Certificate) throws -> String {
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return "SHA256:" + hexadecimal(Digest.sha256(serializer.serializedBytes))
    }

    private struct Root {
        let certificate: X509.Certificate
        let key: X509.Certificate.PrivateKey
    }

    private static func root(in folder: String, at now: Date) throws -> Root {
        let (path, keyPath) = ("\(folder)/root.pem", "\(folder)/root.key")
        if FileIO.exists(path) {
            return Root(
                certificate: try X509.Certificate(pemEncoded: try text(path)),
                key: try X509.Certificate.PrivateKey(pemEncoded: try secretText(keyPath)))
        }
        let key = X509.Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName { CommonName("Daypass control plane root") }
        let certificate = try X509.Certificate(
            version: .v3, serialNumber: X509.Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: now.addingTimeInterval(-3_600),
            notValidAfter: now.addingTimeInterval(rootLifetime),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try X509.Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true))
                SubjectKeyIdentifier(hash: key.publicKey)
            },
            issuerPrivateKey: key)
        try writeSecret(try key.serializeAsPEM().pemString, to: keyPath)
        try FileIO.write(try certificate.serializeAsPEM().pemString + "\n", to: path, mode: 0o644)
        return Root(certificate: certificate, key: key)
    }

    private static func leaf(
        for names: [String], key: P256.Signing.PublicKey, _ root: Root, at now: Date
    ) throws -> X509.Certificate {
        try X509.Certificate(
            version: .v3, serialNumber: X509.Certificate.SerialNumber(),
            publicKey: X509.Certificate.PublicKey(key), notValidBefore: now.addingTimeInterval(-3_600),
            notValidAfter: now.addingTimeInterval(leafLifetime), issuer: root.certificate.subject,
            subject: try DistinguishedName { CommonName(names.first ?? "daypassd") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try X509.Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names.map(generalName))
                AuthorityKeyIdentifier(
                    keyIdentifier: SubjectKeyIdentifier(hash: root.certificate.publicKey).keyIdentifier)
            },
            issuerPrivateKey: root.key)
    }

    private static func generalName(_ name: String) -> GeneralName {
        guard let address = try? IPAddress(name) else { return .dnsName(name) }
        return .ipAddress(ASN1OctetString(contentBytes: address.bytes[...]))
    }

    private static func speaks(_ certificate: X509.Certificate, for names: [String]) -> Bool {
        guard let found = try? certificate.extensions.subjectAlternativeNames else { return false }
        return names.allSatisfy { name in found.contains(generalName(name)) }
    }

    /// The largest of these files, in bytes.
    private static let maximumBytes = 64 << 10

    private static func text(_ path: String) throws -> String {
        String(decoding: try FileIO.read(path, maximumBytes: maximumBytes), as: UTF8.self)
    }

    private static func secretText(_ path: String) throws -> String {
        let secret = try FileIO.readSecret(path, maximumBytes: maximumBytes)
        return secret.withSpan { bytes in
            String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        }
    }

    private static func writeSecret(_ text: String, to path: String) throws {
        try FileIO.write(Array((text + "\n").utf8).span, to: path, mode: 0o600)
    }
}
