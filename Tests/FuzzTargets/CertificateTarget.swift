// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension FuzzTarget {
    /// A certificate's blob.
    static let certificate = FuzzTarget("certificate", maximumBytes: 8 << 10) {
        input throws(BrokenProperty) in
        guard let certificate = try attempt({ try Certificate(encoded: input) }) else { return .refused }
        try require(certificate.encoded == input, "a certificate keeps its bytes")
        let fields = certificate.fields
        let signed = [UInt8](certificate.signedBytes)
        try require(input.starts(with: signed), "what is signed is the certificate's beginning")
        try require(fields.toBeSigned == signed, "the fields encode to what was signed")
        try require(
            try attempt { try CertificateFields(toBeSigned: signed.span) } == fields,
            "what was signed has the same fields")
        try require(
            try attempt { try Certificate(toBeSigned: signed, signature: certificate.signature) }
                == certificate, "the parts make the certificate")
        try require(
            try attempt { try KeyOrCertificate(encoded: input) } == .certificate(certificate),
            "a certificate is read as a certificate")
        try require(try attempt { try PublicKey(encoded: input) } == nil, "a certificate is no plain key")
        try issue(certificate, fields, signed)
        let isSigned = try attempt { try certificate.verifySignature() } != nil
        for purpose in try purposes(of: fields) { try judge(certificate, purpose, isSigned: isSigned) }
        return .accepted
    }

    /// Joins the certificate as its issuer would, who compares it with what was recorded.
    private static func issue(
        _ certificate: Certificate, _ fields: CertificateFields, _ signed: [UInt8]
    ) throws(BrokenProperty) {
        func join(_ expected: CertificateFields) throws(BrokenProperty) -> Certificate? {
            try attempt {
                try Certificate(
                    expecting: UnsignedCertificate(uncheckedFields: expected, toBeSigned: signed),
                    signature: certificate.signature)
            }
        }
        let joined = try join(fields)
        try require(joined == certificate, "a certificate is what was expected of it")
        var other = fields
        other.principals.append("root")
        let withAnotherPrincipal = try join(other)
        other = fields
        other.serial &+= 1
        let withAnotherSerial = try join(other)
        other = fields
        other.reserved.append(0)
        let withAnotherEnd = try join(other)
        try require(
            withAnotherPrincipal == nil && withAnotherSerial == nil && withAnotherEnd == nil,
            "a certificate is nothing else than what was expected of it")
    }

    private static func purposes(
        of fields: CertificateFields
    ) throws(BrokenProperty) -> [CertificateJudge.Purpose] {
        let name = fields.principals.first ?? "nobody"
        let address = try attempt { try IPAddress("192.0.2.1") }
        return [
            .login(principal: name, address: address), .login(principal: name, address: nil),
            .host(name: name), .login(principal: "", address: address), .host(name: ""),
        ]
    }

    /// Judges by a judge that trusts the certificate's own authority, so that every rule is reached.
    private static func judge(
        _ certificate: Certificate, _ purpose: CertificateJudge.Purpose, isSigned: Bool
    ) throws(BrokenProperty) {
        let fields = certificate.fields
        let judge = CertificateJudge(
            authorities: [fields.signatureKey], signatureAlgorithms: Set(SignatureAlgorithm.allCases))
        for now in [fields.validAfter, fields.validBefore, .always, .forever] {
            switch judge.judge(certificate, for: purpose, at: now) {
            case .accepted(let accepted):
                try require(isSigned, "what is accepted is signed")
                try require(
                    fields.validAfter <= now && now < fields.validBefore, "what is accepted is in time")
                try require(!fields.principals.isEmpty, "nobody's certificate is not accepted")
                switch purpose {
                case .login(let principal, _):
                    try require(fields.kind == .user, "a host's certificate logs nobody in")
                    try require(fields.principals.contains(principal), "a login has the principal")
                case .host:
                    try require(fields.kind == .host, "a user's certificate vouches for no host")
                    try require(fields.criticalOptions.isEmpty, "a host's certificate has no options")
                }
                _ = (accepted.permissions, accepted.requiredPresence)
            case .refused(let refusals):
                try require(!refusals.isEmpty, "a refusal has a reason")
                for refusal in refusals { try requireOneLine("\(refusal)", "a refusal") }
            }
        }
        let nobody = CertificateJudge(authorities: [])
        guard case .refused(let refusals) = nobody.judge(certificate, for: purpose, at: fields.validAfter)
        else { throw BrokenProperty("a judge without authorities trusts nobody") }
        try require(refusals.contains { $0.rule == .authority }, "the authority is among the reasons")
    }
}
