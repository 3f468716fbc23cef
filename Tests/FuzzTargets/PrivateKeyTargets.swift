// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension FuzzTarget {
    /// A private key's file of any kind, read without a passphrase.
    static let privateKeyFile = FuzzTarget("private-key-file") { input throws(BrokenProperty) in
        try read(input, passphrase: nil)
    }

    /// What is inside an OpenSSH private key's armour, so that mutations reach further than base64, with the
    /// passphrase "fuzzing".
    static let privateKeyBlob = FuzzTarget("private-key-blob") { input throws(BrokenProperty) in
        // More would be a test of bcrypt's speed.
        guard bcryptRounds(input) ?? 0 <= 1 else { return .refused }
        let text =
            "-----BEGIN OPENSSH PRIVATE KEY-----\n\(Base64.encode(input))\n-----END OPENSSH PRIVATE KEY-----\n"
        return try read(Array(text.utf8), passphrase: Array("fuzzing".utf8))
    }

    /// One byte that says which kind of PEM file it is, and what is inside its armour, with the passphrase "fuzzing".
    static let privateKeyDER = FuzzTarget("private-key-der") { input throws(BrokenProperty) in
        let labels = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
        guard let first = input.first, Int(first) < labels.count else { return .refused }
        let label = labels[Int(first)]
        let content = Array(input.dropFirst())
        guard label != "ENCRYPTED PRIVATE KEY" || !asksForMuchWork(content) else { return .refused }
        let text = "-----BEGIN \(label)-----\n\(Base64.encode(content))\n-----END \(label)-----\n"
        return try read(Array(text.utf8), passphrase: Array("fuzzing".utf8))
    }

    /// True when something in DER may be a number over 255: nothing else says how long to derive a key.
    private static func asksForMuchWork(_ der: [UInt8]) -> Bool {
        zip(der, der.dropFirst()).contains { tag, length in tag == 0x02 && (3...8).contains(length) }
            || zip(der, zip(der.dropFirst(), der.dropFirst(2))).contains { tag, rest in
                tag == 0x02 && rest.0 == 2 && rest.1 > 0
            }
    }

    private static func read(
        _ file: [UInt8], passphrase: [UInt8]?
    ) throws(BrokenProperty) -> Outcome {
        let key = try attempt {
            let passphrase = try passphrase.map { try secret($0) }
            return try PrivateKey(fileContents: try secret(file), passphrase: passphrase)
        }
        guard let key else { return .refused }
        let again = try attempt {
            try PrivateKey(fileContents: try key.openSSHFile(passphrase: nil))
        }
        try require(again?.publicKey == key.publicKey, "a written key is read back")
        try require(again?.comment == key.comment, "a written key keeps its comment")
        let verified: Void? = try attempt {
            let signature = try key.sign(file.span)
            try key.publicKey.verify(signature, over: file.span)
        }
        try require(verified != nil, "a key's signature verifies")
        return .accepted
    }

    private static func secret(_ bytes: [UInt8]) throws(SSHWireError) -> SecretBytes {
        try unsafe SecretBytes(count: bytes.count) { target throws(SSHWireError) in
            unsafe target.copyBytes(from: bytes)
        }
    }

    /// The rounds that an encrypted key asks for; nil when it has none or is refused before they are used.
    private static func bcryptRounds(_ blob: [UInt8]) -> UInt32? {
        let magic = Array("openssh-key-v1\0".utf8)
        guard blob.starts(with: magic) else { return nil }
        var reader = WireReader(blob.span.extracting(magic.count..<blob.count))
        guard (try? reader.readString("cipher", upTo: blob.count)) != nil,
            (try? reader.readString("kdf", upTo: blob.count)) != nil
        else { return nil }
        return try? reader.readNested("options", upTo: blob.count) { options throws(SSHWireError) in
            _ = try options.readString("salt", upTo: blob.count)
            return try options.readUInt32("rounds")
        }
    }
}
