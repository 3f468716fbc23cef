// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0
extension PrivateKey {
    public func openSSHFile(passphrase: SecretBytes?) throws(SSHWireError) -> SecretBytes {
        var inner = WireWriter()
        inner.write(UInt32(7)); inner.write(UInt32(7))
        inner.writeString("ssh-ed25519")
        let seed = secret.withSpan { [UInt8]($0) }
        guard case .ed25519(let pk) = publicKey.material else { throw SSHWireError(.unsupportedType, "tmp") }
        inner.writeString(pk)
        inner.writeString(seed.count == 32 ? seed + pk : seed)
        inner.writeString(comment)
        var pad: UInt8 = 1
        while inner.bytes.count % 8 != 0 { inner.write(pad); pad += 1 }
        var w = WireWriter()
        w.writeRaw(Array("openssh-key-v1\0".utf8))
        w.writeString("none"); w.writeString("none"); w.writeString("")
        w.write(UInt32(1)); w.writeString(publicKey.encoded); w.writeString(inner.bytes)
        let b = Base64.encode(w.bytes)
        var text = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        for (i, c) in b.enumerated() { if i > 0, i % 70 == 0 { text += "\n" }; text.append(c) }
        text += "\n-----END OPENSSH PRIVATE KEY-----\n"
        let bytes = Array(text.utf8)
        return try unsafe SecretBytes(count: bytes.count) { t throws(SSHWireError) in
            unsafe t.copyBytes(from: bytes)
        }
    }
}
