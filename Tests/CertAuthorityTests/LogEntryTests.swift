// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("Log entries")
struct LogEntryTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let make: @Sendable () throws -> LogEntry.Event
        var testDescription: String { name }

        var entry: LogEntry {
            get throws {
                LogEntry(
                    milliseconds: 1_795_237_200_123, requester: try Identity("José"), event: try make())
            }
        }
    }

    static func issuance(_ request: IssuanceRequest, serial: UInt64) throws -> LogEntry.Event {
        let decision = IssuancePolicy().review(
            request, by: try Sample.userAuthority.publicKey, at: sampleNow, nonce: Sample.nonce)
        guard case .approved(let approved) = decision else {
            throw CertAuthorityError(.invalidRequest, "the sample is not approved")
        }
        return .issuance(try approved.certificate(serial: serial))
    }

    static let cases: [Case] =
        [
            Case(name: "issuance to a user") {
                let options = try UserOptions(
                    forceCommand: "id", sourceAddresses: [try AddressBlock("192.0.2.0/24")],
                    permissions: Set(Permission.allCases), extensions: [.text("a@b", "c")])
                return try issuance(try Sample.userRequest(["alice", "bob"], options: options), serial: .max)
            },
            Case(name: "issuance to a host") { try issuance(try Sample.hostRequest(), serial: 1) },
            Case(name: "refusal") {
                .refusal(
                    RefusalRecord(
                        kind: .user, identity: try Identity("alice"), keyFingerprint: "SHA256:x",
                        principals: ["root", "alice"], reasons: ["too long", "not allowed"]))
            },
            Case(name: "refusal without principals") {
                .refusal(
                    RefusalRecord(
                        kind: .host, identity: try Identity("web1"), keyFingerprint: "",
                        principals: [], reasons: ["a"]))
            },
            Case(name: "revocation of a serial") {
                .revocation(
                    try RevocationRecord(
                        target: .serial(42, authority: try Sample.userAuthority.publicKey),
                        expires: sampleNow, reason: "key lost"))
            },
            Case(name: "revocation of a key ID") {
                .revocation(
                    try RevocationRecord(
                        target: .keyID("alice#1", authority: try Sample.hostAuthority.publicKey),
                        expires: nil, reason: "left"))
            },
            Case(name: "revocation of a key") {
                .revocation(
                    try RevocationRecord(target: .key(try Sample.subjectKey), expires: nil, reason: "stolen"))
            },
            Case(name: "recovery") {
                .recovery(RecoveryRecord(knownSize: 1 << 40, knownRoot: [UInt8](repeating: 9, count: 32)))
            },
        ]
        + DecisionRecord.Verdict.allCases.map { verdict in
            Case(name: "decision \(verdict.name)") {
                .decision(
                    DecisionRecord(
                        verdict: verdict, session: "s1", host: "web1", login: "deploy",
                        keyFingerprint: "SHA256:x",
                        sourceAddress: "192.0.2.1", policyDigest: [UInt8](repeating: 5, count: 32),
                        rule: "sre",
                        reasons: ["rule sre allows", "deploying"]))
            }
        }
        + [nil, "", "0f1e"].map { (request: ExactText?) in
            Case(name: "decision by request \(request?.string ?? "of version 1")") {
                .decision(
                    DecisionRecord(
                        verdict: .allowed, session: "s2", host: "web1", login: "deploy",
                        keyFingerprint: "SHA256:x", sourceAddress: "192.0.2.1",
                        policyDigest: [UInt8](repeating: 5, count: 32), rule: "sre", reasons: [],
                        request: request))
            }
        }
        + [nil, "", "records 3 to 4 are missing"].map { (gap: ExactText?) in
            Case(name: "host event with gap \(gap?.string ?? "of version 1")") {
                .hostEvent(
                    HostEventRecord(
                        kind: .opened, host: "web1", sequence: 5,
                        recordHash: [UInt8](repeating: 5, count: 32), happened: 1, session: "s",
                        account: "deploy", sourceAddress: "192.0.2.1", method: "publickey",
                        keyFingerprint: "SHA256:x", keyID: "alice#1", serial: 1, authority: "SHA256:y",
                        match: .issued, issuance: 7, reason: "gap: of old", gap: gap))
            }
        }
        + AlertRecord.Subject.allCases.flatMap { subject in
            [true, false].map { isPresent in
                Case(name: "alert \(subject.name) \(isPresent)") {
                    .alert(
                        AlertRecord(
                            subject: subject, isPresent: isPresent, host: "web1", since: 1, amount: 600,
                            detail: "its tunnel is gone"))
                }
            }
        }
        + LoginRecord.Change.allCases.map { change in
            Case(name: "login \(change)") {
                .login(
                    LoginRecord(
                        change: change, identity: try Identity("alice@example.com"), session: "s1",
                        provider: "keys", keyFingerprint: "SHA256:x", sourceAddress: "", expires: sampleNow,
                        reason: "key SHA256:y"))
            }
        }
        + ChangeRecord.Subject.allCases.flatMap { subject in
            [true, false].map { isPresent in
                Case(name: "change of \(subject.name) \(isPresent)") {
                    .change(
                        ChangeRecord(
                            subject: subject, isPresent: isPresent, name: "web1", detail: "team=infra"))
                }
            }
        }
        + [UInt64(0), 1_795_239_000].map { until in
            Case(name: "request granted until \(until)") {
                .request(
                    RequestRecord(
                        request: "0f1e", session: "s1", sourceAddress: "192.0.2.1",
                        policyDigest: [UInt8](repeating: 5, count: 32),
                        grantedUntil: UnixTime(seconds: until),
                        text: "daypass approval\nreason disk full\n"))
            }
        }
        + [
            Case(name: "statement of the fleet's root") {
                .fleetTrust(
                    FleetTrustRecord(
                        uncheckedVersion: 3, root: try Sample.userAuthority.publicKey,
                        statement: #"{"format":1,"version":3,"authorities":["ssh-ed25519 AAAA"]}"#,
                        signature: [1, 2, 3]))
            }
        ]
        + ApprovalRecord.Change.allCases.map { change in
            Case(name: "request \(change.name)") {
                .approval(
                    ApprovalRecord(
                        change: change, request: "0f1e", person: try Identity("alice@example.com"),
                        session: "s1", sourceAddress: "", grantedUntil: sampleNow, text: "daypass approval\n",
                        signature: [1, 2, 3], reason: "done"))
            }
        }
        + AuthorityRecord.Change.allCases.flatMap { change in
            AuthorityRole.allCases.map { role in
                Case(name: "authority \(role.name) \(change)") {
                    .authority(
                        AuthorityRecord(change: change, role: role, key: try Sample.userAuthority.publicKey))
                }
            }
        }

    @Test(arguments: cases)
    func anEntryReadsBackAsItWas(sample: Case) throws {
        let entry = try sample.entry
        let bytes = try entry.encoded()
        let read = try logEntry(bytes)
        #expect(read == entry)
        #expect(try read.encoded() == bytes)
    }

    @Test(arguments: cases)
    func everyPrefixIsRefused(sample: Case) throws {
        let bytes = try sample.entry.encoded()
        for count in 0..<bytes.count {
            let code = try refusalCode { _ = try logEntry(Array(bytes.prefix(count))) }
            #expect(code == .logInconsistent, "\(count) bytes")
        }
    }

    @Test(arguments: cases)
    func aByteAfterTheEndIsRefused(sample: Case) throws {
        let bytes = try sample.entry.encoded() + [0]
        #expect(try refusalCode { _ = try logEntry(bytes) } == .logInconsistent)
    }

    @Test(arguments: cases)
    func everyChangedByteIsRefusedOrAnotherEntry(sample: Case) throws {
        let entry = try sample.entry
        let bytes = try entry.encoded()
        for index in bytes.indices {
            for change: UInt8 in [0x01, 0x20, 0x80, 0xff] {
                var changed = bytes
                changed[index] ^= change
                do throws(CertAuthorityError) {
                    let read = try logEntry(changed)
                    #expect(read != entry, "byte \(index) ^ \(change)")
                    #expect(try read.encoded() == changed, "byte \(index) ^ \(change)")
                } catch {
                    #expect(error.code == .logInconsistent)
                }
            }
        }
    }

    @Test func entriesThatDifferAreEncodedDifferently() throws {
        let encodings = try Self.cases.map { try $0.entry.encoded() }
        #expect(Set(encodings).count == Self.cases.count)
    }

    @Test func anEntryOfTheMostBytesIsTakenAndOneMoreIsNot() throws {
        func entry(_ count: Int) throws -> LogEntry {
            let reasons = [ExactText(String(repeating: "r", count: count))]
            let record = RefusalRecord(
                kind: .user, identity: try Identity("alice"), keyFingerprint: "", principals: [],
                reasons: reasons)
            return LogEntry(milliseconds: 0, requester: try Identity("o"), event: .refusal(record))
        }
        let overhead = try entry(0).encoded().count
        let longest = try entry(LogEntry.maximumBytes - overhead)
        #expect(try longest.encoded().count == 65_535)
        #expect(try logEntry(longest.encoded()) == longest)
        let over = try entry(LogEntry.maximumBytes - overhead + 1)
        #expect(try refusalCode { _ = try over.encoded() } == .invalidRequest)
    }

    @Test(arguments: [(0, 2), (0, 0), (1, 0), (1, 6), (1, 255)] as [(Int, UInt8)])
    func anotherVersionOrKindIsRefused(index: Int, value: UInt8) throws {
        var bytes = try Self.cases[4].entry.encoded()
        bytes[index] = value
        #expect(try refusalCode { _ = try logEntry(bytes) } == .logInconsistent)
    }

    @Test func entriesOfTheFirstVersionKeepTheirBytes() throws {
        for sample in Self.cases where sample.name.hasSuffix("of version 1") {
            let bytes = try sample.entry.encoded()
            #expect(bytes[0] == 1)
            // The second version has one text more, at the end.
            var second = bytes + [0, 0, 0, 0]
            second[0] = 2
            #expect(try logEntry(second) != sample.entry)
            #expect(try logEntry(second).encoded() == second)
        }
    }

    @Test func attack16_aCertificateAsAuthorityIsRefused() throws {
        var writer = WireWriter()
        writer.write(UInt8(1))
        writer.write(UInt8(4))
        writer.write(UInt64(0))
        writer.writeString("operator")
        writer.write(UInt8(1))
        writer.write(UInt8(1))
        var plain = writer
        plain.writeString(try Sample.userAuthority.publicKey.encoded)
        #expect(throws: Never.self) { try logEntry(plain.bytes) }
        writer.writeNested { $0.writeString("ssh-ed25519-cert-v01@openssh.com") }
        let error = #expect(throws: CertAuthorityError.self) { try logEntry(writer.bytes) }
        #expect(error?.code == .logInconsistent)
        #expect(error?.reason.contains("certificate") == true)
    }

    @Test(arguments: ["", " ", "a\nb", String(repeating: "x", count: 1_025)])
    func aRevocationSaysWhyInOneLine(reason: String) throws {
        #expect(
            try refusalCode {
                _ = try RevocationRecord(target: .key(try Sample.subjectKey), expires: nil, reason: reason)
            } == .invalidRequest)
    }

    @Test func anEndThatNeverComesIsNoEnd() throws {
        let target = RevocationRecord.Target.key(try Sample.subjectKey)
        let record = try RevocationRecord(target: target, expires: .forever, reason: "x")
        #expect(record.expires == nil)
        let entry = LogEntry(milliseconds: 1, requester: try Identity("o"), event: .revocation(record))
        #expect(try logEntry(entry.encoded()) == entry)
    }

    @Test func attack61_serialZeroIsNotRevocable() throws {
        let authority = try Sample.userAuthority.publicKey
        for serial: UInt64 in [0, 1, .max] {
            let target = RevocationRecord.Target.serial(serial, authority: authority)
            let code = try refusalCode {
                _ = try RevocationRecord(target: target, expires: nil, reason: "x")
            }
            #expect(code == (serial == 0 ? .invalidRequest : nil))
        }
    }

    @Test(arguments: ["", "a\0b", String(repeating: "x", count: 1_025)])
    func aKeyIDThatCannotBeReadBackIsNotRevocable(keyID: String) throws {
        let authority = try Sample.userAuthority.publicKey
        func record(_ keyID: String) throws -> RevocationRecord {
            try RevocationRecord(
                target: .keyID(ExactText(keyID), authority: authority), expires: nil, reason: "x")
        }
        #expect(try refusalCode { _ = try record(keyID) } == .invalidRequest)
        // A certificate of another authority may have any text as its key ID.
        for keyID in ["a\nb", String(repeating: "x", count: 1_024)] {
            let entry = LogEntry(
                milliseconds: 1, requester: try Identity("o"), event: .revocation(try record(keyID)))
            #expect(try logEntry(entry.encoded()) == entry)
        }
    }

    @Test(arguments: [0, 31, 33])
    func whatCouldNotBeReadBackIsNotWritten(rootBytes: Int) throws {
        let root = [UInt8](repeating: 1, count: rootBytes)
        let entry = LogEntry(
            milliseconds: 1, requester: try Identity("o"),
            event: .recovery(RecoveryRecord(knownSize: 1, knownRoot: root)))
        #expect(try refusalCode { _ = try entry.encoded() } == .invalidRequest)
    }

    @Test func aRefusalOfTextWithNULIsNotWritten() throws {
        let record = RefusalRecord(
            kind: .user, identity: try Identity("alice"), keyFingerprint: "", principals: ["a\0b"],
            reasons: ["x"])
        let entry = LogEntry(milliseconds: 1, requester: try Identity("o"), event: .refusal(record))
        #expect(try refusalCode { _ = try entry.encoded() } == .invalidRequest)
    }
}
