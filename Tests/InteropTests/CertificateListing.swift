// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport

/// What `ssh-keygen -L` says of certificates, and what it must say.
enum CertificateListing {
    /// Asks ssh-keygen about files of certificates, in UTC.
    ///
    /// - Returns: the lines about each certificate, without the file's name and the indentation.
    static func ofSSHKeygen(_ paths: [String]) throws -> [[String]] {
        try paths.map { path in
            let shown = try Tool.run(
                "ssh-keygen", ["-L", "-f", path], environment: Tool.environment(adding: ["TZ": "UTC"])
            ).orThrow("ssh-keygen -L")
            return shown.stdoutText.split(separator: "\n").dropFirst().map {
                String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
        }
    }

    /// The same of our own fields.
    static func of(
        _ fields: CertificateFields, algorithm: SignatureAlgorithm
    ) throws -> [String] {
        let authority = fields.signatureKey
        var lines = [
            "Type: \(fields.key.keyType.certificateName) \(fields.kind.name) certificate",
            "Public key: \(fields.key.keyType.displayName)-CERT \(fields.key.fingerprint)",
            "Signing CA: \(authority.keyType.displayName) \(authority.fingerprint) (using \(algorithm.rawValue))",
            "Key ID: \"\(fields.keyID)\"", "Serial: \(fields.serial)", "Valid: \(validity(fields))",
        ]
        lines += section("Principals", fields.principals.map(\.string))
        lines += section("Critical Options", try fields.criticalOptions.map(describe))
        lines += section("Extensions", try fields.extensions.map(describe))
        return lines
    }

    /// The same of what `daypass inspect --format json` says, which must also find each signature valid.
    static func ofInspect(_ paths: [String]) throws -> [[String]] {
        let shown = try Tool.run(
            try BuiltProduct.path("daypass"), ["inspect", "--format", "json"] + paths,
            environment: Tool.environment(adding: ["DAYPASS_HOME": "/nonexistent"])
        ).orThrow("daypass inspect")
        return try JSONDecoder().decode([Inspected].self, from: Data(shown.stdout)).map { inspected in
            let certificate = inspected.certificate
            guard certificate.signature.valid else { return ["the signature is not valid"] }
            func text(_ option: Inspected.Option) throws -> String {
                if Self.known.contains(ExactText(option.name)) {
                    return option.name + (option.value.map { " " + $0 } ?? "")
                }
                var writer = WireWriter()
                if let value = option.value { writer.writeString(value) }
                let data = try option.data.map { try Base64.decode("option", $0) } ?? writer.bytes
                return describe(unknown: ExactText(option.name), data)
            }
            func time(_ text: String) -> String { String(text.prefix { $0 != "Z" }) }
            let validity =
                switch (certificate.validAfter, certificate.validBefore) {
                case ("1970-01-01T00:00:00Z", "forever"): "forever"
                case ("1970-01-01T00:00:00Z", let end): "before \(time(end))"
                case (let start, "forever"): "after \(time(start))"
                case (let start, let end): "from \(time(start)) to \(time(end))"
                }
            let authority = certificate.authority
            return [
                "Type: \(certificate.type) \(certificate.kind) certificate",
                "Public key: \(certificate.key.name)-CERT \(certificate.key.fingerprintSHA256)",
                "Signing CA: \(authority.name) \(authority.fingerprintSHA256) (using "
                    + "\(certificate.signature.algorithm))",
                "Key ID: \"\(certificate.keyID)\"", "Serial: \(certificate.serial)", "Valid: \(validity)",
            ] + section("Principals", certificate.principals)
                + section("Critical Options", try certificate.criticalOptions.map(text))
                + section("Extensions", try certificate.extensions.map(text))
        }
    }

    private static func section(_ title: String, _ content: [String]) -> [String] {
        content.isEmpty ? ["\(title): (none)"] : ["\(title):"] + content
    }

    private static func validity(_ fields: CertificateFields) -> String {
        func text(_ time: UnixTime) -> String { String("\(time)".prefix { $0 != "Z" }) }
        return switch (fields.validAfter, fields.validBefore) {
        case (.always, .forever): "forever"
        case (.always, let end): "before \(text(end))"
        case (let start, .forever): "after \(text(start))"
        case (let start, let end): "from \(text(start)) to \(text(end))"
        }
    }

    private static let known: Set<ExactText> = [
        .forceCommand, .sourceAddress, .verifyRequired, .noTouchRequired, .permitPTY, .permitUserRC,
        .permitX11Forwarding, .permitPortForwarding, .permitAgentForwarding,
    ]

    private static func describe(_ option: CertificateOption) throws -> String {
        if known.contains(option.name) {
            guard let value = try option.value else { return option.name.string }
            return "\(option.name) \(value)"
        }
        return describe(unknown: option.name, option.data)
    }

    private static func describe(unknown name: ExactText, _ data: [UInt8]) -> String {
        let digits = data.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "\(name) UNKNOWN OPTION: \(digits) (len \(data.count))"
    }
}

/// The parts of `daypass inspect --format json` that ssh-keygen shows too.
private struct Inspected: Decodable {
    struct Key: Decodable {
        let name, fingerprintSHA256: String
        enum CodingKeys: String, CodingKey {
            case name
            case fingerprintSHA256 = "fingerprint_sha256"
        }
    }
    struct Signature: Decodable {
        let valid: Bool
        let algorithm: String
    }
    struct Option: Decodable {
        let name: String
        let value, data: String?
    }
    struct Certificate: Decodable {
        let type, kind, keyID, serial, validAfter, validBefore: String
        let key, authority: Key
        let signature: Signature
        let principals: [String]
        let criticalOptions, extensions: [Option]
        enum CodingKeys: String, CodingKey {
            case type, kind, key, authority, signature, principals, extensions, serial
            case keyID = "key_id"
            case validAfter = "valid_after"
            case validBefore = "valid_before"
            case criticalOptions = "critical_options"
        }
    }
    let certificate: Certificate
}

/// A CA's folder and the program that works in it.
final class TestCA: Sendable {
    let folder: TemporaryFolder
    private let program: String

