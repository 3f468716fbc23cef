// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TestSupport
import Testing

@testable import Agent

@Suite struct ScanTests {
    private static let key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB5V7MSPqJ0qVDh2aYkxzcBE1Kz1jaeGqqLqyFgYZZkB"
    private let now = UnixTime(seconds: 1_795_000_000)

    private func line(_ text: String) -> ScannedLine {
        ScannedLine(Array(text.utf8)[...], number: 1, settings: KeyAcceptance(now: now))
    }
    private func found(_ text: String) throws -> ScannedKey {
        guard case .key(let key) = line(text) else {
            Issue.record("no key: \(text)")
            throw CancellationError()
        }
        return key
    }

    @Test func attack19_aRestrictedKeyIsNeverShownAsAnUnrestrictedOne() throws {
        #expect(try !found(Self.key).isRestricted)
        for options in ["restrict", "RESTRICT", "pty,restrict", "restrict,from=\"a\",from=\"b\""] {
            let key = try found("\(options) \(Self.key) c")
            #expect(key.isRestricted, "\(options)")
            #expect(!key.options.isEmpty)
            #expect(key.comment == "c")
        }
        // "restrict" where options may not stand is no option, and no key without options either.
        #expect(try found("\(Self.key) restrict").options == "")
        guard case .unreadable = line("restrict") else {
            Issue.record("a key in \"restrict\"")
            return
        }
    }

    @Test func optionsAreTakenApart() throws {
        let key = try found(
            "from=\"10.0.0.0/8\",command=\"run \\\"it\\\"\",expiry-time=\"20200101Z\" \(Self.key) me@laptop")
        #expect(key.from == "10.0.0.0/8")
        #expect(key.command == "run \"it\"")
        #expect(key.expiryText == "20200101Z")
        #expect(key.refusal?.hasPrefix("expired") == true)
        #expect(try found("cert-authority,principals=\"a,b\" \(Self.key)").principals == ["a", "b"])
    }

    @Test func aKeyThatSshdDoesNotTakeSaysWhy() throws {
        var settings = KeyAcceptance(algorithms: ["rsa-sha2-256"], requiredRSABits: 2_048, now: now)
        func refusal(_ type: String, _ bits: Int) -> String? {
            settings.refusal(type: type, bits: bits, isCertAuthority: false)
        }
        #expect(refusal("ssh-rsa", 1_024) != nil)
        #expect(refusal("ssh-rsa", 2_048) == nil)
        #expect(refusal("ssh-ed25519", 256) != nil)
        settings.algorithms = nil
        #expect(refusal("ssh-ed25519", 256) == nil)
    }

    @Test func noPrefixOrChangeOfALineTraps() {
        let bytes = Array("restrict,command=\"a b\" \(Self.key) c".utf8)
        let settings = KeyAcceptance(now: now)
        for count in 0...bytes.count { _ = ScannedLine(bytes[..<count], number: 1, settings: settings) }
        for index in bytes.indices {
            for byte: UInt8 in [0, 0x22, 0x20, 0x5c, 0xff] {
                var changed = bytes
                changed[index] = byte
                _ = ScannedLine(changed[...], number: 1, settings: settings)
            }
        }
    }

