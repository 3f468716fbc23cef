// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// Fifteen faults of P0's agent, as its own source has them, each with what this one does.
@Suite("Faults of P0's agent, by their numbers") struct P0FaultTests {
    private let machine: PretendMachine

    init() throws { machine = try PretendMachine() }

    private func p0(_ command: String, _ user: String, _ id: String, _ rest: String = "") -> String {
        "{\"command\":\"\(command)\",\"userName\":\"\(user)\",\"requestId\":\"\(id)\"\(rest)}"
    }

    private func give(_ user: String, _ id: String, key: String = TestKey.one) throws {
        for text in [
            p0("provisionAuthorizedKeys", user, id, ",\"publicKey\":\"\(key)\""),
            p0("provisionSudo", user, id, ",\"sudo\":true"),
        ] {
            let result = try machine.perform(text)
            #expect(result.success, "\(result)")
        }
    }

    private func revoke(_ user: String, _ id: String) throws {
        for command in ["provisionAuthorizedKeys", "provisionSudo"] {
            #expect(try machine.perform(p0(command, user, id, ",\"action\":\"revoke\"")).success)
        }
    }

    @Test func p0Fault1_revokeRemovesOnlyItsOwnGrant() throws {
        try give("alice", "a")
        try give("alice", "b", key: TestKey.two)
        try give("bob", "c")
        let (bobKeys, bobSudo) = (
            try machine.keys("bob"), try machine.folder.read("sudoers.d/daypass-c@sudo")
        )
        let aliceSudo = try machine.folder.read("sudoers.d/daypass-b@sudo")
        try revoke("alice", "a")
        #expect(try machine.names("sudoers.d") == ["daypass-b@sudo", "daypass-c@sudo"])
        #expect(try machine.keys("bob") == bobKeys)
        #expect(try machine.folder.read("sudoers.d/daypass-c@sudo") == bobSudo)
        #expect(try machine.folder.read("sudoers.d/daypass-b@sudo") == aliceSudo)
        #expect(try machine.keys("alice")?.contains(TestKey.two) == true)
        #expect(try machine.keys("alice")?.contains(TestKey.one) == false)
    }

    @Test func p0Fault2_revokeSaysWhenThereWasNothingToRevoke() throws {
        try give("alice", "a.b-c_d")
        let other = try machine.perform(p0("provisionSudo", "alice", "a-b-c_d", ",\"action\":\"revoke\""))
        #expect(other.message.hasPrefix("nothing to revoke"))
        #expect(try machine.names("sudoers.d").count == 1)
        // Characters that meant something to sed are no part of an id.
        for id in ["a+", "a?", "a|b", "(a)", "a*", "[a]", "a$"] {
            #expect(try !machine.perform(p0("provisionSudo", "alice", id, ",\"sudo\":true")).success)
            #expect(try !machine.perform(p0("provisionSudo", "alice", id, ",\"action\":\"revoke\"")).success)
        }
        try revoke("alice", "a.b-c_d")
        #expect(try machine.names("sudoers.d").isEmpty)
    }

    @Test(arguments: [
        #""requestId":"x/e;id;#""#, #""requestId":"x\nroot ALL=(ALL) NOPASSWD: ALL""#,
        #""requestId":"r","userName":"bob\nroot""#, #""requestId":"r","runAsUser":"root) NOPASSWD: ALL\n#""#,
        #""requestId":"../../etc/passwd""#, #""requestId":"$(id)""#,
    ])
    func p0Fault3_noFieldRunsACommandOrAddsALine(fields: String) throws {
        let name = fields.contains("userName") ? "" : "\"userName\":\"alice\","
        for command in ["provisionSudo", "provisionUser", "provisionAuthorizedKeys", "provisionCAKeys"] {
            for action in ["grant", "revoke"] {
                let key = ",\"publicKey\":\"\(TestKey.one)\",\"caPublicKey\":\"\(TestKey.one)\""
                // What a command doesn't know it passes over.
                if fields.contains("runAsUser"), command != "provisionSudo" || action == "revoke" { continue }
                let result = try machine.perform(
                    "{\"command\":\"\(command)\",\(name)\"action\":\"\(action)\",\"sudo\":true,\(fields)\(key)}"
                )
                #expect(!result.success, "\(command) \(action): \(result)")
                #expect(!result.message.holdsControlCharacters)
            }
        }
        #expect(machine.changing.isEmpty)
        #expect(try machine.names("sudoers.d").isEmpty)
    }

    @Test(arguments: ["\\n\(TestKey.two)", "\\u0000", "\\r\\n# x"])
    func p0Fault3_aKeyIsOneLineThatWeWriteOurselves(tail: String) throws {
        for command in ["provisionAuthorizedKeys", "provisionCAKeys"] {
            let field = command == "provisionCAKeys" ? "caPublicKey" : "publicKey"
            let result = try machine.perform(
                p0(command, "alice", "r", ",\"\(field)\":\"\(TestKey.one)\(tail)\""))
            #expect(!result.success, "\(result)")
        }
        #expect(try machine.keys("alice") == nil)
    }

