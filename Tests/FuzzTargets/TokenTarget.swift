// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension FuzzTarget {
    /// An ID token, taken apart and not verified: as its text, and as header and claims on two lines, since a fuzzer
    /// that changes base64 changes everything behind it.
    static let idToken = FuzzTarget("id-token", maximumBytes: 4 << 10) { input throws(BrokenProperty) in
        let whole = String(decoding: input, as: UTF8.self)
        if let token = try attempt({ try SignedToken(parsing: whole) }) {
            try requireSound(token, whole)
            return .accepted
        }
        let lines = input.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        guard lines.count == 2 else { return .refused }
        let text = "\(Base64URL.encode(Array(lines[0]))).\(Base64URL.encode(Array(lines[1]))).AAAA"
        guard let token = try attempt({ try SignedToken(parsing: text) }) else { return .refused }
        try requireSound(token, text)
        return .accepted
    }

    private static func requireSound(_ token: SignedToken, _ text: String) throws(BrokenProperty) {
        let signature = Base64URL.encode(token.signature)
        try require(
            token.signedBytes + Array(".\(signature)".utf8) == Array(text.utf8), "a token has one spelling")
        let claims = token.claims
        try require(!claims.audiences.isEmpty, "a token is for somebody")
        try require(
            (1...TokenClaims.maximumSubjectBytes).contains(claims.subject.utf8.count), "a subject is short")
        for time in [claims.expires, claims.issuedAt, claims.notBefore, claims.authenticatedAt] {
            guard let time else { continue }
            try require(time.seconds <= UInt64(TokenClaims.latestTime), "a time is one that can be added to")
        }
        try require(
            !claims.isEmailVerified || claims.all["email_verified"] == true
                || claims.all["email_verified"] == "true", "nothing else makes an address verified")
    }
}
