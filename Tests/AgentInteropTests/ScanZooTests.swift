// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TestSupport
import Testing

@Suite(.enabled(if: Running.asRoot && Running.withSSHD, "needs root and sshd")) struct ScanZooTests {
    @Test func everyKeyOfAZooIsFoundAndNothingElse() throws {
        var zoo = try ScanZoo()
        try populate(&zoo)
        try zoo.finish()
        let result = try zoo.scan(["--format", "json"]).orThrow("scan")
        let report = try JSONValue(parsing: result.stdout, maximumBytes: 16 << 20)

        let found = Set(keys(report))
        print(
            "scan found \(found.intersection(zoo.expected).count) of \(zoo.expected.count) keys, "
                + "and \(found.subtracting(zoo.expected).count) others")
        #expect(zoo.expected.subtracting(found).sorted() == [])
        #expect(found.subtracting(zoo.expected).sorted() == [])
        #expect(report["totals"]?["keys"]?.number == Int64(zoo.expected.count))

        let junk = Set(
            accounts(report).flatMap { account in
                files(account).flatMap { file in
                    (file["unreadable"]?.array ?? []).map {
                        "\(account["name"]?.string ?? "") \(file["path"]?.string ?? ""):\($0["line"]?.number ?? 0)"
                    }
                }
            })
        #expect(junk == zoo.junkLines)
        let refused = Set(
            accounts(report).filter { !($0["problems"]?.array ?? []).isEmpty }.compactMap {
                $0["name"]?.string
            })
        #expect(refused == zoo.unreadableFiles)

        // The fingerprints are ssh-keygen's own.
        let said = try Tool.run("ssh-keygen", ["-lf", zoo.folder.path("homes/types/.ssh/authorized_keys")])
            .orThrow("ssh-keygen").stdoutText
        for expected in zoo.expected where expected.account == "types" {
            #expect(said.contains(expected.fingerprint), "\(expected)")
        }
    }

    @Test func theTextNamesEachKeyAndWhatIsWrong() throws {
        var zoo = try ScanZoo()
        try populate(&zoo)
        try zoo.finish()
        let text = try zoo.scan([]).orThrow("scan").stdoutText
        for key in zoo.expected { #expect(text.contains(key.fingerprint), "\(key)") }
        for words in [
            "a named pipe, no regular file", "can be written to by everybody", "leads nowhere",
            "permission denied", "weak: DSA", "a CA: every certificate", "also opens",
        ] { #expect(text.contains(words), "\(words)") }
        // Nothing of a file that an account could only point at.
        #expect(!text.contains("$6$secret"))
        #expect(!text.contains("\u{1b}["))
    }

    @Test func attack51_aFileThatAnAccountMayNotReadIsNotReadThroughItsLink() throws {
        var zoo = try ScanZoo()
        try zoo.account("thief")
        let (secret, shared) = (PublicKey.sample(.ed25519, 1), PublicKey.sample(.ed25519, 2))
        try zoo.folder.write("\(secret.text) secret\n", to: "secret", mode: 0o600)
        try zoo.folder.write("\(shared.text) shared\n", to: "shared", mode: 0o644)
        for (name, target) in [("authorized_keys", "secret"), ("authorized_keys2", "shared")] {
            try Tool.run("ln", ["-s", zoo.folder.path(target), zoo.folder.path("homes/thief/.ssh/\(name)")])
                .orThrow("ln")
        }
        try zoo.finish()
        let result = try zoo.scan(["--format", "json"]).orThrow("scan")
        #expect(!result.stdoutText.contains(secret.fingerprint))
        #expect(!result.stdoutText.contains("secret\""))
        // What it may read counts, for sshd follows the link as well.
        #expect(result.stdoutText.contains(shared.fingerprint))
        #expect(result.stdoutText.contains("\"real_path\":\"\(zoo.folder.path("shared"))\""))
    }

    @Test func theLastUseOfAKeyComesFromTheSessionRecords() throws {
        var zoo = try ScanZoo()
        try zoo.account("used")
        let key = PublicKey.sample(.ed25519, 1)
        try zoo.folder.write("\(key.text)\n", to: "homes/used/.ssh/authorized_keys")
        try zoo.finish()
        var event = SessionEvent(
            .open, via: .pam, time: RecordTime(nanoseconds: 1_700_000_000_000_000_000), uptimeMicroseconds: 0)
        event.methods = [LoginMethod("publickey", .key(type: "ssh-ed25519", fingerprint: key.fingerprint))]
        let record = SessionRecord(sequence: 1, previous: "0", host: "h", event: event)
        try zoo.folder.makeFolder("state")
        try zoo.folder.makeFolder("state/sessions")
        try zoo.folder.write(record.line + [0x0a], to: "state/sessions/sessions.jsonl")
        let text = try zoo.scan(["--state-folder", zoo.folder.path("state")]).orThrow("scan").stdoutText
        #expect(text.contains("not used since 2023-11-14T22:13:20Z"))
    }

    @Test func settingsOfEachAccountAreTold() throws {
        var zoo = try ScanZoo()
        try populate(&zoo)
        try zoo.finish()
        let report = try JSONValue(
            parsing: try zoo.scan(["--format", "json"]).orThrow("scan").stdout, maximumBytes: 16 << 20)
        func account(_ name: String) throws -> JSONValue {
            try #require(accounts(report).first { $0["name"]?.string == name })
        }
        #expect(try account("password")["password_login"]?["possible"]?.bool == true)
        #expect(try account("plain")["password_login"]?["possible"]?.bool == false)
        #expect(try account("keyless")["settings"]?["authorized_keys_file"]?.array == [])
        #expect(try account("keyless")["settings"]?["password_authentication"]?.bool == false)
        #expect(try account("root")["settings"]?["permit_root_login"]?.string == "forced-commands-only")
        #expect(try account("certified")["principals"]?.number == 2)
        #expect(try account("plain")["principals"] == .null)
        #expect(report["authorities"]?.array?.count == 1)
    }

    private func accounts(_ report: JSONValue) -> [JSONValue] { report["accounts"]?.array ?? [] }
    private func files(_ account: JSONValue) -> [JSONValue] { account["files"]?.array ?? [] }

    private func keys(_ report: JSONValue) -> [ScanZoo.Expected] {
        accounts(report).flatMap { account in
            files(account).flatMap { file in
                (file["keys"]?.array ?? []).map { key in
                    ScanZoo.Expected(
                        account: account["name"]?.string ?? "", file: file["path"]?.string ?? "",
                        line: key["line"]?.number ?? 0, fingerprint: key["fingerprint"]?.string ?? "")
                }
            }
        }
    }

    /// Fills the zoo. Each file's keys are listed by hand, by line.
    private func populate(_ zoo: inout ScanZoo) throws {
        var number: UInt8 = 0
        func fresh(_ type: KeyType = .ed25519, bits: Int = 3_072) -> PublicKey {
            number += 1
            return PublicKey.sample(type, number, bits: bits)
        }
        func home(_ name: String, _ file: String = "authorized_keys") -> String {
            "homes/\(name)/.ssh/\(file)"
        }

        // Root, an ordinary account, the second file, a shared key, certificates beside keys.
        try zoo.account("root", id: 0, password: "*")
        let (rootKey, shared) = (fresh(), fresh())
        try zoo.file(
            "root", home("root"), Array("command=\"backup\" \(rootKey.text) backup\n\(shared.text)\n".utf8),
            keys: [(1, rootKey.fingerprint), (2, shared.fingerprint)])
        try zoo.account("plain")
        let (plain, second) = (fresh(), fresh())
        try zoo.file(
            "plain", home("plain"), Array("# mine\n\n\(plain.text) me@laptop\n\(shared.text) shared\n".utf8),
            keys: [(3, plain.fingerprint), (4, shared.fingerprint)])
        try zoo.file(
            "plain", home("plain", "authorized_keys2"), Array(second.text.utf8),
            keys: [(1, second.fingerprint)])
        try zoo.account("certified")
        let certified = fresh()
        try zoo.file(
            "certified", home("certified"), Array("\(certified.text)\n".utf8),
            keys: [(1, certified.fingerprint)])
        try zoo.folder.write("# names\ncertified\ncertified@web\n", to: "principals/certified", mode: 0o644)
        try zoo.account("password", password: "$6$secret$hash")
        try zoo.account("keyless")
        try zoo.folder.write("\(fresh().text)\n", to: home("keyless"))

        // Elsewhere: by name, by number, by Match.
        try zoo.account("byname")
        let byName = fresh()
        try zoo.file(
            "byname", "keys/byname", Array("\(byName.text)\n".utf8), keys: [(1, byName.fingerprint)],
            mode: 0o644)
        let id = try zoo.account("bynumber")
        let byNumber = fresh()
        try zoo.file(
            "bynumber", "ids/\(id)-100%", Array("\(byNumber.text)\n".utf8),
            keys: [(1, byNumber.fingerprint)], mode: 0o644)
        try zoo.account("elsewhere")
        let (special, other) = (fresh(), fresh())
        try zoo.file(
            "elsewhere", "special/elsewhere.elsewhere", Array("\(special.text)\n".utf8),
            keys: [(1, special.fingerprint)], mode: 0o644)
        try zoo.folder.makeFolder("homes/elsewhere/other")
        try zoo.file(
            "elsewhere", "homes/elsewhere/other/keys", Array("\(other.text)\n".utf8),
            keys: [(1, other.fingerprint)])
        // Where sshd does not look for this account.
        try zoo.folder.write("\(fresh().text)\n", to: home("elsewhere"))

        // Every type; options of every kind; odd forms of lines.
        try types(&zoo, home("types"))
        try options(&zoo, home("options"))
        try forms(&zoo, home("forms"))
        try files(&zoo)
    }

    private func types(_ zoo: inout ScanZoo, _ file: String) throws {
        try zoo.account("types")
        var lines: [String] = []
        for (type, bits) in [
            ("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "1024"),
            ("rsa", "2048"),
        ] {
            let path = zoo.folder.path("made-\(type)-\(bits)")
            try Tool.run("ssh-keygen", ["-q", "-t", type, "-b", bits, "-N", "", "-f", path]).orThrow(
                "ssh-keygen")
            lines.append(try zoo.folder.readText("made-\(type)-\(bits).pub"))
        }
        lines.append(PublicKey.sample(.rsa, 1, bits: 8_192).text + " big\n")
        lines.append(PublicKey.sample(.skEd25519, 2).text + " token\n")
        var dsa = WireWriter()
        dsa.writeString("ssh-dss")
        for size in [128, 20, 128, 128] { dsa.writePositiveInteger([UInt8](repeating: 0xa5, count: size)) }
        lines.append("ssh-dss \(Base64.encode(dsa.bytes)) old\n")
        let content = Array(lines.joined().utf8)
        try zoo.file(
            "types", file, content,
            keys: lines.enumerated().map { (Int64($0.offset + 1), Self.fingerprint(ofLine: $0.element)) })
    }

    /// Made of the line's own base64, not by the code under test.
    private static func fingerprint(ofLine line: String) -> String {
        let words = line.split(separator: " ")
        let blob =
            (try? Base64.decode("key", words.count > 1 ? String(words[1].filter { !$0.isNewline }) : ""))
            ?? []
        return "SHA256:" + Base64.encode(Digest.sha256(blob).span, padded: false)
    }

    private func options(_ zoo: inout ScanZoo, _ file: String) throws {
        try zoo.account("options")
        let prefixes = [
            "restrict", "restrict,pty,command=\"/bin/date \\\"+%s\\\"\"",
            "from=\"10.0.0.0/8,!10.1.1.1,*.example\"",
            "cert-authority", "cert-authority,principals=\"deploy,root\"", "expiry-time=\"20200101Z\"",
            "expiry-time=\"29990101\"", "no-pty,no-agent-forwarding,environment=\"A=b c\",permitopen=\"h:1\"",
            "permitlisten=\"8080\",tunnel=\"0\",no-touch-required", "some-future-option",
            "from=\"a\",from=\"b\"", "RESTRICT,Command=\"x ssh-ed25519 AAAA y\"",
        ]
        let keys = prefixes.indices.map { PublicKey.sample(.ed25519, UInt8(100 + $0)) }
        let lines = zip(prefixes, keys).map { "\($0) \($1.text) option\n" }
        try zoo.file(
            "options", file, Array(lines.joined().utf8),
            keys: keys.enumerated().map { (Int64($0.offset + 1), $0.element.fingerprint) })
    }

    private func forms(_ zoo: inout ScanZoo, _ file: String) throws {
        try zoo.account("forms")
        let keys = (0..<9).map { PublicKey.sample(.ed25519, UInt8(150 + $0)) }
        var content: [UInt8] = []
        func add(_ text: String, _ rest: [UInt8] = [0x0a]) { content += Array(text.utf8) + rest }
        add("# Windows", [0x0d, 0x0a])  // 1
        add("\(keys[0].text) windows", [0x0d, 0x0a])  // 2
        add("\t \(keys[1].text)\ttabs and blanks  ")  // 3
        add("\(keys[2].text) J", [0xfc, 0x72, 0x67, 0x65, 0x6e, 0x0a])  // 4: Latin-1
        add("\(keys[3].text) nul", [0, 0x21, 0x0a])  // 5
        add("\(keys[4].text) \u{1b}]0;title\u{7}\u{1b}[2J", [0x0a])  // 6
        content += [0xff, 0xfe, 0x00, 0x01, 0x80, 0x0a]  // 7: junk
        add("ssh-ed25519 AAAA")  // 8: cut off
        add("ecdsa-sha2-nistp256 \(Base64.encode(keys[5].encoded)) wrong name")  // 9
        add("-----BEGIN OPENSSH PRIVATE KEY-----")  // 10
        add("   ", [0x0d, 0x0a])  // 11: blanks alone
        add("#\(keys[6].text) switched off")  // 12
        add("\(keys[7].text) \(String(repeating: "c", count: 6_000))")  // 13: a long comment
        add("\(keys[8].text) no newline", [])  // 14
        try zoo.file(
            "forms", file, content,
            keys: [
                (2, keys[0].fingerprint), (3, keys[1].fingerprint), (4, keys[2].fingerprint),
                (5, keys[3].fingerprint), (6, keys[4].fingerprint), (13, keys[7].fingerprint),
                (14, keys[8].fingerprint),
            ], junk: [7, 8, 9, 10])
    }

    /// What is no ordinary file, or in no ordinary place.
    private func files(_ zoo: inout ScanZoo) throws {
        func home(_ name: String) -> String { "homes/\(name)/.ssh/authorized_keys" }
        func link(_ target: String, _ name: String) throws {
            try Tool.run("ln", ["-s", target, zoo.folder.path(name)]).orThrow("ln")
        }
        try zoo.account("pipe")
        try Tool.run("mkfifo", [zoo.folder.path(home("pipe"))]).orThrow("mkfifo")
        zoo.expectRefusal("pipe")
        try zoo.account("device")
        try link("/dev/zero", home("device"))
        zoo.expectRefusal("device")
        try zoo.account("dangling")
        try link("/nowhere/keys", home("dangling"))
        zoo.expectRefusal("dangling")
        try zoo.account("loop")
        try link(zoo.folder.path(home("loop")), home("loop"))
        zoo.expectRefusal("loop")
        // A link to what the account may not read: nothing of it may be shown.
        try zoo.account("thief")
        try link(zoo.folder.path("shadow"), home("thief"))
        zoo.expectRefusal("thief")
        // A link that sshd follows and whose keys count.
        try zoo.account("linked")
        let linked = PublicKey.sample(.ed25519, 200)
        try zoo.folder.write("\(linked.text)\n", to: "keys/shared-by-link", mode: 0o644)
        try link(zoo.folder.path("keys/shared-by-link"), home("linked"))
        zoo.expect("linked", home("linked"), [(1, linked.fingerprint)])
        // Hard links are files like others to sshd.
        try zoo.account("hard")
        try Tool.run("ln", [zoo.folder.path("keys/shared-by-link"), zoo.folder.path(home("hard"))]).orThrow(
            "ln")
        zoo.expect("hard", home("hard"), [(1, linked.fingerprint)])
        try zoo.account("loose")
        let loose = PublicKey.sample(.ed25519, 201)
        try zoo.file(
            "loose", home("loose"), Array("\(loose.text)\n".utf8), keys: [(1, loose.fingerprint)], mode: 0o666
        )
        // Sparse, over what is read.
        try zoo.account("huge")
        try Tool.run("truncate", ["-s", "1G", zoo.folder.path(home("huge"))]).orThrow("truncate")
        zoo.expectRefusal("huge")
        // Many: the last line of a long file counts like the first.
        try zoo.account("many")
        var lines = String(repeating: "# nothing\n", count: 50_000)
        let last = PublicKey.sample(.ed25519, 202)
        lines += "\(last.text)\n"
        try zoo.file("many", home("many"), Array(lines.utf8), keys: [(50_001, last.fingerprint)])
        try zoo.account("empty")
        try zoo.folder.write("", to: home("empty"))
        try zoo.account("folder")
        try zoo.folder.makeFolder(home("folder"))
        zoo.expectRefusal("folder")
    }
}