    @Test func p0Fault4_anIdThatBeginsAnotherIsAnother() throws {
        try give("alice", "req12")
        try give("bob", "req1")
        #expect(try machine.names("sudoers.d") == ["daypass-req12@sudo", "daypass-req1@sudo"])
        try revoke("bob", "req1")
        #expect(try machine.names("sudoers.d") == ["daypass-req12@sudo"])
        #expect(try machine.keys("alice") != nil)
        #expect(try machine.keys("bob") == nil)
    }

    @Test func p0Fault5_nothingIsWrittenThroughALink() throws {
        try machine.folder.write("secret\n", to: "shadow")
        try machine.folder.makeFolder("etc/granted_keys", mode: 0o755)
        try Link.make(from: machine.folder.path("etc/granted_keys/alice"), to: machine.folder.path("shadow"))
        try Link.make(
            from: machine.folder.path("sudoers.d/daypass-r@sudo"), to: machine.folder.path("shadow"))
        for text in [
            p0("provisionAuthorizedKeys", "alice", "r", ",\"publicKey\":\"\(TestKey.one)\""),
            p0("provisionSudo", "alice", "r", ",\"sudo\":true"),
        ] {
            let result = try machine.perform(text)
            #expect(!result.success)
            #expect(result.message.contains("symbolic link"), "\(result)")
        }
        #expect(try machine.folder.readText("shadow") == "secret\n")
    }

    @Test func attack51_homesOfAccountsAreNotTouched() throws {
        try give("alice", "r")
        try revoke("alice", "r")
        #expect(try machine.names("home").isEmpty)
        #expect(!machine.changing.contains { $0.contains { $0.contains("/home") } })
    }

    @Test func p0Fault6_whatSudoWouldNotReadIsNeverInPlace() throws {
        machine.state.withLock { $0.broken = ["visudo"] }
        let result = try machine.perform(p0("provisionSudo", "alice", "r", ",\"sudo\":true"))
        #expect(!result.success)
        #expect(result.message.contains("sudo would not read"), "\(result)")
        #expect(try SystemFiles().list(machine.places.sudoersFolder) == [])
        let asked = try #require(machine.commands.last { $0[0].hasSuffix("visudo") })
        // The staged file is asked about, by a name that sudo does not read.
        #expect(asked.last?.hasSuffix("/.daypass-r@sudo.daypass-new") == true)
    }

