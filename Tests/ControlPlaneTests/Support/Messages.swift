// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// Bodies that are as they should be.
enum Sample {
    static func wish(_ login: String = "deploy", host: String = "web1") throws -> JSONValue {
        CertificateWish(
            host: host, login: login, key: try PrivateKey.generate(.ed25519, comment: "").publicKey
        ).json
    }

    static func enrolledKey(_ identity: String = "bob@example.com") throws -> JSONValue {
        EnrolledKeyInfo(
            identity: identity, key: try PrivateKey.generate(.ed25519, comment: "").publicKey,
            email: "bob@example.com", groups: ["staff"]
        ).json
    }

    static func host(_ id: String, names: [String] = []) -> JSONValue {
        HostInfo(id: id, names: names, labels: ["team": "infra"]).json
    }

    /// A login by a key, signed over what the server expects unless a parameter says otherwise.
    static func login(
        _ key: PrivateKey, challenge: String, origin: String = "test.example", sessionKey: PrivateKey
    ) throws -> JSONValue {
        let message = LoginChallenge.message(
            challenge: challenge, origin: origin, sessionKey: sessionKey.publicKey)
        let signature = try SSHSignature.sign(
            message, namespace: ExactText(LoginChallenge.namespace), signer: .key(key.publicKey)
        ) { (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm) }
        return KeyLoginRequest(
            challenge: challenge, sessionKey: sessionKey.publicKey, signature: signature.armoured
        ).json
    }
}
