// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import SSHWire
import Testing

@Suite struct RevocationFileTests {
    @Test func attack58_noBrokenListIsEverPlanned() throws {
        let good = try revocations(1, [1, 5, 9])
        var accepted: [Int] = []
        for count in 0..<good.bytes.count {
            guard let cut = try? RevocationFile(Array(good.bytes[..<count]), name: "list") else { continue }
            // The format has no length: what is cut between sections is a list, but it does not succeed the whole one.
            #expect(throws: AgentError(.conflict, "")) { try cut.checkSuccession(of: good.list) }
            accepted.append(count)
        }
        #expect(accepted == [44])
        #expect(try RevocationFile(good.bytes, name: "list").list.version == 1)
    }

    @Test func attack58_theFirstInstallHasAListThatSshdLoads() throws {
        let host = TrustHost()
        try host.install(try .some())
        let content = try #require(try host.files.read("/etc/daypass/revoked_keys"))
        #expect(try RevocationFile(content.bytes, name: "list").list.isEmpty)
    }

    @Test(arguments: [
        "<!DOCTYPE html><html>404 Not Found</html>", "\n", "404: Not Found", "ssh-ed25519 AAAA", "SSHKRL\n",
    ])
    func attack59_anErrorPageIsNoRevocationList(body: String) throws {
        #expect(throws: AgentError(.damaged, "")) { try RevocationFile(Array(body.utf8), name: "list") }
    }

    @Test func attack58_aBitmapThatSshdRefusesIsRefused() throws {
        func list(bits: Int) -> [UInt8] {
            var bitmap = [UInt8](repeating: 0, count: bits / 8)
            bitmap[0] = 0x40
            var section = WireWriter()
            section.write(UInt8(0x22))
            var content = WireWriter()
            content.write(UInt64(1))
            content.writePositiveInteger(bitmap)
            section.writeString(content.bytes)
            var certificates = WireWriter()
            certificates.writeString("")
            certificates.writeString("")
            certificates.writeRaw(section.bytes)
            var file = WireWriter()
            file.writeRaw(Array("SSHKRL\n".utf8) + [0])
            file.write(UInt32(1))
            for number in [UInt64(1), 1, 0] { file.write(number) }
            file.writeString("")
            file.writeString("")
            file.write(UInt8(1))
            file.writeString(certificates.bytes)
            return file.bytes
        }
        #expect(try RevocationFile(list(bits: 16_384), name: "list").list.version == 1)
        #expect(throws: AgentError(.damaged, "")) { try RevocationFile(list(bits: 16_392), name: "list") }
    }

    @Test func attack60_anOlderListIsNotInstalled() throws {
        let host = TrustHost()
        try host.install(try .some { $0.revocations = .given(try revocations(5, [1])) })
        let older = try TrustSettings.some { $0.revocations = .given(try revocations(4, [1, 2, 3])) }
        #expect(throws: AgentError(.conflict, "")) { try host.plan(older) }
        // The version is remembered when the file is gone or broken.
        host.files.put("/etc/daypass/revoked_keys", [1, 2, 3])
        #expect(throws: AgentError(.conflict, "")) { try host.plan(older) }
        try host.install(try .some { $0.revocations = .given(try revocations(6)) })
    }

    @Test func attack60_theSameVersionMayOnlyRevokeMore() throws {
        let host = TrustHost()
        try host.install(try .some { $0.revocations = .given(try revocations(5, [1, 2])) })
        #expect(throws: AgentError(.conflict, "")) {
            try host.plan(try .some { $0.revocations = .given(try revocations(5, [1])) })
        }
        try host.install(try .some { $0.revocations = .given(try revocations(5, [1, 2, 3])) })
    }

    @Test func attack60_aSignedListIsRefused() throws {
        let signed = try revocations(1, [1]).bytes + [4] + [0, 0, 0, 4, 1, 2, 3, 4]
        #expect(throws: AgentError(.damaged, "")) { try RevocationFile(signed, name: "list") }
    }

    @Test func attack58_aListThatWentMissingIsNotReplacedByAnEmptyOne() throws {
        let host = TrustHost()
        try host.install(try .some { $0.revocations = .given(try revocations(5, [1])) })
        try host.files.remove("/etc/daypass/revoked_keys")
        #expect(throws: AgentError(.damaged, "")) { try host.plan(try .some()) }
        host.files.put("/etc/daypass/revoked_keys", [])
        #expect(throws: AgentError(.damaged, "")) { try host.plan(try .some()) }
    }

    @Test func attack61_serialZeroIsInNoList() throws {
        #expect(throws: SSHWireError.self) { try revocations(1, [0]) }
        #expect(try revocations(1, [1, .max]).list.certificates.first?.serials.count == 2)
    }
}
