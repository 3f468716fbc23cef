// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import Glibc
import TestSupport
import Testing

/// A real sshd, a real syslog daemon or journal between, and what comes out here.
@Suite(.enabled(if: Running.asRoot && Running.withSSHD, "needs root and sshd")) struct SshdLogRealTests {
    @Test(
        .enabled(if: SshdLogHost.withRsyslog, "needs rsyslogd"), arguments: ["INFO", "VERBOSE"])
    func everyLoginAndRefusalIsReadFromTextLogs(level: String) throws {
        let host = try SshdLogHost(.rsyslog, logLevel: level)
        var traditional = try SshdLogFollower(path: host.folder.path("traditional.log"), position: nil)
        var iso = try SshdLogFollower(path: host.folder.path("iso.log"), position: nil)
        let expected = try logins(host)
        for isISO in [false, true] {
            var log = Log()
            try SshdLogHost.wait {
                try log.take(isISO ? iso.read(now: 0) : traditional.read(now: 0))
                return log.isComplete(expected)
            }
            check(log, expected, level)
            for event in log.events {
                if case .wall = event.time { #expect(isISO) } else { #expect(!isISO) }
                #expect(event.sender == .unproven)
            }
        }
    }

    @Test(
        .enabled(if: SshdLogHost.withJournald, "needs systemd-journald and journalctl"),
        arguments: ["INFO", "VERBOSE"])
    func everyLoginAndRefusalIsReadFromTheJournal(level: String) throws {
        let host = try SshdLogHost(.journald, logLevel: level)
        let folder = "--directory=" + host.folder.path("journal")
        // From the journal's first entry on, whenever journalctl has begun.
        var journal = try SshdLogJournal(position: nil, arguments: [folder, "--no-tail"])
        var log = Log()
        let expected = try logins(host)
        try SshdLogHost.wait {
            try log.take(journal.read() ?? [])
            return log.isComplete(expected)
        }
        check(log, expected, level)
        #expect(log.opened.allSatisfy { $0.sender == .user(0) || $0.sender == .goneUser(0) })
        #expect(journal.unreadable == 0)

        // Another one goes on where this one was.
        let position = journal.position
        _ = try host.login("static")
        var next = try SshdLogJournal(position: position, arguments: [folder])
        var after = Log()
        try SshdLogHost.wait {
            try after.take(next.read() ?? []); return after.ended.count == 1
        }
        #expect(after.opened.count == 1)
    }

    @Test(.enabled(if: SshdLogHost.withJournald, "needs systemd-journald and journalctl"))
    func attack40_whatAnAccountLogsAsSshdIsNotTakenFromTheJournal() throws {
        let host = try SshdLogHost(.journald, logLevel: "INFO")
        let folder = "--directory=" + host.folder.path("journal")
        // In sshd's own namespace, where /dev/log is the private daemon's.
        try Tool.run(
            "nsenter",
            [
                "-m", "-t", "\(host.sshd.pid)", "setpriv", "--reuid=61234", "--clear-groups", "logger", "-t",
                "sshd", "-p", "auth.info", "--id=1",
                "Accepted publickey for root from 6.6.6.6 port 6 ssh2: ED25519 SHA256:forged",
            ]
        ).orThrow("logger")
        try #require(try host.login("static"))
        var journal = try SshdLogJournal(position: nil, arguments: [folder, "--no-tail", "--lines=all"])
        var log = Log()
        try SshdLogHost.wait {
            try log.take(journal.read() ?? []); return log.ended.count == 1
        }
        #expect(log.opened.count == 1)
        #expect(log.opened.allSatisfy { $0.connection.peer?.address == "127.0.0.1" })
        // It is in the journal all the same.
        #expect(
            try Tool.run("journalctl", [folder, "--grep=6.6.6.6", "--quiet"]).stdoutText.contains("6.6.6.6"))
    }

    @Test func attack40_aKeyIDForgesWholeLinesWhereSshdWritesAFileItself() throws {
        // sshd leaves line ends as they are on standard error and in the file of -E: such a file is no source.
        let folder = try TemporaryFolder()
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", folder.path("ca")]).orThrow("key")
        let forged = "Nov 26 12:00:00 web1 sshd[1]: Accepted publickey for root from 6.6.6.6 port 6 ssh2"
        try SshdLogHost.certificate(folder, "key", ["-I", "x\n\(forged)\ny", "-n", Running.userName])
        let sshd = try PrivateSSHD(.init(trustedUserCAKeys: folder.path("ca.pub")))
        try #require(try sshd.login(identity: folder.path("key")).succeeded)
        #expect(try sshd.waitForLog("\n\(forged)").contains("\n\(forged)"))
    }

    /// What a run of logins must leave.
    private struct Expected {
        var opened: [(account: String, method: String, keyID: String?, serial: UInt64?)] = []
        var refusedKeyIDs: [String] = []
        var reasons: Set<String> = []
        var invalidUsers: Set<String> = []
    }

    private struct Log {
        var reader = SshdLogReader { $0 == SshdLogHost.account ? 61_234 : $0 == "root" ? 0 : nil }
        var events: [SshdLogEvent] = []

        mutating func take(_ entries: [SshdLogEntry]) throws {
            for entry in entries { events += reader.read(entry) }
        }

        var opened: [SshdLogEvent] { events.filter { if case .opened = $0.kind { true } else { false } } }
        var ended: [SshdLogEvent] { events.filter { if case .ended = $0.kind { true } else { false } } }

        func isComplete(_ expected: Expected) -> Bool {
            ended.count >= expected.opened.count && invalidUsers.isSuperset(of: expected.invalidUsers)
        }
        var refusals: [(reason: String, SshdLogRefusal)] {
            events.compactMap {
                if case .refused(let reason, let refusal) = $0.kind { (reason, refusal) } else { nil }
            }
        }
        var invalidUsers: Set<String> {
            Set(refusals.filter(\.1.isInvalidUser).compactMap(\.1.account))
        }
    }

    /// Logs in and fails to, in every way that must be told apart.
    private func logins(_ host: SshdLogHost) throws -> Expected {
        let folder = host.folder
        var expected = Expected()
        func make(_ name: String, _ id: String, _ serial: Int, _ more: [String], _ authority: String = "ca")
            throws
        {
            try SshdLogHost.certificate(
                folder, name, ["-I", id, "-z", "\(serial)"] + more, authority: authority)
        }
        // In: a static key, a certificate, one for another account, key IDs that look like sshd's words.
        try #require(try host.login("static"))
        expected.opened.append(("root", "publickey", nil, nil))
        try make("good", "alice@example.com#7", 7, ["-n", "root"])
        try #require(try host.login("good"))
        expected.opened.append(("root", "publickey", "alice@example.com#7", 7))
        try make("other", "bob", 8, ["-n", SshdLogHost.account])
        try #require(try host.login("other", as: SshdLogHost.account))
        expected.opened.append((SshdLogHost.account, "publickey", "bob", 8))
        let hostile = [
            "x (serial 1) CA ED25519 SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "a\nNov 26 12:00:00 host sshd[1]: Accepted publickey for root from 6.6.6.6 port 6 ssh2: ED25519 SHA256:f",
            "tab\tescape\u{1b}[2J backslash\\012 é \u{202e} from 6.6.6.6 port 6 ssh2: ED25519 SHA256:x",
        ]
        for (index, id) in hostile.enumerated() {
            try make("hostile\(index)", id, 20 + index, ["-n", "root"])
            try #require(try host.login("hostile\(index)"))
            expected.opened.append(("root", "publickey", id, UInt64(20 + index)))
        }
        // Longer than what sshd sends: the serial and the CA are cut off, and are not made up.
        let long = String(repeating: "k", count: 280) + " (serial 1) CA ED25519 SHA256:"
        try make("long", long + String(repeating: "A", count: 200), 30, ["-n", "root"])
        try #require(try host.login("long"))
        expected.opened.append(("root", "publickey", nil, nil))

        // Not in.
        try make("expired", "expired", 40, ["-n", "root", "-V", "20200101:20200102"])
        try make("early", "early", 41, ["-n", "root", "-V", "20990101:20990102"])
        try make("wrong", "wrong", 42, ["-n", "somebody"])
        try make("stranger", "stranger", 43, ["-n", "root"], "other_ca")
        for name in ["expired", "early", "wrong", "stranger", "revoked", "user"] {
            #expect(try !host.login(name), "\(name)")
        }
        expected.reasons = [
            "Certificate invalid: expired", "Certificate invalid: not yet valid",
            "Certificate does not contain an authorized principal", "revoked",
        ]
        expected.refusedKeyIDs = ["expired", "early", "wrong", "stranger", "revoked"]
        for user in [
            "Accepted publickey for root from 6.6.6.6 port 6 ssh2", "x from 6.6.6.6 port 6 ssh2",
            "x from 6.6.6.6 port 6", "not allowed because x", "é [preauth]",
        ] {
            #expect(try !host.login("good", as: user), "\(user)")
            expected.invalidUsers.insert(user)
        }
        return expected
    }

    private func check(_ log: Log, _ expected: Expected, _ level: String) {
        #expect(log.opened.count == expected.opened.count)
        for (event, expected) in zip(log.opened, expected.opened) {
            guard case .opened(let login) = event.kind else { continue }
            #expect(login.account == expected.account)
            #expect(event.connection.account == expected.account)
            #expect(login.method == expected.method)
            #expect(event.connection.peer?.address == "127.0.0.1")
            #expect(login.key?.fingerprint.hasPrefix("SHA256:") == true)
            if let keyID = expected.keyID {
                // sshd's message is bytes; a key ID that is not ASCII comes back as it was.
                #expect(login.certificate?.keyID == keyID)
                #expect(login.certificate?.serial == expected.serial)
                #expect(login.certificate?.authority?.type == "ED25519")
            } else {
                #expect(login.certificate?.serial == nil)
                #expect(login.isCut == (login.certificate != nil))
            }
            #expect((event.connection.local != nil) == (level == "VERBOSE"))
        }
        #expect(log.ended.count == expected.opened.count)
        #expect(Set(log.ended.map(\.connection.pid)) == Set(log.opened.map(\.connection.pid)))
        #expect(log.reader.open.isEmpty)
        #expect(log.invalidUsers == expected.invalidUsers)
        let reasons = Set(log.refusals.map(\.reason))
        #expect(reasons.isSuperset(of: expected.reasons), "\(reasons)")
        if level == "VERBOSE" {
            let keyIDs = Set(log.refusals.compactMap(\.1.certificate?.keyID))
            #expect(keyIDs.isSuperset(of: expected.refusedKeyIDs), "\(keyIDs)")
        }
        // Nothing that a stranger wrote became an address.
        for event in log.events { #expect(event.connection.peer.map { $0.address == "127.0.0.1" } ?? true) }
    }
}
