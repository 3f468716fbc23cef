// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension LoginProof {
    /// A throw-away authority and a throw-away key.
    struct Credentials {
        /// What a certificate is for; the number is its serial.
        enum Kind: UInt64 {
            case good = 1
            case expired = 2
            case revoked = 3
        }

        let authority: PrivateKey
        private let key: PrivateKey
        private let address: String

        /// How long a certificate is valid, in seconds.
        private static let lifetime: UInt64 = 120

        init(_ subject: Subject) throws(SSHWireError) {
            // Where policy knows no Ed25519 (FIPS 140 before its third edition), it knows this curve.
            let type: KeyType =
                Self.accepts(subject.settings, KeyType.ed25519) ? .ed25519 : .ecdsaP256
            authority = try PrivateKey.generate(type, comment: "")
            key = try PrivateKey.generate(type, comment: "")
            address = subject.connection.localAddress
        }

        private static func accepts(_ settings: SshdSettings, _ type: KeyType) -> Bool {
            func lists(_ keyword: String, _ name: String) -> Bool {
                settings[keyword]?.split(separator: ",").contains { $0 == name } ?? true
            }
            return lists("pubkeyacceptedalgorithms", type.certificateName)
                && lists("casignaturealgorithms", type.rawValue)
        }

        /// The private key as ssh reads it. It opens nothing when the proof is over.
        func privateKeyFile() throws(SSHWireError) -> [UInt8] {
            try key.openSSHFile(passphrase: nil).withSpan { file in
                file.indices.map { file[$0] }
            }
        }

        /// A certificate's `.pub` file.
        func certificate(
            _ kind: Kind, for principal: String, now: UnixTime
        ) throws(SSHWireError) -> [UInt8] {
            let age: UInt64 = kind == .expired ? 3_600 : 0
            // A minute back: sshd's clock is the same, but whole seconds and a step of it are not worth a failure.
            let start = now.subtractingOrEpoch(age + 60)
            guard let end = start.adding(60 + Self.lifetime) else {
                throw SSHWireError(.invalidValue, "the system's clock is at the end of time")
            }
            var generator = SystemRandomNumberGenerator()
            let bits = address.utf8.contains(UInt8(ascii: ":")) ? 128 : 32
            let unsigned = try UnsignedCertificate(
                CertificateFields(
                    nonce: (0..<32).map { _ in .random(in: .min ... .max, using: &generator) },
                    key: key.publicKey, serial: kind.rawValue, kind: .user,
                    keyID: ExactText(TrustProof.keyID),
                    principals: [ExactText(principal)], validAfter: start, validBefore: end,
                    criticalOptions: [
                        .text(.forceCommand, "/bin/false"), .text(.sourceAddress, "\(address)/\(bits)"),
                    ], extensions: [], signatureKey: authority.publicKey))
            let bytes = unsigned.toBeSigned
            let certificate = try Certificate(
                expecting: unsigned, signature: try authority.sign(bytes.span))
            return Array((try PublicKeyLine(.certificate(certificate)).text + "\n").utf8)
        }
    }
}
