// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@Suite("daypass issue")
struct CLIIssueTests {
    private let tools: CLITools

    init() throws { tools = try CLITools.withCA() }

    private func reports(_ arguments: [String]) throws -> [IssuedReport] {
        let result = try tools.daypass(["issue"] + arguments + ["--format", "json"])
        return try tools.decode([IssuedReport].self, result.orThrow("issue"))
    }

    /// Seconds between a certificate's start and end.
    private func lifetime(_ name: String) throws -> UInt64 {
        struct Report: Decodable {
            struct Certificate: Decodable { let validAfterUnix, validBeforeUnix: UInt64 }
            let certificate: Certificate
        }
        let result = try tools.daypass(["inspect", "--format", "json", name])
        let certificate = try #require(try tools.decode([Report].self, result).first).certificate
        return certificate.validBeforeUnix - certificate.validAfterUnix
    }

    @Test func aUserCertificateAllowsATerminalAndNothingMore() throws {
        let result = try tools.issue().orThrow("issue")
        let lines = try tools.certificateLines("id-cert.pub")
        let entry = try #require(try tools.log().last)
        let serial = try #require(entry.serial)
        #expect(lines.contains("Type: ssh-ed25519-cert-v01@openssh.com user certificate"))
        #expect(lines.contains("Key ID: \"al#\(serial)\""))
        #expect(lines.contains("Serial: \(serial)"))
        #expect(
            lines.suffix(5) == [
                "Principals:", "deploy", "Critical Options: (none)", "Extensions:", "permit-pty",
            ])
        // Eight hours, and a minute before for clocks that are late.
        #expect(try lifetime("id-cert.pub") == 8 * 3_600 + 60)
        #expect(try tools.folder.mode(of: "id-cert.pub") == 0o644)
        #expect(
            result.stdoutText == """
                id-cert.pub
                  user certificate al#\(serial)
                  for deploy
                  valid from \(entry.validAfter ?? "") to \(entry.validBefore ?? "")

                """)
        #expect(result.stderr.isEmpty)
    }

    @Test func aHostCertificateHasItsNamesThirtyDaysAndNoExtensions() throws {
        let report = try #require(
            try reports(["host", "--key", "id.pub", "--hostname", "web1.example.com", "192.0.2.10"]).first)
        let serial = try #require(report.serial)
        #expect(report.keyId == "web1.example.com#\(serial)")
        let lines = try tools.certificateLines("id-cert.pub")
        #expect(lines.contains("Type: ssh-ed25519-cert-v01@openssh.com host certificate"))
        #expect(
            lines.suffix(5) == [
                "Principals:", "web1.example.com", "192.0.2.10", "Critical Options: (none)",
                "Extensions: (none)",
            ])
        #expect(try lifetime("id-cert.pub") == 30 * 86_400 + 60)
        #expect(try tools.daypass(["inspect", "--host", "web1.example.com", "id-cert.pub"]).status == 0)
        #expect(try tools.daypass(["inspect", "--host", "web2.example.com", "id-cert.pub"]).status == 3)
    }

    @Test func restrictionsAndPermissionsReachTheCertificate() throws {
        try tools.issue([
            "--force-command", "/usr/bin/backup --all", "--source-address", "192.0.2.0/24", "2001:db8::1",
            "--permit", "port-forwarding,agent-forwarding,x11-forwarding,user-rc", "--extension",
            "login@github.com=al",
        ]).orThrow("issue")
        let lines = try tools.certificateLines("id-cert.pub")
        let options = lines.drop { $0 != "Critical Options:" }
        #expect(
            options.prefix(4) == [
                "Critical Options:", "force-command /usr/bin/backup --all",
                "source-address 192.0.2.0/24,2001:db8::1", "Extensions:",
            ])
        #expect(options.dropFirst(4).first?.hasPrefix("login@github.com ") == true, "\(options)")
        #expect(
            options.suffix(4) == [
                "permit-X11-forwarding", "permit-agent-forwarding",
                "permit-port-forwarding", "permit-user-rc",
            ])
    }

    @Test func noneAllowsNothing() throws {
        try tools.issue(["--permit", "none"]).orThrow("issue")
        #expect(try tools.certificateLines("id-cert.pub").last == "Extensions: (none)")
    }

    @Test func manyKeysInOneCallGetEachTheirOwn() throws {
        var names: [String] = []
        for number in 0..<50 {
            let key = try tools.freshPublicKey()
            try tools.folder.write(key, to: "k\(number).pub")
            names.append("k\(number).pub")
        }
        let before = try tools.log()
        let issued = try reports(["user", "--identity", "robots", "--principal", "deploy", "--key"] + names)
        #expect(issued.map(\.key) == names)
        #expect(issued.map(\.certificate) == (0..<50).map { "k\($0)-cert.pub" })
        #expect(Set(issued.compactMap(\.serial)).count == 50)
        #expect(issued.compactMap(\.logIndex) == (3..<53).map { UInt64($0) })
        #expect(try tools.log().dropFirst(before.count).compactMap(\.serial) == issued.compactMap(\.serial))
        #expect(try tools.certificateLines("k49-cert.pub").contains("Serial: \(issued[49].serial ?? "")"))
    }

    @Test func aDashIsStandardOutput() throws {
        let result = try tools.issue(["-o", "-"]).orThrow("issue")
        #expect(!tools.folder.contains("id-cert.pub"))
        #expect(result.stderr.isEmpty)
        let lines = result.stdoutText.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 2 && lines[1].isEmpty)
        #expect(lines[0].hasPrefix("ssh-ed25519-cert-v01@openssh.com "))
        try tools.folder.write(result.stdout, to: "out.pub")
        #expect(try tools.certificateLines("out.pub").contains("deploy"))
    }

    @Test func aCertificateIsReplacedByTheNextOne() throws {
        try tools.issue().orThrow("issue")
        let first = try tools.folder.read("id-cert.pub")
        try tools.issue().orThrow("issue")
        #expect(try tools.folder.read("id-cert.pub") != first)
        try tools.issue(["-o", "other"]).orThrow("issue")
        #expect(try tools.certificateLines("other").contains("deploy"))
    }

    @Test func limitsAreThoseOfTheSettings() throws {
        let settings = try tools.folder.readText(".daypass/config.yaml")
            .replacing("backdate: 1m", with: "backdate: 0s")
            .replacing("default_lifetime: 8h", with: "default_lifetime: 10m")
            .replacing("max_lifetime: 1d", with: "max_lifetime: 1h")
            .replacing("port-forwarding, ", with: "")
            .replacing("wildcards: false", with: "wildcards: true")
        try tools.folder.write(settings, to: ".daypass/config.yaml")
        try tools.issue().orThrow("issue")
        #expect(try lifetime("id-cert.pub") == 600)
        let limits = "the limits are in \(tools.folder.path(".daypass/config.yaml"))"
        expectFailure(
            try tools.issue(["--valid", "61m"]), 2,
            "refused by policy: validity of 1h1m: at most 1h are allowed for user certificates", hint: limits)
        expectFailure(
            try tools.issue(["--permit", "pty,port-forwarding"]), 2,
            "refused by policy: permission port-forwarding: not allowed by policy", hint: limits)
        let host = ["issue", "host", "--key", "id.pub", "--hostname", "*.example.com"]
        #expect(try tools.daypass(host).status == 0)
    }

    @Test func aSettingThatIsNotKnownIsAnError() throws {
        let settings = try tools.folder.readText(".daypass/config.yaml")
        try tools.folder.write(settings + "\nmaximum: 1\n", to: ".daypass/config.yaml")
        let result = try tools.issue()
        #expect(result.status == 1 && result.stdout.isEmpty)
        #expect(result.stderrText.contains("config.yaml: maximum: not known here"), "\(result)")
        #expect(!tools.folder.contains("id-cert.pub"))
    }

    @Test func randomSerialsDifferFromSequentialOnes() throws {
        let other = try CLITools()
        try other.daypass(["ca", "init", "--no-passphrase", "--serials", "random"]).orThrow("ca init")
        try other.makeKey("id")
        func serials(_ tools: CLITools) throws -> [UInt64] {
            for _ in 0..<3 { try tools.issue().orThrow("issue") }
            return try tools.log().compactMap(\.serial).compactMap { UInt64($0) }
        }
        let sequential = try serials(tools)
        #expect(sequential == sequential.sorted() && Set(sequential).count == 3)
        let random = try serials(other)
        #expect(Set(random).count == 3 && !random.contains(0))
        // Times would share their upper bits.
        #expect(Set(random.map { $0 >> 48 }).count > 1)
    }
}
