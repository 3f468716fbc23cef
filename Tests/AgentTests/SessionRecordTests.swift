// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import SSHWire
import Testing

@Suite struct SessionRecordTests {
    /// Everything that a record can say at once.
    static func full() -> SessionRecord {
        var event = SessionEvent(
            .open, via: .pam, time: RecordTime(nanoseconds: 1_795_237_200_123_456_789), uptimeMicroseconds: 1)
        event.session = "0f3c"
        event.account = "de\u{1b}ploy"
        event.service = "sshd"
        event.source = .init(address: "2001:db8::1", port: 1)
        event.destination = .init(address: "192.0.2.1", port: nil)
        event.remoteHost = "host"
        event.terminal = "pts/1"
        event.pid = 7
        event.processStart = 8
        event.boot = "boot"
        var certificate = CertificateUse(
            serial: .max, keyID: "alice#\u{1F600}#9",
            authority: .init(fingerprint: "SHA256:x", type: "ssh-ed25519", name: "CA", isTrusted: true))
        certificate.type = "ssh-ed25519-cert-v01@openssh.com"
        certificate.kind = "user"
        certificate.principals = ["a", "b\nc"]
        certificate.validAfter = .always
        certificate.validBefore = .forever
        certificate.criticalOptions = [.init(name: "force-command", value: "ls")]
        certificate.extensions = [.init(name: "permit-pty"), .init(name: "x", data: "00ff")]
        certificate.keyFingerprint = "SHA256:y"
        certificate.sha256 = "00"
        event.methods = [
            LoginMethod("publickey", .certificate(certificate)),
            LoginMethod("publickey", .key(type: "ssh-rsa", fingerprint: "SHA256:z")),
            LoginMethod("password"), LoginMethod("publickey", .unreadable(reason: "r", sha256: "11")),
        ]
        event.durationMicroseconds = 1
        event.notBefore = RecordTime(nanoseconds: 0)
        event.notAfter = RecordTime(nanoseconds: .max)
        event.reason = "why"
        event.actor = "who"
        event.file = "f"
        event.count = 2
        event.sha256 = "22"
        event.lastSequence = 3
        return SessionRecord(sequence: 4, previous: "55", host: "web1", event: event)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let record = Self.full()
        #expect(try SessionRecord(parsing: record.line) == record)
        #expect(record.event.certificate?.identity == "alice#\u{1F600}")
        for kind in SessionEvent.Kind.allCases {
            let small = SessionRecord(
                sequence: 1, previous: "", host: "",
                event: SessionEvent(
                    kind, via: .agent, time: RecordTime(nanoseconds: 5), uptimeMicroseconds: 0))
            #expect(try SessionRecord(parsing: small.line) == small)
        }
    }

