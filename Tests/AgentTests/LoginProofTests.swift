// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Agent

@Suite struct LoginProofTests {
    private func attempt(_ errors: String, status: Int32 = 255) -> Attempt {
        Attempt(ProgramResult(status: status, output: [], errors: Array(errors.utf8)))
    }

    @Test(arguments: [
        // 9.2, 10.0
        "Authenticated to 127.0.0.1 ([127.0.0.1]:22) using \"publickey\".\r\n",
        "debug1: x\nAuthenticated to ::1 ([::1]:2222) using \"publickey\".\nstdio forwarding failed\n",
        // The certificate was half of the way.
        "Authenticated using \"publickey\" with partial success.\nroot@127.0.0.1: Permission denied (password).\n",
    ])
    func aLoginIsKnownByWhatSshSays(text: String) { #expect(attempt(text).isAuthenticated) }

    @Test(arguments: [
        "root@127.0.0.1: Permission denied (publickey).\n",
        "Received disconnect from 127.0.0.1 port 22:2: Too many authentication failures\n",
    ])
    func aRefusalIsKnownByWhatSshSays(text: String) {
        #expect(!attempt(text).isAuthenticated)
        #expect(attempt(text).isRefused)
    }

    @Test(arguments: [
        "", "ssh: connect to host 127.0.0.1 port 22: Connection refused\n",
        "kex_exchange_identification: read: Connection reset by peer\n",
        // A server's own text, which ssh shows with a prefix or not at all.
        "debug1: Authenticated to 127.0.0.1 by a banner\n", "Host key verification failed.\n",
    ])
    func noAnswerIsNeither(text: String) {
        #expect(!attempt(text).isAuthenticated)
        #expect(!attempt(text).isRefused)
        #expect(!attempt(text).complaint.isEmpty)
    }

    @Test func whatWasOfferedIsCounted() {
        let text = """
            debug1: Offering public key: /p/principal ED25519-CERT SHA256:x explicit
            debug1: Offering public key: /p/expired ED25519-CERT SHA256:x explicit
            debug1: Offering public key: /p/key ED25519 SHA256:x explicit
            """
        #expect(attempt(text).offered == 2)
    }

    @Test func aComplaintIsEscaped() {
        #expect(attempt("bad \u{1b}[2J\n").complaint == "bad \\u{1b}[2J")
    }

    @Test(arguments: [
        ("0.0.0.0:22", "127.0.0.1", 22), ("[::]:2222", "::1", 2222), ("192.0.2.1:22", "192.0.2.1", 22),
        ("[2001:db8::1]:22", "2001:db8::1", 22),
    ])
    func anAddressIsOneToConnectTo(text: String, address: String, port: UInt16) {
        let endpoint = LoginEndpoint(text)
        #expect(endpoint?.address == address)
        #expect(endpoint?.port == port)
    }

    @Test(arguments: [
        "", "22", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "[fe80::1%eth0]:22", "0.0.0.0:22 rdomain 3",
        "web1:22", "[127.0.0.1]:22", "::1:22", "127.0.0.1:+22", "127.0.0.1:22 ", "127.1:22",
    ])
    func whatIsNoPlainAddressIsNone(text: String) { #expect(LoginEndpoint(text) == nil) }

    @Test func whoMayNotLogInIsNotTheProof() throws {
        func refusal(_ lines: String) throws -> String? {
            try LoginProof.Subject(
                account: "root", connection: Sshd.Connection(user: "root"),
                settings: SshdSettings(parsing: lines), principals: "/etc/daypass/principals", ports: []
            ).refusal(SystemFiles())
        }
        #expect(try refusal("permitrootlogin without-password\nusepam yes\n") == nil)
        #expect(try refusal("permitrootlogin forced-commands-only\nusepam yes\n") == nil)
        #expect(try refusal("permitrootlogin no\nusepam yes\n") == "PermitRootLogin no")
        #expect(try refusal("denyusers r*\n") == "DenyUsers")
        #expect(try refusal("denyusers root@192.0.2.*\n") == nil)
        #expect(try refusal("allowusers alice\nallowusers bob\n") == "not in AllowUsers")
        #expect(try refusal("allowusers alice\nallowusers root@127.0.0.1\n") == nil)
        #expect(try refusal("denygroups root\n") == "DenyGroups")
        #expect(try refusal("allowgroups ssh-users\n") == "not in AllowGroups")
        #expect(try refusal("allowgroups ssh-users\nallowgroups root\n") == nil)
        #expect(try refusal("pubkeyauthentication no\n") == "no login by key")
    }
}
