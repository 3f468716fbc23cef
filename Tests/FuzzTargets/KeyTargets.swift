// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension FuzzTarget {
    /// A public key's blob.
    static let publicKey = FuzzTarget("public-key") { input throws(BrokenProperty) in
        guard let key = try attempt({ try PublicKey(encoded: input) }) else { return .refused }
        try require(key.encoded == input, "a key has one encoding")
        try require(try attempt { try PublicKey(key.material) } == key, "a key's material makes the key")
        try require(
            try attempt { try KeyOrCertificate(encoded: input) } == .key(key), "a key is read as a key")
        try require(try attempt { try Certificate(encoded: input) } == nil, "a key is no certificate")
        let line = try attempt { try PublicKeyLine(key.text) }
        try require(line?.content == .key(key), "a key's text is read back")
        try requireOneLine(key.fingerprint + key.fingerprintMD5, "a fingerprint")
        try require(key.bits > 0, "a key has bits")
        let picture = key.randomart.split(separator: "\n", omittingEmptySubsequences: false)
        try require(
            picture.count == 11 && picture.allSatisfy { $0.utf8.count == 19 }, "a key's picture has a frame")
        for algorithm in SignatureAlgorithm.allCases where algorithm.keyType == key.keyType {
            let signature = Signature(algorithm, blob: [UInt8](repeating: 1, count: 64))
            let isValid = try attempt { try key.verify(signature, over: input.span) } != nil
            try require(!isValid, "a made-up signature does not verify")
        }
        return .accepted
    }

    /// The content of a `.pub` file.
    static let publicKeyLine = FuzzTarget("public-key-line") { input throws(BrokenProperty) in
        guard let line = try attempt({ try PublicKeyLine(file: input) }) else { return .refused }
        try requireLine(line.text)
        try require(try attempt { try PublicKeyLine(line.text) } == line, "a line is read back")
        try require(
            try attempt { try PublicKeyLine(file: Array((line.text + "\n").utf8)) } == line,
            "a file is read back")
        return .accepted
    }

    /// A key and a signature, each as a `string`; the message is "fuzz".
    static let signature = FuzzTarget("signature") { input throws(BrokenProperty) in
        let parsed = try attempt {
            var reader = WireReader(input.span)
            let key = try PublicKey(encoded: try reader.readString("key", upTo: Limits.keyBlobBytes))
            let blob = try reader.readBytes("signature", upTo: Limits.signatureBytes + 256)
            try reader.finish("signature input")
            return (key, try Signature(encoded: blob.span), blob)
        }
        guard let (key, signature, blob) = parsed else { return .refused }
        try require(signature.encoded == blob, "a signature has one encoding")
        let message = Array("fuzz".utf8)
        func isValid(_ presence: UserPresence, _ message: [UInt8]) throws(BrokenProperty) -> Bool {
            try attempt { try key.verify(signature, over: message.span, presence: presence) } != nil
        }
        let isSigned = try isValid(.notRequired, message)
        let isTouched = try isValid(.touch, message)
        let isVerified = try isValid(.verification, message)
        try require(isSigned || !isTouched, "what a touch is required for is signed")
        try require(isTouched || !isVerified, "what verification is required for was touched")
        try require(!isSigned || signature.algorithm.keyType == key.keyType, "a signature is its key type's")
        guard isSigned else { return .refused }
        let isSignedTwice = try isValid(.notRequired, message + [0])
        try require(!isSignedTwice, "a signature is over one message")
        return .accepted
    }
}
