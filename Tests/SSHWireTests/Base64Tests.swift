// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import Testing

@Suite("Base64") struct Base64Tests {
    @Test func everyLengthComesBackAndAgreesWithFoundation() throws {
        var numbers = RepeatableNumbers(state: 1)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &numbers) }
            let text = Base64.encode(bytes)
            #expect(text == Data(bytes).base64EncodedString())
            #expect(try Base64.decode("test", text) == bytes)
            let bare = Base64.encode(bytes, padded: false)
            #expect(bare == text.replacingOccurrences(of: "=", with: ""))
            #expect(try Base64.decode("test", bare, padded: false) == bytes)
        }
    }

    @Test(arguments: [
        "A", "AA", "AAA", "AA=", "AAA==", "AAAA=", "AA==AA==", "=", "====", "AAA=A", "AB==", "AAB=", "AAAA\n",
        " AAAA", "AA AA", "AAAA\0", "AA-_", "AA\u{e9}", "AAAA AAAA", "AAAA\r\n", "\u{212a}AAA", "AA=\u{301}=",
    ])
    func whatIsNotStrictIsRefused(text: String) {
        #expect(refusal { () throws(SSHWireError) in try Base64.decode("test", text) } == .notCanonical)
    }

    @Test(arguments: ["AA==", "AAA=", "A", "AB", "AAB"])
    func unpaddedTextHasNoPaddingAndNoSpareBits(text: String) {
        #expect(
            refusal { () throws(SSHWireError) in try Base64.decode("test", text, padded: false) }
                == .notCanonical)
    }

    @Test func anErrorDoesNotQuoteTheInput() {
        let error = wireError { _ = try Base64.decode("passphrase", "secret!") }
        #expect(error?.reason == "passphrase: not strict base64")
    }
}
