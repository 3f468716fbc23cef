// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import Testing

@Suite struct SshdLogMessageTests {
    static let fingerprint = "SHA256:nXrS2WdcvfUdW5U94ddUz5aRQpmm7FNRwvrWWRkBMWg"
    static let authority = "SHA256:6G5OzBBEH/iDNfdct+NF0z7WCM69REfn2W/mZsmnYwg"

    private func read(_ text: String, known: SshdLogPeer? = nil) -> SshdLogMessage? {
        SshdLogMessage(Array(text.utf8), known: known)
    }

    private func attempt(_ text: String, known: SshdLogPeer? = nil) throws -> SshdLogMessage.Authentication {
        guard case .authentication(let attempt) = try #require(read(text, known: known)) else {
            Issue.record("\(text)")
            throw CancellationError()
        }
        return attempt
    }

    @Test func aCertificateLoginTellsAllOfIt() throws {
        let login = try attempt(
            "Accepted publickey for deploy from 192.0.2.7 port 50000 ssh2: ED25519-CERT \(Self.fingerprint) ID "
                + "alice@example.com#7 (serial 18446744073709551615) CA ED25519 \(Self.authority)")
        #expect(login.outcome == .accepted)
        #expect(login.account == "deploy")
        #expect(login.peer == SshdLogPeer(address: "192.0.2.7", port: 50_000))
        #expect(login.key == SshdLogKey(type: "ED25519-CERT", fingerprint: Self.fingerprint))
        #expect(login.certificate?.keyID == "alice@example.com#7")
        #expect(login.certificate?.serial == .max)
        #expect(login.certificate?.authority?.fingerprint == Self.authority)
        #expect(!login.isCut)
    }

    @Test(arguments: [
        "Accepted password for root from fe80::1%eth0 port 1 ssh2",
        "Accepted keyboard-interactive/pam for root from UNKNOWN port 65535 ssh2",
        "Accepted publickey for root from ::1 port 2 ssh2: RSA MD5:aa:bb",
    ])
    func otherMethodsAreRead(text: String) throws {
        #expect(try attempt(text).account == "root")
        #expect(try attempt(text).certificate == nil)
    }

    @Test func attack40_wordsOfSshdInAnAccountThatDoesNotExistStayItsName() throws {
        let name = "Accepted publickey for root from 6.6.6.6 port 6 ssh2: ED25519 SHA256:x"
        #expect(
            read("Invalid user \(name) from 192.0.2.7 port 5")
                == .invalidUser(account: name, peer: SshdLogPeer(address: "192.0.2.7", port: 5)))
        #expect(
            read("Invalid user x from 6.6.6.6 port 6 from 192.0.2.7 port 5")
                == .invalidUser(
                    account: "x from 6.6.6.6 port 6", peer: SshdLogPeer(address: "192.0.2.7", port: 5)))
        #expect(read(" \(name)") == nil)
        #expect(read("pam_unix(sshd:auth): \(name)") == nil)
    }

    @Test func attack40_anAttemptThatReadsTwoWaysNamesNobody() throws {
        // The account, or the key ID, may be the stranger's: nothing tells where one ends.
        let text =
            "Failed publickey for invalid user x from 6.6.6.6 port 6 ssh2: ED25519 SHA256:y from 192.0.2.7 port 5 "
            + "ssh2: ED25519 \(Self.fingerprint)"
        let attempt = try attempt(text)
        #expect(attempt.account == nil)
        #expect(attempt.peer == nil)
        #expect(attempt.certificate == nil)
        // Where the connection is known, it decides.
        let known = SshdLogPeer(address: "192.0.2.7", port: 5)
        #expect(
            try self.attempt(text, known: known).account == "x from 6.6.6.6 port 6 ssh2: ED25519 SHA256:y")
        #expect(try self.attempt(text, known: known).peer == known)
    }

    @Test func attack40_aKeyIDCannotBringASerialOrAnAuthority() throws {
        let id = "x (serial 1) CA ED25519 \(Self.fingerprint)"
        let login = try attempt(
            "Accepted publickey for root from 192.0.2.7 port 5 ssh2: ED25519-CERT \(Self.fingerprint) ID \(id) "
                + "(serial 20) CA RSA \(Self.authority)")
        #expect(login.certificate?.keyID == id)
        #expect(login.certificate?.serial == 20)
        #expect(login.certificate?.authority == SshdLogKey(type: "RSA", fingerprint: Self.authority))
    }

    @Test func attack40_theEndOfAMessageThatSshdCutIsNotBelieved() throws {
        let start =
            "Accepted publickey for root from 192.0.2.7 port 5 ssh2: ED25519-CERT \(Self.fingerprint) ID "
        let end = " (serial 1) CA ED25519 \(Self.fingerprint)"
        let padding = String(repeating: "k", count: 500 - start.utf8.count - end.utf8.count)
        // 500 bytes is what sshd hands to syslog: the true end may be behind it.
        let login = try attempt(start + padding + end)
        #expect(login.isCut)
        #expect(login.certificate?.serial == nil)
        #expect(login.certificate?.authority == nil)
        #expect(try attempt(start + padding.dropLast() + end).certificate?.serial == 1)
    }

    @Test func escapesAreUndoneInThePartsAndMakeNoNewOnes() throws {
        let login = try attempt(
            "Accepted publickey for root from 192.0.2.7 port 5 ssh2: ED25519-CERT \(Self.fingerprint) ID "
                + #"a\nb\\n\033[2J\303\251\0z\400\q (serial 3) CA ED25519 "# + Self.authority)
        #expect(login.certificate?.keyID == "a\nb\\n\u{1b}[2J\u{e9}\0z\0\\q")
    }

    @Test func refusalsCarrySshdsReason() {
        for reason in [
            "Certificate invalid: expired", "Certificate does not contain an authorized principal",
        ] {
            #expect(read("error: \(reason)") == .certificateRefused(reason: reason, nil))
            #expect(read("error: x\(reason)") == nil)
            let certificate = SshdLogCertificate(
                keyID: "k\" serial=1 signed by RSA CA SHA256:x: y", serial: 9,
                authority: SshdLogKey(type: "ED25519", fingerprint: Self.authority))
            let text =
                "error: Refusing certificate ID \"k\" serial=1 signed by RSA CA SHA256:x: y\" serial=9 signed by ED25519 CA \(Self.authority)"
            #expect(read("\(text): \(reason)") == .certificateRefused(reason: reason, certificate))
            #expect(
                read("\(text) via /root/.ssh/authorized_keys:3: \(reason)")
                    == .certificateRefused(reason: reason, certificate))
        }
        #expect(
            read("error: Authentication key ED25519-CERT \(Self.fingerprint) revoked by file /etc/krl")
                == .keyRevoked(SshdLogKey(type: "ED25519-CERT", fingerprint: Self.fingerprint)))
        #expect(
            read("User bob from 192.0.2.7 not allowed because not listed in AllowUsers")
                == .notAllowed(account: "bob", reason: "not listed in AllowUsers"))
    }

    @Test(arguments: [
        ("Connection closed by 192.0.2.7 port 5", true),
        ("Connection reset by user root 192.0.2.7 port 5", true),
        ("Disconnected from user root 192.0.2.7 port 5", true),
        ("Disconnecting user root 192.0.2.7 port 5: Too many authentication failures", true),
        ("Timeout, client not responding from user root 192.0.2.7 port 5", true),
        ("Read error from remote host 192.0.2.7 port 5: Connection timed out", true),
        ("Connection from user root 192.0.2.7 port 5 timed out", true),
        ("Received disconnect from 192.0.2.7 port 5:11: disconnected by user", true),
        ("Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]", false),
        ("Connection closed by invalid user x 6.6.6.6 port 6 192.0.2.7 port 5 [preauth]", false),
    ])
    func endsOfConnectionsAreRead(text: String, isAuthenticated: Bool) throws {
        guard case .ended(_, let peer, let found) = try #require(read(text)) else {
            Issue.record("\(text)")
            return
        }
        #expect(peer == SshdLogPeer(address: "192.0.2.7", port: 5))
        #expect(found == isAuthenticated)
    }

    @Test func noPrefixOrChangeOfAMessageTraps() {
        let text =
            "Accepted publickey for root from 192.0.2.7 port 5 ssh2: ED25519-CERT \(Self.fingerprint) ID k (serial 1) CA "
            + "ED25519 \(Self.authority)"
        let bytes = Array(text.utf8)
        for count in 0...bytes.count { _ = SshdLogMessage(Array(bytes[..<count])) }
        for index in bytes.indices {
            for byte: UInt8 in [0, 0x20, 0x5c, 0x7f, 0xff] {
                var changed = bytes
                changed[index] = byte
                _ = SshdLogMessage(changed)
            }
        }
        #expect(SshdLogMessage([UInt8](repeating: 0x20, count: 9 << 10)) == nil)
    }
}
