// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("docs/formats/request-proof.md")
struct RequestProofPageTests {
    /// The page's code blocks: the request, what is signed, the key.
    private func blocks() throws -> [String] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try FileIO.read("/\(root)/docs/formats/request-proof.md", maximumBytes: 64 << 10)
        return String(decoding: page, as: UTF8.self).split(separator: "```").enumerated()
            .filter { !$0.offset.isMultiple(of: 2) }
            .map { _, block in
                // Without the block's kind, and the newline at its end.
                String(block.drop { $0 != "\n" }.dropFirst().dropLast())
            }
    }

    @Test func theExampleIsWhatAServerTakes() throws {
        let blocks = try blocks()
        try #require(blocks.count == 3)
        let parts = blocks[0].split(separator: "\n\n", maxSplits: 1)
        try #require(parts.count == 2)
        let body = Array(parts[1].utf8)
        var fields: [Substring: String] = [:]
        for line in parts[0].split(separator: "\n").dropFirst() {
            let colon = try #require(line.firstIndex(of: ":"))
            fields[line[..<colon]] = String(line[line.index(colon, offsetBy: 2)...])
        }
        let request = parts[0].split(separator: " ")
        let digest = RequestProof.contentDigest(body)
        #expect(fields["Content-Digest"] == digest)
        let input = try #require(fields["Signature-Input"])
        let proof = try RequestProof(signatureInput: input)
        #expect(proof.signatureInput == input)
        let base = proof.base(
            method: String(request[0]), authority: try #require(fields["Host"]), target: String(request[1]),
            contentDigest: digest)
        #expect(String(decoding: base, as: UTF8.self) == blocks[1])
        let signature = Signature(
            .ed25519, blob: try RequestProof.signature(header: try #require(fields["Signature"])))
        guard case .key(let key) = try PublicKeyLine(blocks[2]).content else {
            Issue.record("the page's last block is no key")
            return
        }
        try key.verify(signature, over: base.span)
        // For another path it is nothing.
        let other = proof.base(
            method: "POST", authority: try #require(fields["Host"]), target: "/v1/explain",
            contentDigest: digest)
        #expect(throws: (any Error).self) { try key.verify(signature, over: other.span) }
        // The request itself can be read.
        _ = try CertificateWish(
            json: try JSONValue(parsing: body, maximumBytes: CertificateWish.maximumBytes))
    }
}