    @Test func pathsAreMadeAsSshdMakesThem() {
        let account = HostAccount(name: "bob", userID: 7, groupID: 7, home: "/home/bob", shell: "")
        for (pattern, path) in [
            (".ssh/authorized_keys", "/home/bob/.ssh/authorized_keys"), ("/keys/%u/%U/%%", "/keys/bob/7/%"),
            ("%h/x", "/home/bob/x"), ("none", nil), ("NONE", nil), ("%k", nil), ("x%", nil),
        ] { #expect(AccountPath.expand(pattern, for: account) == path, "\(pattern)") }
    }

    @Test func suggestionsFollowUseAndOtherWaysIn() throws {
        let key = try found(Self.key)
        let day: UInt64 = 86_400
        func suggestion(_ lastDays: UInt64?, begin: UInt64?, _ hasCertificates: Bool, _ key: ScannedKey)
            -> ScanSuggestion.Kind
        {
            ScanSuggestion.make(
                key, lastUse: lastDays.map { now.subtractingOrEpoch($0 * day) },
                recordsBegin: begin.map { now.subtractingOrEpoch($0 * day) },
                hasCertificates: hasCertificates,
                now: now
            ).kind
        }
        #expect(suggestion(29, begin: 90, true, key) == .keep)
        #expect(suggestion(31, begin: 90, true, key) == .remove)
        #expect(suggestion(31, begin: 90, false, key) == .look)
        #expect(suggestion(nil, begin: 31, true, key) == .remove)
        #expect(suggestion(nil, begin: 29, true, key) == .look)
        #expect(suggestion(nil, begin: nil, true, key) == .look)
        #expect(suggestion(1, begin: 90, true, try found("cert-authority \(Self.key)")) == .look)
        #expect(suggestion(1, begin: 90, true, try found("expiry-time=\"20200101Z\" \(Self.key)")) == .remove)
    }

    @Test func usesComeFromTheRecords() throws {
        let folder = try TemporaryFolder()
        var lines = ""
        for (sequence, second) in [(1, 100), (2, 300), (3, 200)] {
            var event = SessionEvent(
                .open, via: .pam, time: RecordTime(nanoseconds: UInt64(second) * 1_000_000_000),
                uptimeMicroseconds: 0)
            event.account = "bob"
            event.methods = [LoginMethod("publickey", .key(type: "ssh-ed25519", fingerprint: "SHA256:x"))]
            let record = SessionRecord(sequence: UInt64(sequence), previous: "0", host: "h", event: event)
            lines += String(decoding: record.line, as: UTF8.self) + "\n"
        }
        try folder.write(lines + "{broken\n", to: "sessions.jsonl")
        let uses = try KeyUses(records: folder.path)
        #expect(uses.begin == UnixTime(seconds: 100))
        #expect(uses.last == ["SHA256:x": UnixTime(seconds: 300)])
        #expect(uses.unreadable == 1)
        #expect(try KeyUses(records: folder.path("missing")).begin == nil)
    }

    @Test func matchBlocksThatAskAboutAccountsAreSeenThroughIncludes() throws {
        let folder = try TemporaryFolder()
        func blocks(_ text: String) throws -> MatchBlocks {
            MatchBlocks(configuration: try folder.write(text, to: "config"))
        }
        #expect(try !blocks("# Match User x\nPort 22\nMatch all\n").dependOnAccount)
        #expect(try blocks("match\tGROUP=admins\n").dependOnAccount)
        let addresses = try blocks("\nMatch Address 10.0.0.0/8 LocalPort 22\n")
        #expect(!addresses.dependOnAccount)
        #expect(addresses.clientPlaces == ["\(folder.path("config")):2"])
        try folder.write("Match User bob\n", to: "one.conf")
        #expect(try blocks("Include \(folder.path)/*.conf\n").dependOnAccount)
        #expect(try !blocks("Include \(folder.path)/*.none\n").dependOnAccount)
        #expect(MatchBlocks(configuration: folder.path("missing")).dependOnAccount)
        // A file that includes itself ends.
        #expect(try blocks("Include \(folder.path)/config\n").dependOnAccount)
    }

    @Test func passwordsOpenWhatSshdAndTheAccountAllow() {
        func answer(_ text: String, id: UInt32 = 1_000, _ password: HostAccount.Password) -> Bool {
            let account = HostAccount(
                name: "a", userID: id, groupID: id, home: "/", shell: "", password: password)
            return ScanSettings(SshdSettings(parsing: text)).passwordLogin(account).isPossible
        }
        let yes = "passwordauthentication yes\nusepam no\n"
        #expect(answer(yes, .set))
        #expect(!answer(yes, .locked))
        #expect(!answer(yes, .none))
        #expect(!answer(yes, .empty))
        #expect(answer(yes + "permitemptypasswords yes\n", .empty))
        #expect(!answer(yes + "authenticationmethods publickey\n", .set))
        #expect(!answer(yes + "authenticationmethods publickey,password\n", .set))
        #expect(answer(yes + "authenticationmethods publickey password\n", .set))
        #expect(!answer(yes + "permitrootlogin without-password\n", id: 0, .set))
        #expect(answer(yes + "permitrootlogin yes\n", id: 0, .set))
        #expect(!answer("passwordauthentication no\nkbdinteractiveauthentication yes\nusepam no\n", .set))
        #expect(answer("passwordauthentication no\nkbdinteractiveauthentication yes\nusepam yes\n", .set))
        #expect(
            HostAccount.passwordStates(Array("a:$6$x:1\nb:!:1\nc::1\nd:*\ne:!$6$x:\n".utf8))
                == ["a": .set, "b": .locked, "c": .empty, "d": .none, "e": .locked])
    }
}