    var home: String { folder.path("ca") }
    var userAuthority: String { "\(home)/user_ca.pub" }
    var hostAuthority: String { "\(home)/host_ca.pub" }

    /// Makes a CA.
    ///
    /// - Parameter arguments: further ones for `daypass ca init`.
    init(_ arguments: [String] = []) throws {
        folder = try TemporaryFolder()
        program = try BuiltProduct.path("daypass")
        try run(["ca", "init", "--no-passphrase"] + arguments).orThrow("make a CA")
    }

    /// Runs `daypass` on this CA.
    func run(_ arguments: [String], timeout: Duration = .seconds(60)) throws -> ToolResult {
        try Tool.run(
            program, arguments, environment: Tool.environment(adding: ["DAYPASS_HOME": home]),
            timeout: timeout)
    }

    /// Starts `daypass` on this CA and does not wait for it.
    func start(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(
            program, arguments, environment: Tool.environment(adding: ["DAYPASS_HOME": home]),
            log: folder.path("log"))
    }

    /// A CA's public key.
    func publicKey(_ role: String) throws -> PublicKey {
        try PublicKeyLine(file: try folder.read("ca/\(role)_ca.pub")).content.plainKey("CA key")
    }

    /// The certificate in a file.
    func certificate(_ name: String) throws -> Certificate { try Self.certificate(try folder.read(name)) }

    static func certificate(_ file: [UInt8]) throws -> Certificate {
        guard case .certificate(let certificate) = try PublicKeyLine(file: file).content else {
            throw TestSupportError("a key where a certificate was expected")
        }
        return certificate
    }
}

/// Keys of every type and size that a certificate may be about.
enum SubjectKeys {
    /// Their names, in the order of ``all``.
    static let names = [
        "ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048", "rsa-3072", "rsa-4096", "sk-ed25519",
        "sk-ecdsa",
    ]

    /// Made once by ssh-keygen; the keys of authenticators are built around what it made.
    static let all = Result { try make() }

    private static func make() throws -> [(name: String, key: PublicKey)] {
        try withTemporaryFolder { folder in
            var keys: [(name: String, key: PublicKey)] = []
            for name in names.dropLast(2) {
                let words = name.split(separator: "-").map(String.init)
                try Tool.run(
                    "ssh-keygen",
                    ["-q", "-N", "", "-f", folder.path(name), "-t", words[0]]
                        + (words.count > 1 ? ["-b", words[1]] : [])
                ).orThrow("make a key")
                keys.append(
                    (name, try PublicKeyLine(file: try folder.read("\(name).pub")).content.plainKey("key")))
            }
            for (_, key) in keys {
                switch key.material {
                case .ed25519(let bytes):
                    keys.append(("sk-ed25519", try PublicKey(.skEd25519(bytes, application: "ssh:"))))
                case .ecdsa(.p256, let point):
                    keys.append(
                        ("sk-ecdsa", try PublicKey(.skECDSA(point: point, application: "ssh:daypass"))))
                default: break
                }
            }
            return keys
        }
    }

    /// Writes them to files.
    ///
    /// - Returns: the paths, in the order of ``all``.
    static func write(to folder: TemporaryFolder) throws -> [String] {
        try all.get().map { try folder.write($0.key.text + "\n", to: "\($0.name).pub") }
    }
}