    @Test func noPrefixAndNoFurtherMemberIsTaken() {
        let line = Self.full().line
        for count in 0..<line.count {
            #expect(throws: ControlProtocolError.self) { try SessionRecord(parsing: Array(line[..<count])) }
        }
        #expect(throws: ControlProtocolError(.unexpected, "")) {
            try SessionRecord(parsing: Array(line.dropLast()) + Array(",\"more\":1}".utf8))
        }
    }

    @Test func everyChangedByteIsReadOrRefused() {
        let line = Self.full().line
        for index in line.indices {
            for byte in [0, 0x20, 0x22, 0x2c, 0x30, 0x39, 0x5c, 0x7b, 0x80] as [UInt8] {
                var changed = line
                changed[index] = byte
                guard let record = try? SessionRecord(parsing: changed) else { continue }
                #expect((try? SessionRecord(parsing: record.line)) == record)
            }
        }
    }

    @Test func timesHaveNineDigitsAndSortAsTexts() {
        for nanoseconds: UInt64 in [0, 1, 999_999_999, 1_795_237_200_123_456_789, .max] {
            let time = RecordTime(nanoseconds: nanoseconds)
            #expect(RecordTime(time.description) == time)
        }
        #expect(
            RecordTime(nanoseconds: 1_795_237_200_123_456_789).description == "2026-11-21T05:00:00.123456789Z"
        )
        for text in [
            "2026-11-21T05:00:00Z", "2026-11-21T05:00:00.12345678Z", "2026-02-30T05:00:00.123456789Z",
            "9999-11-21T05:00:00.123456789Z", "",
        ] {
            #expect(RecordTime(text) == nil)
        }
    }

    /// Attack 39: text of a certificate acts on whoever looks at a record.
    @Test func attack39_textOfCertificatesAndAccountsIsEscapedInRecords() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let hostile = "eve\u{1b}[2J\u{202e}\n{\"event\":\"open\"}\u{9b}"
        let fields = CertificateFields(
            nonce: [UInt8](repeating: 1, count: 32), key: key.publicKey, serial: 7, kind: .user,
            keyID: ExactText("\(hostile)#7"),
            principals: [ExactText(hostile)], validAfter: .always, validBefore: .forever,
            criticalOptions: [.text("force-command", hostile)], signatureKey: key.publicKey)
        let certificate = try Certificate(
            toBeSigned: fields.toBeSigned, signature: key.sign(fields.toBeSigned.span))
        let report = SessionReport(
            event: .open, service: hostile, account: hostile, remoteHost: hostile, terminal: hostile,
            connection: hostile,
            authentication: "publickey \(PublicKeyLine.text(of: certificate))\n", pid: 1, processStart: 1,
            bootID: hostile,
            wallNanoseconds: 1, bootNanoseconds: 1)
        let event = SessionEvent(report, via: .pam, authorities: .none)
        let line = SessionRecord(sequence: 1, previous: "", host: hostile, event: event).line
        #expect(line.allSatisfy { (0x20...0x7e).contains($0) })
        let record = try SessionRecord(parsing: line)
        #expect(record.event.certificate?.identity == hostile)
        #expect(record.event.certificate?.principals == [hostile])
        #expect(record.event.account == hostile)
    }

    /// Attack 40: an account's name that looks like a record, or like another field of the report.
    @Test func attack40_anAccountsNameMakesNoFieldAndNoRecord() throws {
        var forged = SessionReportTests.sample.encoded
        let account = Array("account=".utf8)
        let name = "x\nevent=close\n{\"version\":1}"
        let at = try #require(forged.firstRange(of: account)).upperBound
        forged.replaceSubrange(at..<at + 6, with: Array(name.utf8))
        let report = try SessionReport(parsing: forged)
        #expect(report.event == .open)
        #expect(report.account == name)
        let event = SessionEvent(report, via: .pam, authorities: .none)
        let line = SessionRecord(sequence: 1, previous: "", host: "h", event: event).line
        #expect(!line.contains(0x0a))
        #expect(try SessionRecord(parsing: line).event.account == name)
    }

    @Test func aCertificateThatCannotBeReadIsRecordedWithTheReason() {
        let text = "ssh-ed25519-cert-v01@openssh.com AAAA"
        var report = SessionReportTests.sample
        report = SessionReport(
            event: .open, service: report.service, account: report.account, remoteHost: report.remoteHost,
            terminal: report.terminal,
            connection: "nonsense", authentication: "publickey \(text)\nkeyboard-interactive/pam\n", pid: 1,
            processStart: 1,
            bootID: report.bootID, wallNanoseconds: 1, bootNanoseconds: 1)
        let event = SessionEvent(report, via: .spool, authorities: .none)
        #expect(event.methods.count == 2)
        guard case .unreadable(let reason, let sha256) = event.methods[0].proof else {
            Issue.record("\(event.methods)")
            return
        }
        #expect(!reason.isEmpty)
        #expect(sha256 == hexadecimal(Digest.sha256(Array(text.utf8))))
        #expect(event.methods[1] == LoginMethod("keyboard-interactive/pam"))
        #expect(event.source == nil)
        #expect(event.remoteHost == "192.0.2.7")
    }

    @Test func theDocumentedExampleIsARecord() throws {
        let page = try String(
            contentsOfFile: Repository.path("docs/formats/session-record.md"), encoding: .utf8)
        let lines = page.split(separator: "\n").filter { $0.hasPrefix("{\"version\"") }
        #expect(lines.count == 2)
        let records = try lines.map { try SessionRecord(parsing: Array($0.utf8)) }
        for (record, line) in zip(records, lines) {
            #expect(String(decoding: record.line, as: UTF8.self) == line)
        }
        #expect(records[0].previous == SessionRecord.genesis(host: "web1.example"))
        #expect(records[1].previous == SessionRecord.hash(Array(lines[0].utf8)))
        #expect(
            records[0].event.session
                == SessionID.make(
                    boot: records[0].event.boot ?? "", pid: records[0].event.pid ?? 0,
                    processStart: records[0].event.processStart ?? 0))
    }
}

extension PublicKeyLine {
    static func text(of certificate: Certificate) -> String {
        "\(certificate.typeName) \(Base64.encode(certificate.encoded))"
    }
}

enum Repository {
    /// A file of the repository, which this one is two folders below.
    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .appendingPathComponent(name).path
    }
}
