// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

private func someKey(_ byte: UInt8) throws -> PublicKey {
    try PublicKey(.ed25519([UInt8](repeating: byte, count: 32)))
}

private func hosts(_ text: String) throws -> KnownHosts { try KnownHosts(Array(text.utf8)) }

@Suite struct KnownHostsTests {
    /// Lists, a host and port, and whether the line is about it.
    private static let matches: [(String, String, UInt16, Bool)] = [
        ("web", "web", 22, true), ("web", "WEB", 22, true), ("WEB", "web", 22, true),
        ("web", "web1", 22, false),
        ("web", "web", 2222, false), ("[web]:2222", "web", 2222, true), ("[web]:2222", "web", 22, false),
        ("*.example.com", "a.example.com", 22, true), ("*.example.com", "example.com", 22, false),
        ("*.example.com,!b.example.com", "b.example.com", 22, false),
        ("!b.example.com,*.example.com", "b.example.com", 22, false),
        ("!b.example.com,*.example.com", "a.example.com", 22, true), ("!web", "other", 22, false),
        ("web?", "web1", 22, true), ("web?", "web", 22, false), ("192.0.2.1", "192.0.2.1", 22, true),
        ("[*.example.com]:2222", "a.example.com", 2222, true), ("*", "a", 2222, true),
        ("::1", "::1", 22, true),
        ("[::1]:2222", "::1", 2222, true),
    ]

    @Test(arguments: Self.matches)
    func hostsMatchAsSSHKeygenFindsThem(list: String, host: String, port: UInt16, isMatch: Bool) throws {
        let key = try someKey(1)
        let text = "\(list) \(key.text)\n"
        let status = try hosts(text).status(of: key, host: host, port: port)
        #expect(status == (isMatch ? .known(line: 1) : .unknown))
        try withTemporaryFolder { folder in
            let path = try folder.write(text, to: "known_hosts")
            let name = port == 22 ? host.lowercased() : "[\(host)]:\(port)"
            let found = try Tool.run("ssh-keygen", ["-F", name, "-f", path])
            #expect(found.succeeded == isMatch)
        }
    }

    @Test(
        arguments: [("web.example.com", 22), ("web.example.com", 2222), ("192.0.2.7", 22)]
            as [(String, UInt16)])
    func aHashedHostIsFoundAsSSHKeygenHashesIt(host: String, port: UInt16) throws {
        try withTemporaryFolder { folder in
            let key = try someKey(1)
            let name = port == 22 ? host : "[\(host)]:\(port)"
            let path = try folder.write("\(name) \(key.text)\n", to: "known_hosts")
            try TextVectors.keygen(["-H", "-f", path], "ssh-keygen -H")
            let hashed = try folder.readText("known_hosts")
            #expect(hashed.hasPrefix("|1|"))
            let known = try hosts(hashed)
            #expect(try known.status(of: key, host: host, port: port) == .known(line: 1))
            #expect(try known.status(of: key, host: "other", port: port) == .unknown)
            #expect(try known.status(of: key, host: host, port: 23) == .unknown)
            #expect(known.file.entries.map { $0.entry.line + "\n" } == [hashed])
        }
    }

    @Test func aHashOfOursIsFoundBySSHKeygen() throws {
        let name = try HostName("Web.Example.com", port: 2222)
        let hashed = try HashedHostName(name, salt: Array(1...20))
        let line = try KnownHost(hosts: .hashed(hashed), key: someKey(1)).line
        try withTemporaryFolder { folder in
            let path = try folder.write(line + "\n", to: "known_hosts")
            let found = try Tool.run("ssh-keygen", ["-F", "[web.example.com]:2222", "-f", path])
            #expect(found.succeeded)
        }
        #expect(throws: SSHWireError.self) { try HashedHostName(name, salt: [1, 2, 3]) }
    }

    @Test func attack23_aRevokedKeyIsRevokedWhateverElseIsSaid() throws {
        let (key, other) = (try someKey(1), try someKey(2))
        let before = try hosts("@revoked * \(key.text)\nweb \(key.text)\nweb \(other.text)\n")
        #expect(try before.status(of: key, host: "web") == .revoked(line: 1))
        #expect(try before.status(of: other, host: "web") == .known(line: 3))
        let behind = try hosts("web \(key.text)\n@revoked elsewhere \(key.text)\n")
        #expect(try behind.status(of: key, host: "web") == .revoked(line: 2))
    }

    @Test func attack23_aRevokedAuthorityIsTrustedForNothing() throws {
        let (ca, other) = (try someKey(1), try someKey(2))
        let known = try hosts(
            "@cert-authority * \(ca.text)\n@cert-authority *.a.example \(other.text)\n@revoked * \(ca.text)\n"
        )
        #expect(try known.status(ofAuthority: ca, host: "web.a.example") == .revoked(line: 3))
        #expect(try known.status(ofAuthority: other, host: "web.a.example") == .trusted(line: 2))
        #expect(try known.status(ofAuthority: other, host: "web.b.example") == .notTrusted)
        #expect(try known.authorities(for: "web.a.example") == [other])
    }

