// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

@Suite("daypass inspect: judgements")
struct InspectJudgementTests {
    private func makeCertificate(_ tools: InspectTools) throws {
        try tools.makeKey("ca")
        try tools.makeKey("other")
        try tools.makeKey("key")
        try tools.keygen([
            "-q", "-s", "ca", "-I", "al#7", "-z", "7", "-n", "al,root", "-V",
            "20260101000000Z:20260102000000Z", "-O",
            "source-address=192.0.2.0/24", "key.pub",
        ])
    }

    /// Arguments, the exit code, and the rules that do not hold.
    @Test(
        arguments: [
            ("--ca ca.pub --principal al --address 192.0.2.7 --at 20260101120000Z", 0, []),
            ("--ca ca.pub --principal bob --address 192.0.2.7 --at 20260101120000Z", 3, ["principal"]),
            ("--ca ca.pub --principal al --address 192.0.3.7 --at 20260101120000Z", 3, ["source-address"]),
            ("--ca ca.pub --principal al --at 20260101120000Z", 3, ["source-address"]),
            ("--ca ca.pub --principal al --address 192.0.2.7 --at 20260102000000Z", 3, ["validity"]),
            ("--ca ca.pub --principal al --address 192.0.2.7 --at 20251231235959Z", 3, ["validity"]),
            ("--ca other.pub --principal al --address 192.0.2.7 --at 20260101120000Z", 3, ["authority"]),
            ("--ca other.pub --ca ca.pub --principal al --address 192.0.2.7 --at 20260101120000Z", 0, []),
            ("--ca ca.pub --host al --at 20260101120000Z", 3, ["type", "critical-option"]),
            ("--ca ca.pub --at 20260101120000Z", 0, []),
            ("--ca other.pub --at 20260101120000Z", 3, ["authority"]),
            ("--at 20260101120000Z", 0, []),
            ("--at 20270101120000Z", 3, ["validity"]),
            ("--at 20260101120000Z --krl others.krl", 0, []),
            ("--at 20260101120000Z --krl this.krl", 3, ["revoked"]),
            // Nobody is trusted unless somebody is named.
            ("--principal al --address 192.0.2.7 --at 20260101120000Z", 3, ["authority"]),
        ] as [(String, Int32, [String])])
    func theAnswerIsInTheExitCode(_ arguments: String, _ status: Int32, _ rules: [String]) throws {
        let tools = try InspectTools()
        try makeCertificate(tools)
        try tools.folder.write("serial: 7\n", to: "this")
        try tools.folder.write("serial: 8\n", to: "others")
        for list in ["this", "others"] {
            try tools.keygen(["-q", "-k", "-s", "ca.pub", "-f", "\(list).krl", list])
        }
        let words = arguments.split(separator: " ").map(String.init)
        let result = try tools.daypass(["inspect", "--format", "json"] + words + ["key-cert.pub"])
        #expect(result.status == status, "\(result)")
        let judgement = try #require(try tools.decodeReports(result).first?.judgement)
        #expect(judgement.accepted == (status == 0))
        #expect(judgement.reasons.map(\.rule) == rules)
        let text = try tools.daypass(["inspect"] + words + ["key-cert.pub"])
        #expect(text.status == status)
        #expect(text.stdoutText.contains(status == 0 ? "  judgement   ACCEPTED" : "  judgement   REFUSED"))
        for reason in judgement.reasons {
            #expect(text.stdoutText.contains("              \(reason.rule): \(reason.reason)\n"), "\(text)")
        }
    }

    @Test func withoutAQuestionThereIsNoJudgement() throws {
        let tools = try InspectTools()
        try makeCertificate(tools)
        let result = try tools.daypass(["inspect", "--format", "json", "key-cert.pub"])
        #expect(result.status == 0)
        #expect(try tools.decodeReports(result).first.map { $0.judgement == nil } == true)
    }

    @Test func aPlainKeyIsNoAnswerToALogin() throws {
        let tools = try InspectTools()
        try makeCertificate(tools)
        let result = try tools.daypass(["inspect", "--ca", "ca.pub", "--principal", "al", "key.pub"])
        #expect(result.status == 3)
        #expect(result.stdoutText.contains("              type: a plain key, a certificate is needed\n"))
    }

    @Test func whatCannotBeReadCountsMoreThanANo() throws {
        let tools = try InspectTools()
        try makeCertificate(tools)
        #expect(try tools.daypass(["inspect", "--ca", "other.pub", "key-cert.pub", "missing"]).status == 1)
    }

