// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport

/// The built program, run where there is no CA folder.
struct InspectTools {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Runs daypass in the folder.
    func daypass(
        _ arguments: [String], stdin: [UInt8]? = nil, environment: [String: String] = [:]
    ) throws -> ToolResult {
        try Tool.run(
            try BuiltProduct.path("daypass"), arguments, stdin: stdin,
            environment: Tool.environment(
                adding: ["HOME": folder.path, "TZ": "UTC"].merging(environment) { $1 }),
            in: folder.path)
    }

    /// Runs ssh-keygen in the folder.
    @discardableResult
    func keygen(_ arguments: [String]) throws -> ToolResult {
        try Tool.run(
            "ssh-keygen", arguments, environment: Tool.environment(adding: ["TZ": "UTC"]), in: folder.path
        ).orThrow("ssh-keygen \(arguments)")
    }

    /// Makes a key pair without a passphrase.
    func makeKey(_ name: String, _ type: [String] = ["-t", "ed25519"], comment: String = "someone@example")
        throws
    {
        try keygen(["-q", "-N", "", "-C", comment, "-f", name] + type)
    }

    /// Writes a certificate that ssh-keygen would not make, signed by a key of its own.
    ///
    /// - Returns: the CA's public key.
    @discardableResult
    func makeCertificate(
        _ name: String, comment: String = "", _ change: (inout CertificateFields) -> Void
    ) throws -> PublicKey {
        let authority = try PrivateKey.generate(.ed25519, comment: "")
        let subject = try PrivateKey.generate(.ed25519, comment: "")
        var fields = CertificateFields(
            nonce: [UInt8](repeating: 7, count: 32), key: subject.publicKey, serial: 5, kind: .user,
            keyID: "al#5", principals: ["al"], validAfter: UnixTime(seconds: 1_000_000),
            validBefore: UnixTime(seconds: 2_000_000), signatureKey: authority.publicKey)
        change(&fields)
        let signed = fields.toBeSigned
        let certificate = try Certificate(
            toBeSigned: signed, signature: try authority.sign(signed.span))
        let line = "\(certificate.typeName) \(Base64.encode(certificate.encoded)) \(comment)\n"
        try folder.write(line, to: name)
        return authority.publicKey
    }

    /// What `inspect --format json` says.
    func reports(_ arguments: [String], stdin: [UInt8]? = nil) throws -> [InspectedReport] {
        let result = try daypass(["inspect", "--format", "json"] + arguments, stdin: stdin)
        return try decodeReports(result)
    }

    func decodeReports(_ result: ToolResult) throws -> [InspectedReport] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode([InspectedReport].self, from: Data(result.stdout))
    }
}

/// The parts of `inspect --format json` that tests look at, by their documented names.
struct InspectedReport: Decodable {
    struct Key: Decodable {
        let type, name, fingerprintSha256, fingerprintMd5: String
        let bits: Int
        let hardwareBacked: Bool
        let application: String?
    }

    struct Option: Decodable {
        let name: String
        let value: String?
        let data: String?
    }

    struct Signature: Decodable {
        let valid: Bool
        let algorithm: String
        let reason: String?
    }

    struct Validity: Decodable {
        let status: String
        let secondsLeft, secondsUntilStart, secondsSinceEnd: UInt64?
    }

    struct Certificate: Decodable {
        let type, kind, keyId, serial, validAfter, validBefore: String
        let validAfterUnix, validBeforeUnix: UInt64?
        let key, authority: Key
        let authorityRole: String?
        let signature: Signature
        let principals: [String]
        let validity: Validity
        let criticalOptions, extensions: [Option]
    }

    struct Warning: Decodable {
        let code, text: String
    }

    struct Revocation: Decodable {
        let revoked: Bool
        let reason: String?
    }

    struct Judgement: Decodable {
        struct Reason: Decodable {
            let rule, reason: String
        }

        let accepted: Bool
        let purpose: String?
        let reasons: [Reason]
    }

    let file, kind: String
    let line: Int?
    let comment, options, names, error: String?
    let certificate: Certificate?
    let key: Key?
    let revocation: Revocation?
    let warnings: [Warning]
    let judgement: Judgement?
}
