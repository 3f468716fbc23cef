// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

extension PrivateKey {
    /// The key as a file of OpenSSH's (PROTOCOL.key), to be written with mode 0600; ssh-keygen and ssh read it.
    ///
    /// - Parameters:
    ///   - passphrase: encrypts the file with bcrypt and `aes256-ctr`; without one, or with an empty one, whoever reads
    ///     the file has the key.
    ///   - rounds: bcrypt's; 16 are OpenSSH 9.2's default and 24 are 10's.
    /// - Throws: `.tooLong` for more than ``Limits/bcryptRounds``, `.invalidValue` for none.
    public func openSSHFile(
        passphrase: SecretBytes?, rounds: UInt32 = 24
    ) throws(SSHWireError) -> SecretBytes {
        let passphrase = passphrase.flatMap { $0.count == 0 ? nil : $0 }
        let cipher: KeyCipher? = passphrase == nil ? nil : .aes256CTR
        let section = try OpenSSHKeyFile.section(
            of: self, blockBytes: cipher?.blockBytes ?? OpenSSHKeyFile.unencryptedBlockBytes)
        var salt = [UInt8](repeating: 0, count: 16)
        unsafe randombytes_buf(&salt, salt.count)
        let header = OpenSSHKeyFile.header(
            cipher: cipher, salt: salt, rounds: rounds, publicKey: publicKey, sectionBytes: section.count)
        let blob = try unsafe SecretBytes(count: header.count + section.count) {
            buffer throws(SSHWireError) in
            var writer = unsafe SecretWriter(buffer)
            try writer.writeRaw(header.span)
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[header.count...])
            try section.withSpan { (section) throws(SSHWireError) in
                guard let cipher, let passphrase else { return try writer.writeRaw(section) }
                let key = try BcryptPBKDF.derive(
                    passphrase, salt: salt, rounds: rounds, count: cipher.keyBytes + cipher.vectorBytes)
                try unsafe cipher.encrypt(section, key: key, to: rest)
            }
        }
        return try OpenSSHKeyFile.armour(blob)
    }
}

extension OpenSSHKeyFile {
    /// Everything before the private section's bytes.
    fileprivate static func header(
        cipher: KeyCipher?, salt: [UInt8], rounds: UInt32, publicKey: PublicKey, sectionBytes: Int
    ) -> [UInt8] {
        var writer = WireWriter(reserving: 256)
        writer.writeRaw(magic)
        writer.writeString(cipher?.rawValue ?? "none")
        writer.writeString(cipher == nil ? "none" : "bcrypt")
        writer.writeNested { options in
            guard cipher != nil else { return }
            options.writeString(salt)
            options.write(rounds)
        }
        writer.write(1 as UInt32)
        writer.writeString(publicKey.encoded)
        writer.write(UInt32(clamping: sectionBytes))
        return writer.bytes
    }

    /// The private section before it is encrypted, padded to whole blocks.
    fileprivate static func section(of key: PrivateKey, blockBytes: Int) throws(SSHWireError) -> SecretBytes {
        let capacity = key.publicKey.encoded.count + key.secret.count + key.comment.utf8.count + 256
        return try unsafe SecretBytes(upTo: capacity) { buffer throws(SSHWireError) in
            var writer = unsafe SecretWriter(buffer)
            let check = randombytes_random()
            try writer.write(check)
            try writer.write(check)
            try writer.writeString(key.publicKey.keyType.rawValue)
            try key.secret.withSpan { (secret) throws(SSHWireError) in
                try writeFields(key.publicKey, secret, to: &writer)
            }
            try writer.writeString(key.comment)
            var padding: UInt8 = 1
            while writer.count % blockBytes != 0 {
                try writer.write(padding)
                padding += 1
            }
            return writer.count
        }
    }

    private static func writeFields(
        _ publicKey: PublicKey, _ secret: Span<UInt8>, to writer: inout SecretWriter
    ) throws(SSHWireError) {
        switch publicKey.material {
        case .ed25519(let publicHalf):
            try writer.writeString(publicHalf.span)
            try writer.writeString(secret)
        case .ecdsa(let curve, let point):
            try writer.writeString(curve.rawValue)
            try writer.writeString(point.span)
            try writer.writePositiveInteger(secret)
        case .rsa(let modulus, let exponent):
            try writer.writePositiveInteger(modulus.span)
            try writer.writePositiveInteger(exponent.span)
            var reader = WireReader(secret)
            for _ in RSANumbers.parametersInFiles {
                try writer.writeString(try reader.readString("RSA number", upTo: secret.count))
            }
        case .skEd25519, .skECDSA: throw livesInAuthenticator(publicKey.keyType)
        }
    }

    /// Base64 in lines of 70 between the first and the last line, as ssh-keygen writes them.
    fileprivate static func armour(_ blob: SecretBytes) throws(SSHWireError) -> SecretBytes {
        let first = Array("-----BEGIN \(label)-----\n".utf8)
        let last = Array("-----END \(label)-----\n".utf8)
        let lineBytes = 70
        // With the NUL that libsodium ends it with.
        let size = sodium_base64_encoded_len(blob.count, sodium_base64_VARIANT_ORIGINAL)
        let lines = (size - 1 + lineBytes - 1) / lineBytes
        return try unsafe SecretBytes(count: first.count + size - 1 + lines + last.count) {
            output throws(SSHWireError) in
            try unsafe withGuardedScratch(size) { text throws(SSHWireError) in
                unsafe blob.withUnsafeBytes { blob in
                    guard let characters = unsafe text.assumingMemoryBound(to: CChar.self).baseAddress,
                        let bytes = unsafe blob.assumingMemoryBound(to: UInt8.self).baseAddress
                    else { return }
                    unsafe sodium_bin2base64(
                        characters, size, bytes, blob.count, sodium_base64_VARIANT_ORIGINAL)
                }
                var writer = unsafe SecretWriter(output)
                try writer.writeRaw(first.span)
                let all = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(text))
                for line in 0..<lines {
                    let end = min((line + 1) * lineBytes, size - 1)
                    try writer.writeRaw(all.extracting((line * lineBytes)..<end))
                    try writer.write(UInt8(ascii: "\n"))
                }
                try writer.writeRaw(last.span)
            }
        }
    }
}
