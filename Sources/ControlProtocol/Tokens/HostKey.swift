// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The key by which a host is known to its server: P-384, made on the host, and it never leaves it.
///
/// In memory it is in guarded pages. Its file's text is ordinary memory while it is read or written.
public struct HostKey: Sendable {
    /// The private half.
    let privateKey: PrivateKey
    /// The public half.
    public let publicKey: JSONWebKey

    private init(_ privateKey: PrivateKey) throws(ControlProtocolError) {
        self.privateKey = privateKey
        publicKey = try JSONWebKey(privateKey.publicKey)
    }

    /// Makes a new key from the system's random source.
    public static func generate() throws(ControlProtocolError) -> HostKey {
        do {
            return try HostKey(try PrivateKey.generate(.ecdsaP384, comment: ""))
        } catch let error as SSHWireError {
            throw ControlProtocolError(.invalidValue, "host key: \(error.reason)")
        } catch {
            throw ControlProtocolError(.invalidValue, "host key: \(error)")
        }
    }

    /// Parses the text of `jwk.private.json`.
    ///
    /// - Throws: as ``JSONWebKey/init(parsing:)``, and `.invalidValue` when the halves don't belong together. No reason
    ///   quotes the private half.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        let value = try JSONValue(parsing: bytes, maximumBytes: JSONWebKey.maximumBytes, maximumDepth: 4)
        let publicHalf = try JSONWebKey(value)
        guard case .ecdsa(let curve, let point) = publicHalf.key.material else {
            throw ControlProtocolError(.invalidValue, "JWK: a P-384 key expected")
        }
        guard let text = value["d"]?.string else {
            throw ControlProtocolError(.missing, "JWK: d is missing: a private key expected")
        }
        let scalar = try Base64URL.decode("JWK d", text)
        guard scalar.count == curve.coordinateBytes else {
            throw ControlProtocolError(
                .invalidValue, "JWK: d: \(scalar.count) bytes, \(curve.coordinateBytes) expected")
        }
        let key: PrivateKey
        do {
            key = try PrivateKey.ecdsa(curve, scalar: scalar.span, point: point, comment: "")
        } catch {
            throw ControlProtocolError(.invalidValue, "JWK: \(error.reason)")
        }
        try self.init(key)
    }

    /// The key as `jwk.private.json` has it: a secret.
    public var secretFileText: String {
        let scalar = privateKey.withECDSAScalar { scalar in
            (0..<scalar.count).map { scalar[$0] }
        }
        return JSONWebKey.fileText(publicKey.members + [.init("d", .string(Base64URL.encode(scalar ?? [])))])
    }
}