@Suite struct ScanIncidentTests {
    private func found(_ text: String, musl: Bool = false, _ exposure: SshdExposure = SshdExposure()) throws
        -> [String: SshdIncident.Certainty]
    {
        let release = try #require(SshdRelease(parsing: text, usesMusl: musl))
        return Dictionary(
            uniqueKeysWithValues: SshdIncident.known(of: release, exposure: exposure).map {
                ($0.identifier, $0.certainty)
            })
    }

    @Test(arguments: [
        ("OpenSSH_8.4p1", nil), ("OpenSSH_8.5p1", SshdIncident.Certainty.checkDistribution),
        ("OpenSSH_9.7p1, OpenSSL 3.0.0", .checkDistribution), ("OpenSSH_9.8p1", nil),
        ("OpenSSH_9.2p1 Debian-2+deb12u2", .affected), ("OpenSSH_9.2p1 Debian-2+deb12u3", nil),
        ("OpenSSH_9.2p1 Debian-2+deb12u10", nil), ("OpenSSH_8.9p1 Ubuntu-3ubuntu0.7", .affected),
        ("OpenSSH_8.9p1 Ubuntu-3ubuntu0.10", nil), ("OpenSSH_9.6p1 Ubuntu-3ubuntu13", .affected),
    ])
    func attack69_regreSSHionIsNamedWhereItIs(version: String, certainty: SshdIncident.Certainty?) throws {
        #expect(try found(version)["CVE-2024-6387"] == certainty)
        #expect(try found(version, musl: true)["CVE-2024-6387"] == nil)
    }

    @Test func attack69_thePasswordBypassOfMuslHostsIsNamedThereAlone() throws {
        let passwords = SshdExposure(takesPasswords: true)
        #expect(try found("OpenSSH_10.6p1", musl: true, passwords)["CVE-2026-123158"] != nil)
        #expect(try found("OpenSSH_10.6p2", musl: true, passwords)["CVE-2026-123158"] == nil)
        #expect(try found("OpenSSH_10.6p1", musl: true)["CVE-2026-123158"] == nil)
        #expect(try found("OpenSSH_10.6p1", passwords)["CVE-2026-123158"] == nil)
    }

    @Test func attack56_groupsOfCommandsAreNamedWhereACommandIsSet() throws {
        let command = SshdExposure(hasCommand: true)
        #expect(try found("OpenSSH_8.7p1", command)["CVE-2021-41617"] == .checkDistribution)
        #expect(try found("OpenSSH_8.7p1")["CVE-2021-41617"] == nil)
        #expect(try found("OpenSSH_6.1p1", command)["CVE-2021-41617"] == nil)
        #expect(try found("OpenSSH_8.8p1", command)["CVE-2021-41617"] == nil)
    }

    @Test func versionsAreReadAndNonsenseIsNot() throws {
        #expect(
            SshdRelease(parsing: "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL")?.text
                == "9.2p1 Debian-2+deb12u10")
        #expect(SshdRelease(parsing: "OpenSSH_10.5p1, OpenSSL 3.0.19 27 Jan 2026")?.text == "10.5p1")
        for text in ["", "OpenSSH_", "OpenSSH_9", "OpenSSH_99999.1", "OpenSSH_-1.2", "dropbear_2022"] {
            #expect(SshdRelease(parsing: text) == nil, "\(text)")
        }
        for (less, more) in [
            ("2+deb12u2", "2+deb12u10"), ("1~rc", "1"), ("3ubuntu0.9", "3ubuntu0.10"), ("1", "1a"),
        ] {
            #expect(DebianRevision(text: less) < DebianRevision(text: more))
            #expect(!(DebianRevision(text: more) < DebianRevision(text: less)))
        }
    }
}
