// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

/// What ssh-keygen -L, `daypass inspect` and its JSON say about a certificate, in one form.
private struct Shown: Equatable {
    var type = ""
    var kind = ""
    var key = ""
    var authority = ""
    var algorithm = ""
    var keyID = ""
    var serial = ""
    var valid = ""
    var principals: [String] = []
    var criticalOptions: [String] = []
    var extensions: [String] = []
}

@Suite("daypass inspect: certificates by ssh-keygen")
struct InspectCertificateTests {
    private static let subjects: [(name: String, options: [String])] = [
        ("ed25519", ["-t", "ed25519"]), ("p256", ["-t", "ecdsa", "-b", "256"]),
        ("p384", ["-t", "ecdsa", "-b", "384"]), ("p521", ["-t", "ecdsa", "-b", "521"]),
        ("rsa", ["-t", "rsa", "-b", "2048"]),
    ]

    /// A name, the key that signs, and the algorithm that RSA keys need to be told.
    private static let authorities: [(key: String, options: [String])] = [
        ("ed25519", []), ("p256", []), ("p384", []), ("p521", []), ("rsa", ["-t", "rsa-sha2-256"]),
        ("rsa", ["-t", "rsa-sha2-512"]),
    ]

    @Test func everyFieldIsWhatSSHKeygenShows() throws {
        let tools = try InspectTools()
        for subject in Self.subjects { try tools.makeKey(subject.name, subject.options) }
        // Keys of authenticators that nobody has: certifying takes the public half only.
        let point = try PrivateKey.generate(.ecdsaP256, comment: "").publicKey
        guard case .ecdsa(_, let bytes) = point.material else { throw TestSupportError("no point") }
        for (name, material) in [
            (
                "sk-ed25519",
                PublicKey.Material.skEd25519([UInt8](repeating: 9, count: 32), application: "ssh:a")
            ),
            ("sk-p256", .skECDSA(point: bytes, application: "ssh:b")),
        ] { try tools.folder.write(try PublicKey(material).text + " token\n", to: "\(name).pub") }

        var files: [String] = []
        var expected: [Shown] = []
        for subject in Self.subjects.map(\.name) + ["sk-ed25519", "sk-p256"] {
            for (number, authority) in Self.authorities.enumerated() {
                for kind in ["user", "host"] {
                    let file = "\(subject)-\(number)-\(kind)"
                    try tools.folder.write(try tools.folder.read("\(subject).pub"), to: "\(file).pub")
                    try tools.keygen(
                        ["-q", "-s", authority.key] + authority.options + Self.options(kind, number)
                            + ["\(file).pub"])
                    files.append("\(file)-cert.pub")
                    expected.append(
                        Self.parse(try tools.keygen(["-L", "-f", "\(file)-cert.pub"]).stdoutText))
                }
            }
        }
        let reports = try tools.reports(files)
        #expect(reports.map(\.file) == files)
        let certificates = reports.compactMap(\.certificate)
        #expect(certificates.count == 84 && certificates.allSatisfy(\.signature.valid))
        for (index, certificate) in certificates.enumerated() {
            #expect(Self.shown(certificate) == expected[index], "\(files[index])")
        }
        // The text says the same.
        let text = try tools.daypass(["inspect"] + files)
        #expect(text.status == 0 && text.stderr.isEmpty)
        let blocks = text.stdoutText.split(separator: "\n\n")
        #expect(blocks.count == files.count)
        for (index, block) in blocks.enumerated() {
            #expect(
                Self.parse(block: String(block)) == Self.withoutUnknown(expected[index]), "\(files[index])")
        }
    }

    private static func options(_ kind: String, _ number: Int) -> [String] {
        let validity = [
            "-1h:+8h", "always:forever", "20200101000000:20200102030405", "20240229:forever",
            "always:20991231235959", "+1d:+2d",
        ][number]
        let common = [
            "-I", "someone \"\(number)\" é", "-z", ["0", "1", "18446744073709551615"][number % 3], "-V",
            validity,
        ]
        guard kind == "user" else { return common + ["-h", "-n", "host.example.com,10.0.0.7"] }
        return common + ["-n", number == 3 ? "root" : "al,root,b c"]
            + (number % 2 == 0
                ? [
                    "-O", "force-command=/bin/echo \"a b\"  c", "-O",
                    "source-address=10.0.0.0/8,2001:db8::/32",
                    "-O", "verify-required", "-O", "no-touch-required", "-O", "critical:a@example=one",
                    "-O", "extension:z@example=two", "-O", "extension:zz@example",
                ] : ["-O", "clear"])
    }

    private static func shown(_ certificate: InspectedReport.Certificate) -> Shown {
        func period() -> String {
            func plain(_ time: String) -> String { String(time.dropLast()) }
            switch (certificate.validAfterUnix, certificate.validBefore) {
            case (0, "forever"): return "forever"
            case (0, let end): return "before \(plain(end))"
            case (_, "forever"): return "after \(plain(certificate.validAfter))"
            default: return "from \(plain(certificate.validAfter)) to \(plain(certificate.validBefore))"
            }
        }
        return Shown(
            type: certificate.type, kind: certificate.kind,
            key: "\(certificate.key.name)-CERT \(certificate.key.fingerprintSha256)",
            authority: "\(certificate.authority.name) \(certificate.authority.fingerprintSha256)",
            algorithm: certificate.signature.algorithm, keyID: certificate.keyId, serial: certificate.serial,
            valid: period(), principals: certificate.principals,
            criticalOptions: certificate.criticalOptions.map(spell),
            extensions: certificate.extensions.map(spell))
    }

    private static let known = ["force-command", "source-address"]

    /// An option as ssh-keygen writes it.
    private static func spell(_ option: InspectedReport.Option) -> String {
        guard let value = option.value else {
            return option.name.contains("@") ? "\(option.name) UNKNOWN FLAG OPTION" : option.name
        }
        if known.contains(option.name) { return "\(option.name) \(value)" }
        var writer = WireWriter()
        writer.writeString(value)
        let digits = writer.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "\(option.name) UNKNOWN OPTION: \(digits) (len \(writer.bytes.count))"
    }

    /// The text form shows the content of unknown options as text.
    private static func withoutUnknown(_ shown: Shown) -> Shown {
        func plain(_ option: String) -> String {
            let words = option.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count > 2, words[1] == "UNKNOWN" else { return option }
            return String(words[0])
        }
        var copy = shown
        copy.criticalOptions = shown.criticalOptions.map(plain)
        copy.extensions = shown.extensions.map(plain)
        return copy
    }

    /// Reads what ssh-keygen -L prints about one certificate.
    private static func parse(_ text: String) -> Shown {
        var shown = Shown()
        var section = ""
        for line in text.split(separator: "\n").dropFirst() {
            let content = line.drop { $0 == " " }
            if line.prefix(while: { $0 == " " }).count > 8 {
                switch section {
                case "Principals": shown.principals.append(String(content))
                case "Critical Options": shown.criticalOptions.append(String(content))
                default: shown.extensions.append(String(content))
                }
                continue
            }
            let parts = content.split(separator: ":", maxSplits: 1)
            section = String(parts[0])
            let value = String(parts[1].drop { $0 == " " })
            let words = value.split(separator: " ").map(String.init)
            switch section {
            case "Type": (shown.type, shown.kind) = (words[0], words[1])
            case "Public key": shown.key = value
            case "Signing CA":
                shown.authority = "\(words[0]) \(words[1])"
                shown.algorithm = String(words[3].dropLast())
            case "Key ID": shown.keyID = String(value.dropFirst().dropLast())
            case "Serial": shown.serial = value
            case "Valid": shown.valid = value
            default: break
            }
        }
        return shown
    }

    /// Reads what `daypass inspect` prints about one certificate.
    private static func parse(block: String) -> Shown {
        var shown = Shown()
        let lines = block.split(separator: "\n")
        shown.kind = lines[0].split(separator: " ").dropLast().last.map(String.init) ?? ""
        var name = ""
        for line in lines.dropFirst() {
            let heading = line.dropFirst(2).prefix(12).split(separator: " ").joined(separator: " ")
            if !heading.isEmpty { name = heading }
            let value = String(line.dropFirst(14))
            let words = value.split(separator: " ").map(String.init)
            switch name {
            case "type": shown.type = value
            case "key": shown.key = "\(words[0])-CERT \(words[2])"
            case "signed by": shown.authority = "\(words[0]) \(words[2])"
            case "signature": shown.algorithm = words[1]
            case "key ID": shown.keyID = String(value.dropFirst().dropLast())
            case "serial": shown.serial = value
            case "valid":
                let period = value.split(separator: ",")[0].split(separator: " ").map(String.init)
                    .map { $0.hasSuffix("Z") ? String($0.dropLast()) : $0 }
                shown.valid =
                    period == ["for", "ever"]
                    ? "forever"
                    : (period.count == 2 ? [period[0] == "until" ? "before" : "after", period[1]] : period)
                        .joined(separator: " ")
            case "principals": shown.principals.append(value)
            case "critical" where value != "none":
                shown.criticalOptions.append(known.contains(words[0]) ? value : words[0])
            case "extensions" where value != "none": shown.extensions.append(words[0])
            default: break
            }
        }
        return shown
    }
}