    @Test(arguments: ["root", "daemon", "postgres", "mail-only", "nobody", "daypass-authorize", "deploy"])
    func p0Fault7_protectedAccountsAreLeftAlone(name: String) throws {
        try machine.folder.write(#"{"protected":["deploy"]}"#, to: "etc/provisioning.json", mode: 0o644)
        machine.open("s1", name, key: TestKey.oneFingerprint)
        for text in [
            p0("provisionUser", name, "r"),
            p0("provisionAuthorizedKeys", name, "r", ",\"publicKey\":\"\(TestKey.one)\""),
            p0("provisionCAKeys", name, "r", ",\"caPublicKey\":\"\(TestKey.one)\""),
            p0("provisionSudo", name, "r", ",\"sudo\":true"),
            "{\"command\":\"provisionSession\",\"userName\":\"\(name)\",\"action\":\"revoke\"}",
            "{\"command\":\"killSessions\",\"user\":\"\(name)\",\"reason\":\"x\"}",
            "{\"command\":\"grant\",\"id\":\"r\",\"user\":\"\(name)\",\"sudo\":true,\"until\":\(PretendMachine.noon + 9)}",
        ] {
            let result = try machine.perform(text)
            #expect(!result.success, "\(text): \(result)")
            #expect(result.message.contains("protected"), "\(result)")
        }
        #expect(machine.changing.isEmpty)
        #expect(machine.ended.isEmpty)
        #expect(try machine.names("sudoers.d").isEmpty)
    }

    @Test func p0Fault8_sessionsEndOneByOneAndWhatDoesNotEndIsSaid() throws {
        try give("alice", "r")
        machine.open("s1", "alice", key: TestKey.oneFingerprint)
        machine.open("s2", "alice", key: "SHA256:hers")
        machine.open("s3", "bob", key: TestKey.oneFingerprint)
        let text = p0("provisionSession", "alice", "r", ",\"action\":\"revoke\"")
        machine.state.withLock { $0.broken = ["sessions"] }
        let failed = try machine.perform(text)
        #expect(!failed.success)
        #expect(failed.message.contains("do not end"))
        let revoked = try machine.perform(
            p0("provisionAuthorizedKeys", "alice", "r", ",\"action\":\"revoke\""))
        #expect(!revoked.success, "\(revoked)")
        // Access is gone, and the end of the session is tried again until it succeeds.
        #expect(try machine.keys("alice") == nil)
        #expect(try GrantSchedule.due(SystemFiles(), machine.layout) == .always)
        machine.state.withLock { $0.broken = [] }
        try machine.sweep(at: 5)
        #expect(machine.ended == ["s1"])
        #expect(machine.state.withLock { $0.live.map(\.id) } == ["s2", "s3"])
    }

    @Test func p0Fault9_accountsDoNotOwnTheFilesOfTheirKeys() throws {
        try give("alice", "r")
        let content = try #require(try SystemFiles().read(machine.folder.path("etc/granted_keys/alice")))
        #expect(content.attributes.mode & 0o022 == 0)
        let folder = try #require(try SystemFiles().folder(machine.folder.path("etc/granted_keys")))
        #expect(folder.mode & 0o022 == 0)
        try machine.folder.write("\(TestKey.two)\n", to: "etc/granted_keys/alice", mode: 0o644)
        try machine.sweep(at: 1)
        #expect(try machine.keys("alice")?.contains(TestKey.two) == false)
    }

    @Test func p0Fault10_aGrantEndsOnTheHostItself() throws {
        let end = PretendMachine.noon + 600
        try machine.perform(
            p0(
                "provisionAuthorizedKeys", "alice", "r",
                ",\"publicKey\":\"\(TestKey.one)\",\"endTime\":\(end)"))
        machine.open("s1", "alice", key: TestKey.oneFingerprint)
        #expect(try machine.keys("alice")?.contains("expiry-time=\"20261126201000Z\"") == true)
        try machine.sweep(at: 599)
        #expect(try machine.keys("alice") != nil)
        // Nobody asked for it: the agent looks by itself, and after a start of the machine too.
        try machine.sweep(at: 600)
        #expect(try machine.keys("alice") == nil)
        #expect(machine.ended == ["s1"])
    }

    @Test func p0Fault11_aDirectorysAccountsAreNotMadeAgain() throws {
        // The name service knows her, /etc/passwd doesn't.
        machine.state.withLock {
            $0.accounts["erin"] = AccountEntry(
                name: "erin", userID: 70_001, groupID: 70_001, comment: "", home: "/home/alice",
                shell: "/bin/bash")
        }
        #expect(try machine.perform(p0("provisionUser", "erin", "r")).success)
        #expect(machine.changing.isEmpty)
        // A directory that does not answer has not forgotten anybody.
        machine.state.withLock { $0.isMute = true }
        let mute = try machine.perform(p0("provisionUser", "carol", "s"))
        #expect(!mute.success)
        #expect(mute.message.contains("does not answer"))
        #expect(machine.changing.isEmpty)
    }

    @Test func p0Fault12_aGroupThatIsThereAlreadyKeepsNoAccountFromBeingMade() throws {
        machine.state.withLock { $0.groups["carol"] = GroupEntry(groupID: 1_700, members: []) }
        machine.state.withLock { $0.broken = ["useradd"] }
        #expect(try !machine.perform(p0("provisionUser", "carol", "r")).success)
        machine.state.withLock { $0.broken = [] }
        let again = try machine.perform(p0("provisionUser", "carol", "r"))
        #expect(again.success, "\(again)")
        let made = try #require(machine.changing.last)
        // Numbers are useradd's to choose, under its own lock.
        #expect(made.contains("--no-user-group"))
        #expect(!made.contains("--uid"))
    }

    @Test func p0Fault13_namesAreComparedWholeAndNothingIsMadeUp() throws {
        machine.open("s1", "bob", key: TestKey.oneFingerprint)
        machine.open("s2", "bob-smith", key: TestKey.oneFingerprint)
        machine.state.withLock {
            $0.accounts["bob-smith"] = AccountEntry(
                name: "bob-smith", userID: 1_004, groupID: 1_004, comment: "", home: "", shell: "/bin/sh")
        }
        #expect(try machine.perform(#"{"command":"killSessions","user":"bob","reason":"x"}"#).success)
        #expect(machine.ended == ["s1"])
        #expect(
            try !machine.perform(p0("collectSudoshRecordings", "bob", "r")).success)
    }

    @Test func p0Fault14_anAuditAsksTheHostsOwnScan() throws {
        #expect(try !machine.perform(#"{"command":"runAudit","userName":"alice"}"#).success)
        #expect(try machine.perform(#"{"command":"scan"}"#).success)
        let run = try #require(machine.commands.last)
        #expect(run.prefix(4) == ["/proc/self/exe", "scan", "--format", "json"])
        #expect(!machine.commands.contains { $0[0].contains("lastlog") || $0[0].hasSuffix("/bash") })
    }

    @Test func p0Fault15_everyKeyHasAGrantAndNoPrivateKeyIsTaken() throws {
        try give("alice", "r")
        for line in try #require(try machine.keys("alice")).split(separator: "\n").dropFirst() {
            #expect(line.hasSuffix("daypass grant r"))
        }
        let secret = "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjE"
        let result = try machine.perform(
            p0("provisionAuthorizedKeys", "alice", "s", ",\"publicKey\":\"\(secret)\""))
        #expect(!result.success)
        #expect(!result.message.contains("b3BlbnNzaC1rZXktdjE"))
        try revoke("alice", "r")
        #expect(try machine.keys("alice") == nil)
    }
}

enum Link {
    static func make(from path: String, to target: String) throws {
        guard unsafe symlink(target, path) == 0 else { throw AgentError(.file, path) }
    }
}
