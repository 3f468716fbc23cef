// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

/// Every type of subject under every type of CA, for users and hosts, in both directions: OpenSSH reads what
/// `daypass` issues, and SSHWire reads what OpenSSH issues, with the same in every field.
@Suite("Certificates of every kind, with OpenSSH") struct CertificateMatrixTests {
    static let authorities = ["ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa"]

    /// What `--format json` says of an issued certificate.
    private struct Report: Decodable {
        let certificate: String
        let serial: String
        let keyID: String
        let validAfter: String
        let validBefore: String

        enum CodingKeys: String, CodingKey {
            case certificate, serial
            case keyID = "key_id"
            case validAfter = "valid_after"
            case validBefore = "valid_before"
        }
    }

    /// One call of `daypass issue` and what must come of it.
    private struct Order {
        var arguments: [String]
        var kind = CertificateKind.user
        var identity: String
        var principals: [ExactText]
        var lifetime: UInt64
        var critical: [CertificateOption] = []
        var extensions: [CertificateOption] = []
    }

    private static let plainUser = Order(
        arguments: ["user", "--identity", "alice@example.org", "--principal", "alice"],
        identity: "alice@example.org",
        principals: ["alice"], lifetime: 8 * 3_600, extensions: [.flag(.permitPTY)])

    private static let fullUser = Order(
        arguments: [
            "user", "--identity", "alice", "--principal", "alice", "deploy", "db:read", "--valid", "15m",
            "--force-command", "/usr/bin/id -un \"x\"", "--source-address", "192.0.2.0/24", "2001:db8::/32",
            "127.0.0.1",
            "--permit", "pty,port-forwarding,agent-forwarding,x11-forwarding,user-rc", "--extension",
            "login@example.org=alice",
        ], identity: "alice", principals: ["alice", "deploy", "db:read"], lifetime: 900,
        critical: [
            .text(.forceCommand, "/usr/bin/id -un \"x\""),
            .text(.sourceAddress, "192.0.2.0/24,2001:db8::/32,127.0.0.1"),
        ],
        extensions: [
            .text("login@example.org", "alice"), .flag(.permitX11Forwarding), .flag(.permitAgentForwarding),
            .flag(.permitPortForwarding), .flag(.permitPTY), .flag(.permitUserRC),
        ])

    private static let bareUser = Order(
        arguments: ["user", "--identity", "b", "--principal", "b", "--valid", "24h", "--permit", "none"],
        identity: "b", principals: ["b"], lifetime: 86_400)

    private static let hardwareUser = Order(
        arguments: [
            "user", "--identity", "carol", "--principal", "carol", "--verify-required", "--extension",
            "no-touch-required",
        ], identity: "carol", principals: ["carol"], lifetime: 8 * 3_600, critical: [.flag(.verifyRequired)],
        extensions: [.flag(.noTouchRequired), .flag(.permitPTY)])

    private static let host = Order(
        arguments: ["host", "--hostname", "web1.example", "192.0.2.7", "2001:db8::7"], kind: .host,
        identity: "web1.example", principals: ["web1.example", "192.0.2.7", "2001:db8::7"],
        lifetime: 30 * 86_400)

    private func makeCA(_ type: String) throws -> TestCA {
        guard type == "rsa" else { return try TestCA(["--type", type]) }
        return try withTemporaryFolder { folder in
            try Tool.run("ssh-keygen", ["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", folder.path("rsa")])
                .orThrow("make a key")
            return try TestCA(["--import", folder.path("rsa"), "--import", "host=\(folder.path("rsa"))"])
        }
    }

