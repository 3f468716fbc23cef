// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

/// The first block of code of a page in docs/formats.
private func example(_ page: String) throws -> [UInt8] {
    // Tests/SSHWireTests/ThisFile.swift is three steps below the package.
    let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let folder = "/\(package)/docs/formats"
    let text = try Tool.run("cat", ["\(folder)/\(page).md"]).orThrow("cat").stdoutText
    let parts = text.split(separator: "```\n")
    return Array(try #require(parts.count > 1 ? parts[1] : nil).utf8)
}

@Suite struct DocumentedTextTests {
    @Test func theExamplesComeBackByteForByteAndHaveNoProblems() throws {
        let keys = try AuthorizedKeysFile(example("authorized-keys"))
        #expect(keys.entries.count == 3 && keys.problems.isEmpty)
        #expect(try keys.bytes == example("authorized-keys"))
        for (number, entry) in keys.entries { #expect(entry.line == keys.lines[number - 1].text) }
        let principals = try AuthorizedPrincipalsFile(example("principals"))
        #expect(principals.entries.count == 4 && principals.problems.isEmpty)
        #expect(try principals.bytes == example("principals"))
        let hosts = try KnownHosts(example("known-hosts"))
        #expect(hosts.file.entries.count == 4 && hosts.file.problems.isEmpty)
        #expect(try hosts.file.bytes == example("known-hosts"))
        let signers = try AllowedSigners(example("allowed-signers"))
        #expect(signers.file.entries.count == 3 && signers.file.problems.isEmpty)
        #expect(try signers.file.bytes == example("allowed-signers"))
    }

    @Test func theHostsOfTheExampleAreKnown() throws {
        let hosts = try KnownHosts(example("known-hosts"))
        let key = try #require(hosts.file.entries.last).entry.key
        let authority = try #require(hosts.file.entries.first).entry.key
        #expect(try hosts.status(of: key, host: "web.example.com", port: 2222) != .unknown)
        #expect(try #require(hosts.file.entries.last).entry.hosts.matches(HostName("web.example.com")))
        #expect(try hosts.authorities(for: "db.example.org") == [authority])
        #expect(try hosts.authorities(for: "old.example.com") == [])
    }

    @Test func theSignatureOfTheExampleIsTheOneOfTheExamplesSigner() throws {
        let signature = try SSHSignature(armoured: example("sshsig"))
        let signers = try AllowedSigners(example("allowed-signers"))
        let question = AllowedSigners.Question(
            principal: "alice@example.com", namespace: "file", time: UnixTime(seconds: 1_780_272_000))
        let verdict = signers.judge(signature, over: Array("hello\n".utf8), question)
        #expect(verdict == .allowed(line: 2, presence: .touch))
    }
}