    @Test func attack23_aCertificateOnARevokedKeyIsRevoked() throws {
        try withTemporaryFolder { folder in
            let ca = try TextVectors.makeKey("ca", in: folder)
            let key = try TextVectors.makeKey("host", in: folder)
            let text = try TextVectors.makeCertificate(on: "host", by: "ca", in: folder, options: ["-h"])
            guard case .certificate(let certificate) = try PublicKeyLine(text).content else {
                Issue.record("no certificate")
                return
            }
            let trusting = "@cert-authority web \(ca)\n"
            let good = try hosts(trusting).status(ofAuthorityOf: certificate, host: "web")
            #expect(good == .trusted(line: 1))
            let bad = try hosts("\(trusting)@revoked * \(key)\n")
            #expect(try bad.status(ofAuthorityOf: certificate, host: "web") == .revoked(line: 2))
        }
    }

    @Test(arguments: [
        "@revoked * ssh-ed25519 AAAA", "@revoked *", "@revoked * ssh-future",
        "@revoked * ssh-ed25518 AAAAC3NzaC1lZDI1NTE5", "@revokd * ", "@revoked@revoked * ",
        "@revoked @revoked * ",
        "@cert-authority @revoked * ", "@", "@ * ", "@revoked a,,b ",
    ])
    func attack23_aMarkedLineThatCannotBeReadIsNotSkipped(line: String) throws {
        let text = line.hasSuffix(" ") ? line + (try someKey(1).text) : line
        let error = wireError { _ = try hosts("web \(try someKey(2).text)\n\(text)\n") }
        #expect(error?.reason.hasPrefix("line 2: ") == true)
    }

    @Test func keysThatAreNeverAcceptedMayBeRevoked() throws {
        let known = try hosts("@revoked * ssh-dss AAAAB3NzaC1kc3M=\nnonsense\n")
        #expect(known.file.problems.map(\.number) == [1, 2])
    }

    @Test func anotherKeyForTheHostIsAChange() throws {
        let known = try hosts("web \(try someKey(1).text)\n@cert-authority web \(try someKey(2).text)\n")
        #expect(try known.status(of: someKey(3), host: "web") == .changed(line: 1))
        // A CA's key is no host key, and a host key no CA's.
        #expect(try known.status(of: someKey(2), host: "web") == .changed(line: 1))
        #expect(try known.status(ofAuthority: someKey(1), host: "web") == .notTrusted)
        #expect(try known.status(of: someKey(2), host: "db") == .unknown)
    }

    @Test(arguments: [
        "", "*", "a,b", "!a", "a b", "a\tb", "a\nb", "|1|", "[a]", "a#", String(repeating: "a", count: 1_025),
    ])
    func aNameThatIsNoHostIsRefused(host: String) throws {
        #expect(throws: SSHWireError.self) { _ = try KnownHosts().status(of: someKey(1), host: host) }
    }

    @Test func attack70_hostilePatternsTakeNoTime() throws {
        let pattern = String(repeating: "*a", count: 500) + "b"
        let known = try hosts(
            "\(Array(repeating: pattern, count: 16).joined(separator: ",")) \(try someKey(1).text)\n")
        #expect(known.file.entries.count == 1)
        let clock = ContinuousClock()
        let taken = try clock.measure {
            let status = try known.status(of: someKey(1), host: String(repeating: "a", count: 1_000))
            #expect(status == .unknown)
        }
        #expect(taken < .seconds(5))
        #expect(throws: SSHWireError.self) {
            try KnownHost(line: String(repeating: "a", count: 1_023) + " " + someKey(1).text)
        }
        #expect(throws: SSHWireError.self) {
            try KnownHost(
                line: Array(repeating: "abcdefg", count: 2_049).joined(separator: ",") + " " + someKey(1).text
            )
        }
    }

    @Test func aFileComesBackByteForByte() throws {
        let key = try someKey(1).text
        let text =
            "# hosts\n\n  web,192.0.2.1\t\(key)   two words \n@cert-authority\t*.example.com \(key)\r\nbad\n"
        var known = try hosts(text)
        #expect(known.file.bytes == Array(text.utf8))
        let added = try KnownHost(
            .revoked, hosts: .patterns(PatternList(["*"], "hosts")), key: someKey(2), comment: "stolen")
        known.file.append(added)
        #expect(known.file.bytes == Array((text + added.line + "\n").utf8))
        #expect(try known.status(of: someKey(2), host: "web") == .revoked(line: 6))
    }

    @Test(arguments: ["a b", "#a", "@a", "|a", "a,b", "", "!", "a\u{7f}"])
    func hostsThatWouldNotComeBackAreRefused(pattern: String) throws {
        #expect(throws: SSHWireError.self) {
            try KnownHost(hosts: .patterns(PatternList([ExactText(pattern)], "hosts")), key: someKey(1))
        }
    }

    @Test(arguments: [
        "web,!db*", "@revoked *", "|1|FJGTcUmV4MiwmuGvCbWSMHXtk5k=|mDVHWxYVSXc/HOUIq8jNq42jrIk=",
    ])
    func everyPrefixAndChangedByteIsRefusedOrComesBack(hosts: String) throws {
        let line = "\(hosts) \(try someKey(1).text) c"
        let original = try KnownHost(line: line)
        for bytes in TextVectors.prefixes(of: Array(line.utf8)) + TextVectors.changes(of: Array(line.utf8)) {
            guard let text = TextVectors.text(bytes), let parsed = try? KnownHost(line: text) else {
                continue
            }
            #expect(try KnownHost(line: parsed.line) == parsed)
            if parsed == original { #expect(text.contains("\t")) }
        }
    }
}