    @Test func aCertificateIsNoAuthority() throws {
        let tools = try InspectTools()
        try makeCertificate(tools)
        let result = try tools.daypass(["inspect", "--ca", "key-cert.pub", "key-cert.pub"])
        #expect(result.status == 1)
        #expect(result.stderrText == "error: --ca key-cert.pub: plain public keys expected, nothing else\n")
    }

    @Test func aChangedCertificateIsNotValid() throws {
        let tools = try InspectTools()
        try makeCertificate(tools)
        let line = try tools.folder.readText("key-cert.pub").split(separator: " ")
        var blob = try Base64.decode("certificate", line[1])
        let place = try #require(blob.indices.first { blob[$0...].starts(with: "al#7".utf8) })
        blob[place] = UInt8(ascii: "b")
        try tools.folder.write("\(line[0]) \(Base64.encode(blob))\n", to: "changed.pub")
        let report = try #require(try tools.reports(["changed.pub"]).first?.certificate)
        #expect(report.keyId == "bl#7" && !report.signature.valid)
        #expect(report.signature.reason == "signature: not made by this key over these bytes")
        let text = try tools.daypass(["inspect", "changed.pub"])
        #expect(text.status == 0)
        #expect(
            text.stdoutText.contains(
                "  signature   NOT VALID, ssh-ed25519: signature: not made by this key over these bytes\n"))
        #expect(try tools.daypass(["inspect", "--ca", "ca.pub", "changed.pub"]).status == 3)
    }

    /// The certificate is valid from 1,000,000 to 2,000,000.
    @Test(arguments: [
        ("@999000", "not-yet-valid", "starts in 16m"), ("@913600", "not-yet-valid", "starts in 1d"),
        ("@1000000", "valid", "11d 13h left"), ("@1999999", "valid", "1s left"),
        ("@1988460", "valid", "3h 12m left"),
        ("@2000000", "expired", "expired just now"), ("@2000300", "expired", "expired 5m ago"),
        ("@63072000", "expired", "expired 1y 341d ago"),
    ])
    func theTimeLeftIsTold(_ now: String, _ status: String, _ summary: String) throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub") { _ in }
        let result = try tools.daypass(["inspect", "--at", now, "cert.pub"])
        #expect(
            result.stdoutText.contains(
                "  valid       from 1970-01-12T13:46:40Z to 1970-01-24T03:33:20Z, \(summary)\n"), "\(result)")
        let report = try #require(try tools.reports(["--at", now, "cert.pub"]).first?.certificate)
        #expect(report.validity.status == status)
    }

    @Test func aTimeBeforeNowMayBeginWithAMinus() throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub") { $0.validBefore = .forever }
        #expect(try tools.daypass(["inspect", "--at", "-5m", "cert.pub"]).status == 0)
    }

    @Test(arguments: [
        ("never-valid", 0), ("no-end", 1), ("serial-zero", 2), ("empty-key-id", 3), ("no-principals", 4),
        ("principal-with-comma", 5), ("principal-with-wildcard", 6), ("unknown-critical-option", 7),
        ("short-nonce", 8), ("reserved-field", 9),
    ])
    func whatIsUnwiseIsWarnedOf(_ code: String, _ number: Int) throws {
        let tools = try InspectTools()
        let changes: [(inout CertificateFields) -> Void] = [
            { $0.validAfter = UnixTime(seconds: 2_000_000) }, { $0.validBefore = .forever },
            { $0.serial = 0 },
            { $0.keyID = "" }, { $0.principals = [] }, { $0.principals = ["a,b"] }, { $0.principals = ["*"] },
            { $0.criticalOptions = [.flag("a@example")] }, { $0.nonce = [1] }, { $0.reserved = [1] },
        ]
        try tools.makeCertificate("cert.pub", changes[number])
        try tools.makeCertificate("plain.pub") { _ in }
        let reports = try tools.reports(["cert.pub", "plain.pub"])
        #expect(reports.map { $0.warnings.map(\.code) } == [[code], []])
        let text = try tools.daypass(["inspect", "cert.pub"]).stdoutText
        #expect(text.contains("  warning     \(reports[0].warnings[0].text)\n"))
    }

    @Test func dataThatIsNoTextIsShownInBase64() throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub") {
            $0.extensions = [CertificateOption(name: "x@example", rawData: [0, 0, 0, 1, 0xff])]
        }
        let option = try #require(try tools.reports(["cert.pub"]).first?.certificate?.extensions.first)
        #expect(option.value == nil && option.data == "AAAAAf8=")
        let text = try tools.daypass(["inspect", "cert.pub"]).stdoutText
        #expect(text.contains("  extensions  x@example base64 AAAAAf8=\n"))
    }
}
