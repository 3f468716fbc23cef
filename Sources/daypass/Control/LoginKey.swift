// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

/// A key that somebody may be known by.
struct LoginKey {
    let publicKey: PublicKey
    /// Nil when the ssh-agent holds it.
    private let privateKey: PrivateKey?

    /// The most keys of an agent that are tried.
    private static let maximumTried = 8

    /// The key of a file, or plain keys of the ssh-agent.
    ///
    /// - Parameters:
    ///   - first: the fingerprint of the agent's key to begin with.
    ///   - passphrase: where the passphrase of a private key file comes from.
    static func candidates(
        _ path: String?, first: String?, passphrase: PassphraseOptions? = nil
    ) throws -> [LoginKey] {
        guard let path else {
            var client = AgentClient(
                try AgentSocket(path: try AgentKeySource.socketPath(), timeout: .seconds(10)))
            let held = try client.identities().compactMap { identity -> LoginKey? in
                guard case .key(let key)? = identity.known else { return nil }
                return LoginKey(publicKey: key, privateKey: nil)
            }
            let ordered =
                held.filter { $0.publicKey.fingerprint == first }
                + held.filter { $0.publicKey.fingerprint != first }
            return Array(ordered.prefix(maximumTried))
        }
        if let key = try? PublicKeyFile.read(path) { return [LoginKey(publicKey: key, privateKey: nil)] }
        let contents = try FileIO.readSecret(path, maximumBytes: CAHome.maximumKeyFileBytes)
        let key: PrivateKey
        do {
            key = try PrivateKeyFile.parse(contents, path: path, passphrase: nil)
        } catch let error as CertAuthorityError where error.code == .passphrase {
            let prompt = "Passphrase of \(path.escapedForTerminal): "
            let secret =
                try passphrase?.obtain(prompt: prompt) ?? Terminal.askPassphrase(prompt)
            key = try PrivateKeyFile.parse(contents, path: path, passphrase: secret)
        }
        return [LoginKey(publicKey: key.publicKey, privateKey: key)]
    }

    func sign(_ message: [UInt8], namespace: ExactText) throws -> SSHSignature {
        if let privateKey {
            return try SSHSignature.sign(message, namespace: namespace, signer: .key(publicKey)) {
                (bytes, algorithm) throws(SSHWireError) in try privateKey.sign(bytes, with: algorithm)
            }
        }
        let socket: String = try AgentKeySource.socketPath()
        return try SSHSignature.sign(message, namespace: namespace, signer: .key(publicKey)) {
            (bytes, algorithm) throws(SSHWireError) in
            var client = AgentClient(try AgentSocket(path: socket))
            return try client.sign(bytes, by: .key(publicKey), algorithm: algorithm)
        }
    }
}