    @Test(arguments: authorities)
    func whatDaypassIssuesSSHKeygenReads(type: String) throws {
        let ca = try makeCA(type)
        let paths = try SubjectKeys.write(to: ca.folder)
        let subjects = try SubjectKeys.all.get()
        var serials: Set<UInt64> = []
        for order in [Self.plainUser, Self.fullUser, Self.bareUser, Self.hardwareUser, Self.host] {
            let chosen = subjects.indices.filter {
                order.critical != Self.hardwareUser.critical || subjects[$0].key.keyType.isHardwareBacked
            }
            let started = UInt64(Date().timeIntervalSince1970)
            let said = try ca.run(
                ["issue"] + order.arguments + ["--format", "json", "--key"] + chosen.map { paths[$0] }
            )
            .orThrow("issue")
            let ended = UInt64(Date().timeIntervalSince1970)
            let reports = try JSONDecoder().decode([Report].self, from: Data(said.stdout))
            #expect(reports.count == chosen.count)
            let listed = try CertificateListing.ofSSHKeygen(reports.map(\.certificate))
            let inspected = try CertificateListing.ofInspect(reports.map(\.certificate))
            let authority = try ca.publicKey(order.kind.name)
            for (index, report) in reports.enumerated() {
                let serial = try #require(UInt64(report.serial))
                #expect(serials.insert(serial).inserted)
                let file = try Data(contentsOf: URL(fileURLWithPath: report.certificate))
                let certificate = try TestCA.certificate([UInt8](file))
                let start = certificate.fields.validAfter.seconds + 60
                #expect((started...ended).contains(start))
                // What was asked for, word by word; only the time, the serial and the nonce are the CA's own choice.
                let expected = CertificateFields(
                    nonce: certificate.fields.nonce, key: subjects[chosen[index]].key, serial: serial,
                    kind: order.kind,
                    keyID: ExactText("\(order.identity)#\(serial)"), principals: order.principals,
                    validAfter: UnixTime(seconds: start - 60),
                    validBefore: UnixTime(seconds: start + order.lifetime),
                    criticalOptions: order.critical, extensions: order.extensions, signatureKey: authority)
                let algorithm = authority.keyType.defaultSignatureAlgorithm
                #expect(listed[index] == (try CertificateListing.of(expected, algorithm: algorithm)))
                #expect(inspected[index] == listed[index])
                #expect(certificate.fields == expected)
                #expect(certificate.signature.algorithm == algorithm)
                #expect(certificate.fields.nonce.count == 32)
                try certificate.verifySignature()
                #expect(report.keyID == expected.keyID.string)
                #expect(
                    report.validAfter == "\(expected.validAfter)"
                        && report.validBefore == "\(expected.validBefore)")
            }
        }
        let verified = try ca.run(["log", "verify"])
        #expect(verified.succeeded, "\(verified)")
    }

    // MARK: The other way

    private struct Form {
        let options: [String]
        let critical: [CertificateOption]
        let extensions: [CertificateOption]
        let needsAuthenticator: Bool
    }

    private static let defaults: [CertificateOption] = [
        .flag(.permitX11Forwarding), .flag(.permitAgentForwarding), .flag(.permitPortForwarding),
        .flag(.permitPTY),
        .flag(.permitUserRC),
    ]

    private static let forms = [
        Form(options: [], critical: [], extensions: defaults, needsAuthenticator: false),
        Form(
            options: [
                "clear", "permit-pty", "force-command=/bin/true -x", "source-address=192.0.2.0/24,::1/128",
                "extension:login@example.org=alice", "critical:vendor@example.org=must",
            ],
            critical: [
                .text(.forceCommand, "/bin/true -x"), .text(.sourceAddress, "192.0.2.0/24,::1/128"),
                .text("vendor@example.org", "must"),
            ], extensions: [.text("login@example.org", "alice"), .flag(.permitPTY)], needsAuthenticator: false
        ),
        Form(
            options: ["clear", "verify-required", "no-touch-required"], critical: [.flag(.verifyRequired)],
            extensions: [.flag(.noTouchRequired)], needsAuthenticator: true),
    ]

    /// ssh-keygen's `-V`, and the seconds that it stands for.
    private static let windows: [(text: String, after: UInt64, before: UInt64)] = [
        ("20200229000000Z:20991231235959Z", 1_582_934_400, 4_102_444_799), ("always:forever", 0, .max),
        ("always:20380119031408Z", 0, 2_147_483_648), ("20380119031407Z:forever", 2_147_483_647, .max),
    ]

    /// A CA of ssh-keygen's own, with an algorithm where the type leaves a choice.
    static let peers: [(type: String, bits: String?, algorithm: String?)] = [
        ("ed25519", nil, nil), ("ecdsa", "256", nil), ("ecdsa", "384", nil), ("ecdsa", "521", nil),
        ("rsa", "2048", nil), ("rsa", "4096", "rsa-sha2-256"),
    ]

    @Test(arguments: peers.indices)
    func whatSSHKeygenIssuesIsRead(peer: Int) throws {
        let (type, bits, algorithm) = Self.peers[peer]
        try withTemporaryFolder { folder in
            let authority = folder.path("authority")
            try Tool.run(
                "ssh-keygen",
                ["-q", "-N", "", "-f", authority, "-t", type] + (bits.map { ["-b", $0] } ?? [])
            ).orThrow("make a CA")
            let signer = try PublicKeyLine(file: try folder.read("authority.pub")).content.plainKey("CA key")
            let paths = try SubjectKeys.write(to: folder)
            let subjects = try SubjectKeys.all.get()
            for kind in CertificateKind.allCases {
                for (number, window) in Self.windows.enumerated() {
                    // A host's certificate takes no options; three forms times four windows would say nothing more.
                    let form = kind == .host ? nil : Self.forms[number % Self.forms.count]
                    let chosen = subjects.indices.filter {
                        form?.needsAuthenticator != true || subjects[$0].key.keyType.isHardwareBacked
                    }
                    var arguments = [
                        "-q", "-s", authority, "-I", "caf\u{e9} #\(number)", "-n", "alice,b*b", "-V",
                        window.text,
                    ]
                    arguments += ["-z", "+18446744073709551600"]
                    if kind == .host { arguments.append("-h") }
                    if let algorithm { arguments += ["-t", algorithm] }
                    for option in form?.options ?? [] { arguments += ["-O", option] }
                    try Tool.run("ssh-keygen", arguments + chosen.map { paths[$0] }).orThrow("sign")
                    let files = chosen.map { "\(subjects[$0].name)-cert.pub" }
                    let listed = try CertificateListing.ofSSHKeygen(files.map { folder.path($0) })
                    let inspected = try CertificateListing.ofInspect(files.map { folder.path($0) })
                    for (index, file) in files.enumerated() {
                        let certificate = try TestCA.certificate(try folder.read(file))
                        let expected = CertificateFields(
                            nonce: certificate.fields.nonce, key: subjects[chosen[index]].key,
                            serial: 18_446_744_073_709_551_600 + UInt64(index), kind: kind,
                            keyID: ExactText("caf\u{e9} #\(number)"), principals: ["alice", "b*b"],
                            validAfter: UnixTime(seconds: window.after),
                            validBefore: UnixTime(seconds: window.before),
                            criticalOptions: form?.critical ?? [], extensions: form?.extensions ?? [],
                            signatureKey: signer)
                        #expect(certificate.fields == expected)
                        let used =
                            algorithm.flatMap { SignatureAlgorithm(rawValue: $0) }
                            ?? signer.keyType.defaultSignatureAlgorithm
                        #expect(certificate.signature.algorithm == used)
                        try certificate.verifySignature()
                        // ssh-keygen shows what is not ASCII by its bytes.
                        let ours = try CertificateListing.of(certificate.fields, algorithm: used)
                        #expect(
                            listed[index].filter { !$0.hasPrefix("Key ID") }
                                == ours.filter { !$0.hasPrefix("Key ID") })
                        #expect(Certificate.roundTrips(certificate))
                        #expect(inspected[index] == ours)
                    }
                }
            }
        }
    }

    @Test func aCertificateThatSSHKeygenSignedWithSHA1IsRefused() throws {
        try withTemporaryFolder { folder in
            for name in ["authority", "subject"] {
                try Tool.run(
                    "ssh-keygen", ["-q", "-N", "", "-t", "rsa", "-b", "2048", "-f", folder.path(name)]
                )
                .orThrow("make a key")
            }
            for (algorithm, isGood) in [("rsa-sha2-512", true), ("ssh-rsa", false)] {
                try Tool.run(
                    "ssh-keygen",
                    [
                        "-q", "-s", folder.path("authority"), "-t", algorithm, "-I", "x", "-n", "x",
                        folder.path("subject.pub"),
                    ]
                ).orThrow("sign")
                let file = try folder.read("subject-cert.pub")
                if isGood {
                    try TestCA.certificate(file).verifySignature()
                } else {
                    #expect(throws: SSHWireError(.unsupportedType, "")) { try TestCA.certificate(file) }
                }
            }
        }
    }
}

extension Certificate {
    /// True when its fields and signature, written again, are the bytes that came.
    fileprivate static func roundTrips(_ certificate: Certificate) -> Bool {
        var writer = WireWriter()
        writer.writeRaw(certificate.fields.toBeSigned)
        writer.writeString(certificate.signature.encoded)
        return writer.bytes == certificate.encoded
    }
}
