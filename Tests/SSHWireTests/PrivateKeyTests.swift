// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite struct PrivateKeyTests {
    @Test func aKeyOfSSHKeygenIsReadAndSigns() throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(["-t", "ed25519"], comment: "kõmment")
        let key = try PrivateKey(fileContents: try secret(file))
        #expect(key.publicKey == (try folder.publicKey()))
        #expect(key.comment == "kõmment")
        try key.proveItSigns()
    }

    @Test func aMadeKeySigns() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "new")
        #expect(key.publicKey.keyType == .ed25519)
        try key.proveItSigns()
        let message = someMessage
        var appended: [UInt8] = [1]
        var writer = WireWriter()
        try key.withSigner { signer throws(SSHWireError) in
            try signer.signEd25519(message.span, appendingTo: &appended)
            try signer.signEd25519(message.span, appendingTo: &writer)
        }
        #expect([1] + writer.bytes == appended)
        try key.publicKey.verify(Signature(.ed25519, blob: writer.bytes), over: message.span)
    }
}
