// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
public import SSHWire

/// Public keys in files.
public enum PublicKeyFile {
    /// The largest one, in bytes.
    public static let maximumBytes = 64 << 10

    /// Reads a file with one plain public key.
    ///
    /// - Throws: for certificates and private keys, saying what the file is.
    public static func read(_ path: String) throws -> PublicKey {
        let line = try readLine(path)
        guard case .key(let key) = line.content else {
            throw CertAuthorityError(
                .invalidRequest, "\(path.escapedForTerminal): a certificate, a plain public key is needed")
        }
        return key
    }

    /// Reads a file with one key or certificate.
    public static func readLine(_ path: String) throws -> PublicKeyLine {
        do {
            return try PublicKeyLine(file: try FileIO.read(path, maximumBytes: maximumBytes))
        } catch let error as SSHWireError {
            throw CertAuthorityError(.key, "\(path.escapedForTerminal): \(error.reason)")
        }
    }

    /// Reads a file with plain public keys, one a line; empty lines and those that begin with # are passed over.
    ///
    /// - Parameter what: what the keys are, for errors.
    /// - Throws: `.key` for a line that is something else, and when there is no key at all.
    public static func readAll(
        _ path: String, _ what: StaticString, maximumBytes: Int = Self.maximumBytes
    ) throws -> [(key: PublicKey, comment: ExactText)] {
        let bytes = try FileIO.read(path, maximumBytes: maximumBytes)
        var found: [(key: PublicKey, comment: ExactText)] = []
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            guard let first = line.first(where: { $0 != " " && $0 != "\t" }), first != "#" else { continue }
            do {
                let parsed = try PublicKeyLine(String(line))
                found.append((try parsed.content.plainKey(what), parsed.comment))
            } catch {
                throw CertAuthorityError(.key, "\(path.escapedForTerminal): \(error.reason)")
            }
        }
        guard !found.isEmpty else {
            throw CertAuthorityError(.key, "\(path.escapedForTerminal): no public key in it")
        }
        return found
    }

    /// Writes a key's line.
    public static func write(_ key: PublicKey, comment: String, to path: String) throws {
        let line = try PublicKeyLine(.key(key), comment: ExactText(comment))
        try FileIO.write(line.text + "\n", to: path, mode: 0o644)
    }
}

/// Private keys in files.
public enum PrivateKeyFile {
    /// Parses a key file's content.
    ///
    /// - Throws: `.passphrase` when it needs one, or another one.
    public static func parse(_ contents: SecretBytes, path: String, passphrase: SecretBytes?) throws
        -> PrivateKey
    {
        do {
            return try PrivateKey(fileContents: contents, passphrase: passphrase)
        } catch {
            let code: CertAuthorityError.Code =
                error.code == .passphraseRequired || error.code == .wrongPassphrase ? .passphrase : .key
            throw CertAuthorityError(code, "\(path.escapedForTerminal): \(error.reason)")
        }
    }
}
