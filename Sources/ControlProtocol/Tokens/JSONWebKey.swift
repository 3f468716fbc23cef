// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A host's public key as a JSON Web Key (RFC 7517): EC, P-384, for ES384 signatures (RFC 7518, section 6.2).
public struct JSONWebKey: Sendable, Hashable {
    /// The key, on its curve.
    public let key: PublicKey

    /// The longest text, in bytes; a real one has 200.
    public static let maximumBytes = 4 << 10
    private static let coordinateBytes = Curve.p384.coordinateBytes

    /// - Throws: `.invalidValue` when the key is no P-384 key.
    public init(_ key: PublicKey) throws(ControlProtocolError) {
        guard case .ecdsa(.p384, _) = key.material else {
            throw ControlProtocolError(.invalidValue, "JWK: a P-384 key expected")
        }
        self.key = key
    }

    /// Parses the text of a key, public or private, and looks at its public half only.
    ///
    /// - Throws: `.tooLong`, `.notJSON`, `.notText`, `.missing`, or `.invalidValue` for another kind of key, a use that
    ///   isn't signing, or a point that is not on its curve.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        try self.init(try JSONValue(parsing: bytes, maximumBytes: Self.maximumBytes, maximumDepth: 4))
    }

    /// Reads a key out of a message. Members that are not known are passed over, as RFC 7517, section 4 demands.
    public init(_ value: JSONValue) throws(ControlProtocolError) {
        let fields = TokenFields(value: value, what: "JWK")
        try fields.requireObject()
        for (name, expected) in [("kty", "EC"), ("crv", "P-384")] {
            guard try fields.need(name, try fields.text(name, maximumBytes: 16)) == expected else {
                throw ControlProtocolError(.invalidValue, "JWK: \(name): \(expected) expected")
            }
        }
        // Node's client leaves them out.
        for (name, expected) in [("use", "sig"), ("alg", "ES384")] {
            guard try fields.text(name, maximumBytes: 16) ?? expected == expected else {
                throw ControlProtocolError(.invalidValue, "JWK: \(name): \(expected) expected")
            }
        }
        var point: [UInt8] = [4]
        for (name, field) in [("x", "JWK x"), ("y", "JWK y")] as [(String, StaticString)] {
            let text = try fields.need(name, try fields.text(name, maximumBytes: 128))
            let coordinate = try Base64URL.decode(field, text)
            guard coordinate.count == Self.coordinateBytes else {
                throw ControlProtocolError(
                    .invalidValue, "JWK: \(name): \(coordinate.count) bytes, \(Self.coordinateBytes) expected"
                )
            }
            point += coordinate
        }
        do {
            key = try PublicKey(.ecdsa(.p384, point: point))
        } catch {
            throw ControlProtocolError(.invalidValue, "JWK: \(error.reason)")
        }
    }

    /// x and y in base64url.
    private var coordinates: (x: String, y: String) {
        guard case .ecdsa(_, let point) = key.material else { return ("", "") }
        return (
            Base64URL.encode(Array(point.dropFirst().prefix(Self.coordinateBytes))),
            Base64URL.encode(Array(point.suffix(Self.coordinateBytes)))
        )
    }

    /// The key as JSON, members in the order in which P0's agent writes them.
    public var value: JSONValue { .object(members) }

    var members: [JSONValue.Member] {
        let (x, y) = coordinates
        return [
            .init("use", "sig"), .init("kty", "EC"), .init("crv", "P-384"), .init("alg", "ES384"),
            .init("x", .string(x)), .init("y", .string(y)),
        ]
    }

    /// The key as `jwk.public.json` has it: two spaces, no line feed at the end.
    public var fileText: String { Self.fileText(members) }

    static func fileText(_ members: [JSONValue.Member]) -> String {
        let lines = members.map { "  \(JSONValue.string($0.name).text): \($0.value.text)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n}"
    }

    /// The key's name: base64url of SHA-256 over its required members in their order (RFC 7638).
    public var thumbprint: String {
        let (x, y) = coordinates
        return Base64URL.encode(
            Digest.sha256(Array(#"{"crv":"P-384","kty":"EC","x":"\#(x)","y":"\#(y)"}"#.utf8)))
    }
}
