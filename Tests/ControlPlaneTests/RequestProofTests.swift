// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import Testing

@Suite("Proofs of requests") struct RequestProofTests {
    private let proof = RequestProof(
        session: "0123456789abcdef0123456789abcdef", created: 1_795_237_200, sequence: 1_795_237_200_000_001)

    @Test func itComesBackAsItWas() throws {
        #expect(try RequestProof(signatureInput: proof.signatureInput) == proof)
        for edge in [
            RequestProof(session: "a", created: 0, sequence: 0),
            RequestProof(session: String(repeating: "z", count: 64), created: .max, sequence: .max),
        ] { #expect(try RequestProof(signatureInput: edge.signatureInput) == edge) }
    }

    @Test func everyPrefixIsRefused() {
        let text = proof.signatureInput
        for count in 0..<text.utf8.count {
            #expect(throws: ControlProtocolError.self) {
                try RequestProof(signatureInput: String(text.prefix(count)))
            }
        }
    }

    /// A text has one meaning, and a meaning has one text.
    @Test func everyChangedByteIsRefusedOrIsAnotherProof() {
        let bytes = Array(proof.signatureInput.utf8)
        for index in bytes.indices {
            for value in UInt8.min...UInt8.max where value != bytes[index] {
                var changed = bytes
                changed[index] = value
                guard let text = String(validating: changed, as: UTF8.self),
                    let parsed = try? RequestProof(signatureInput: text)
                else { continue }
                #expect(parsed != proof && Array(parsed.signatureInput.utf8) == changed)
            }
        }
    }

    @Test(arguments: [
        "", "daypass=()", ";;;;", "sig1=%", "daypass=%, daypass=%", "%;tag=\"x\"", " %", "% ",
    ])
    func otherSpellingsAreRefused(form: String) {
        let text = form.replacing("%", with: proof.signatureInput)
        #expect(throws: ControlProtocolError.self) { try RequestProof(signatureInput: text) }
    }

    @Test(arguments: [
        ("created=1795237200", "created=-1"), ("created=1795237200", "created=01795237200"),
        ("created=1795237200", "created=+1795237200"), ("created=1795237200", "created=9223372036854775808"),
        ("nonce=\"1795237200000001\"", "nonce=\"18446744073709551616\""),
        ("nonce=\"1795237200000001\"", "nonce=1795237200000001"),
        ("keyid=\"0123456789abcdef0123456789abcdef\"", "keyid=\"\""),
        ("keyid=\"0123456789abcdef0123456789abcdef\"", "keyid=\"A\""),
        ("keyid=\"0123456789abcdef0123456789abcdef\"", "keyid=\"a\\\"b\""),
        ("alg=\"ed25519\"", "alg=\"hmac-sha256\""), ("alg=\"ed25519\"", "alg=\"none\""),
        ("\"content-digest\"", "\"date\""), ("\"@method\" ", ""),
    ])
    func attack54_whatIsNotInTheProfileIsRefused(part: String, replacement: String) {
        let text = proof.signatureInput.replacing(part, with: replacement)
        #expect(text != proof.signatureInput)
        #expect(throws: ControlProtocolError.self) { try RequestProof(signatureInput: text) }
    }

    @Test func aLongHeaderIsNotRead() {
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try RequestProof(signatureInput: String(repeating: "a", count: 513))
        }
        #expect(throws: ControlProtocolError.self) {
            try RequestProof.signature(header: String(repeating: "a", count: 513))
        }
    }

    @Test func aSignatureComesBackAsItWas() throws {
        let bytes = (0..<64).map { UInt8($0) }
        let header = RequestProof.signatureHeader(bytes)
        #expect(try RequestProof.signature(header: header) == bytes)
        for count in 0..<header.utf8.count {
            #expect(throws: ControlProtocolError.self) {
                try RequestProof.signature(header: String(header.prefix(count)))
            }
        }
        for bad in [
            RequestProof.signatureHeader(Array(bytes.dropLast())), header + ", " + header, " " + header,
        ] {
            #expect(throws: ControlProtocolError.self) { try RequestProof.signature(header: bad) }
        }
    }

    /// Each part of a request is in what is signed, at a place of its own.
    @Test func whatIsSignedNamesEveryPart() {
        func base(
            _ method: String = "POST", _ authority: String = "a:1", _ target: String = "/x",
            _ digest: String = "d"
        ) -> [UInt8] {
            proof.base(method: method, authority: authority, target: target, contentDigest: digest)
        }
        let all = [
            base(), base("GET"), base("POST", "b:1"), base("POST", "a:1", "/y"),
            base("POST", "a:1", "/x", "e"), base("POST", "a:1", "/x?y"),
        ]
        #expect(Set(all).count == all.count)
        #expect(
            String(decoding: base(), as: UTF8.self)
                == "\"@method\": POST\n\"@authority\": a:1\n\"@request-target\": /x\n\"content-digest\": d\n"
                + "\"@signature-params\": \(proof.signatureInput.dropFirst("daypass=".count))")
    }

    @Test func theDigestIsRFC9530s() {
        // RFC 9530, appendix D: {"hello": "world"} with a line feed.
        #expect(
            RequestProof.contentDigest(Array("{\"hello\": \"world\"}\n".utf8))
                == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:")
    }
}
