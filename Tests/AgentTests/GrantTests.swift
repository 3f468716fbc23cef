// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// Grants on a host of a test's own.
@Suite struct GrantTests {
    private let machine: PretendMachine

    init() throws { machine = try PretendMachine() }

    private func grant(_ id: String, of user: String = "alice", _ rest: String, until: UInt64 = 3_600)
        -> String
    {
        "{\"command\":\"grant\",\"id\":\"\(id)\",\"user\":\"\(user)\",\(rest),\"until\":\(PretendMachine.noon + until)}"
    }

    @Test func aGrantIsThereWholeAndGoesWhole() throws {
        let all =
            "\"keys\":[\"\(TestKey.one) my laptop\"],\"sudo\":{\"commands\":[\"/usr/bin/id\",\"/bin/cat /etc/motd\"]},\"groups\":[\"docker\"]"
        let result = try machine.perform(grant("req.1", all))
        #expect(result.success, "\(result)")
        #expect(result.message == "granted: req.1 to alice until 2026-11-26T21:00:00Z")
        #expect(
            try machine.keys("alice")
                == "# Made by daypass-agent of the grants in force. What is changed here is changed back.\n"
                + "expiry-time=\"20261126210000Z\" \(TestKey.one) daypass grant req.1\n")
        #expect(try machine.names("sudoers.d") == ["daypass-req+1"])
        #expect(
            try machine.folder.readText("sudoers.d/daypass-req+1")
                == "# Made by daypass-agent for grant req.1; it goes with the grant.\n"
                + "alice ALL=(ALL:ALL) NOTAFTER=20261126210000Z NOPASSWD: /usr/bin/id \"\", /bin/cat /etc/motd\n"
        )
        #expect(try machine.folder.mode(of: "sudoers.d/daypass-req+1") == 0o440)
        #expect(try machine.folder.mode(of: "etc/granted_keys/alice") == 0o644)
        #expect(try machine.folder.mode(of: "etc/granted_keys") == 0o755)
        #expect(try machine.folder.mode(of: "state/grants/req+1.json") == 0o600)
        #expect(machine.state.withLock { $0.groups["docker"]?.members } == ["alice"])

        let revoked = try machine.perform(#"{"command":"revokeGrant","id":"req.1"}"#, at: 60)
        #expect(revoked == HostOutcome(success: true, message: "revoked: req.1"))
        #expect(try machine.keys("alice") == nil)
        #expect(try machine.names("sudoers.d").isEmpty)
        #expect(machine.state.withLock { $0.groups["docker"]?.members } == [])
        #expect(try machine.sweep(at: 61) == nil)
    }

    @Test func theSameGrantAgainChangesNothingAndAnotherUnderItsNameIsRefused() throws {
        let one = grant("r", "\"keys\":[\"\(TestKey.one)\"]")
        try machine.perform(one)
        let before = try machine.folder.read("state/grants/r.json")
        let again = try machine.perform(one, at: 5)
        #expect(again.message == "granted already: r to alice until 2026-11-26T21:00:00Z")
        #expect(try machine.folder.read("state/grants/r.json") == before)
        let other = try machine.perform(grant("r", "\"keys\":[\"\(TestKey.two)\"]"))
        #expect(!other.success)
        #expect(other.message.contains("asked for already, with another content"))
        #expect(try machine.keys("alice")?.contains(TestKey.two) == false)
    }

    @Test func aCallThatComesAgainAfterTheEndGivesNothingBack() throws {
        let one = grant("r", "\"keys\":[\"\(TestKey.one)\"]")
        try machine.perform(one)
        try machine.perform(#"{"command":"revokeGrant","id":"r"}"#)
        let late = try machine.perform(one)
        #expect(!late.success)
        #expect(late.message.contains("it has ended (it was revoked), and does not come back"))
        #expect(try machine.keys("alice") == nil)
        // The name is remembered for a week.
        try machine.sweep(at: 8 * 86_400)
        #expect(try machine.names("state/grants").isEmpty)
    }

    @Test func revokingWhatIsNotThereSaysSo() throws {
        let result = try machine.perform(#"{"command":"revokeGrant","id":"never"}"#)
        #expect(
            result == HostOutcome(success: true, message: "nothing to revoke: no grant never is known"))
    }

    @Test func aDryRunShowsExactlyWhatIsDoneAndChangesNothing() throws {
        let text = grant("r", of: "carol", "\"keys\":[\"\(TestKey.one)\"],\"sudo\":true")
        let shown = try machine.perform(text, dryRun: true)
        #expect(shown.success)
        let plan = try #require(shown.output)
        for part in [
            "make \(machine.layout.grants)/r.json", "run /usr/sbin/useradd --create-home",
            "make \(machine.places.sudoersFolder)/daypass-r", "make \(machine.layout.grantKeys)/carol",
            "+carol ALL=(ALL:ALL) NOTAFTER=20261126210000Z NOPASSWD: ALL",
        ] { #expect(plan.contains(part), "\(part) in \(plan)") }
        #expect(machine.changing.isEmpty)
        #expect(try machine.names("state").isEmpty)
        #expect(try machine.names("etc").isEmpty)
        #expect(try machine.perform(text).success)
    }

    @Test func aGrantForLaterWaits() throws {
        let text =
            "{\"command\":\"grant\",\"id\":\"r\",\"user\":\"alice\",\"sudo\":true,\"notBefore\":\(PretendMachine.noon + 100),"
            + "\"until\":\(PretendMachine.noon + 200)}"
        #expect(try machine.perform(text).success)
        #expect(try machine.names("sudoers.d").isEmpty)
        #expect(try GrantSchedule.due(SystemFiles(), machine.layout)?.seconds == PretendMachine.noon + 100)
        try machine.sweep(at: 100)
        #expect(
            try machine.folder.readText("sudoers.d/daypass-r").contains(
                "NOTBEFORE=20261126200140Z NOTAFTER=20261126200320Z"))
        #expect(try GrantSchedule.due(SystemFiles(), machine.layout)?.seconds == PretendMachine.noon + 200)
        try machine.sweep(at: 200)
        #expect(try machine.names("sudoers.d").isEmpty)
    }

    @Test func twoGrantsThatNeedTheSameDoNotDisturbEachOther() throws {
        let rest = "\"keys\":[\"\(TestKey.one)\"],\"groups\":[\"docker\"]"
        try machine.perform(grant("first", rest))
        try machine.perform(grant("second", rest, until: 7_200))
        machine.open("a1", "alice", key: TestKey.oneFingerprint)
        try machine.perform(#"{"command":"revokeGrant","id":"first"}"#)
        #expect(try machine.keys("alice")?.contains("daypass grant second") == true)
        #expect(try machine.keys("alice")?.contains("daypass grant first") == false)
        #expect(machine.state.withLock { $0.groups["docker"]?.members } == ["alice"])
        // The second one still lets the session in.
        #expect(machine.ended.isEmpty)
        try machine.sweep(at: 7_200)
        #expect(machine.state.withLock { $0.groups["docker"]?.members } == [])
        #expect(machine.ended == ["a1"])
    }

    @Test func whatTheAgentsOwnLookDoesWhileSessionsEndIsDone() throws {
        try machine.perform(grant("r", "\"keys\":[\"\(TestKey.one)\"]"))
        machine.open("a1", "alice", key: TestKey.oneFingerprint)
        let machine = machine
        machine.state.withLock { $0.meanwhile = { _ = try? machine.sweep(at: 61) } }
        let revoked = try machine.perform(#"{"command":"revokeGrant","id":"r"}"#, at: 60)
        #expect(revoked.success && revoked.message == "revoked: r", "\(revoked)")
        #expect(machine.ended == ["a1"])
        #expect(try machine.sweep(at: 62) == nil, "nothing is left to be done")
    }

    @Test func aGroupThatTheAccountWasInBeforeStays() throws {
        machine.state.withLock { $0.groups["docker"]?.members = ["alice"] }
        try machine.perform(grant("r", "\"groups\":[\"docker\"]"))
        try machine.perform(#"{"command":"revokeGrant","id":"r"}"#)
        #expect(machine.state.withLock { $0.groups["docker"]?.members } == ["alice"])
    }

    @Test func anAccountThatWasMadeIsLockedAndOpenedAgain() throws {
        try machine.perform(grant("r", of: "carol", "\"keys\":[\"\(TestKey.one)\"]"))
        machine.open("c1", "carol", key: "SHA256:another")
        try machine.perform(#"{"command":"revokeGrant","id":"r"}"#)
        #expect(machine.state.withLock { $0.expired } == ["carol"])
        // Nobody else uses the account: what else is logged in to it ends too.
        #expect(machine.ended == ["c1"])
        try machine.perform(grant("r2", of: "carol", "\"keys\":[\"\(TestKey.one)\"]"))
        #expect(machine.state.withLock { $0.expired }.isEmpty)
        #expect(machine.state.withLock { $0.accounts["carol"] } != nil)
    }

    @Test(arguments: ["delete", "archive"])
    func aLockedAccountIsDeletedWhenItsTimeHasCome(removal: String) throws {
        try machine.folder.write(
            "{\"removal\":\"\(removal)\",\"keptDays\":2}", to: "etc/provisioning.json", mode: 0o644)
        try machine.perform(grant("r", of: "carol", "\"sudo\":true"))
        try machine.sweep(at: 3_600)
        #expect(machine.state.withLock { $0.accounts["carol"] } != nil)
        try machine.sweep(at: 3_600 + 2 * 86_400 - 1)
        #expect(machine.state.withLock { $0.accounts["carol"] } != nil)
        #expect(
            try GrantSchedule.due(SystemFiles(), machine.layout)?.seconds
                == PretendMachine.noon + 3_600 + 2 * 86_400)
        try machine.sweep(at: 3_600 + 2 * 86_400)
        #expect(machine.state.withLock { $0.accounts["carol"] } == nil)
        #expect(try machine.names("state/grant-accounts").isEmpty)
    }

    @Test func anAccountOfAnotherOriginIsNeverLockedOrDeleted() throws {
        try machine.folder.write(
            "{\"removal\":\"delete\",\"keptDays\":0}", to: "etc/provisioning.json", mode: 0o644)
        try machine.perform(grant("r", "\"sudo\":true"))
        try machine.perform(grant("s", of: "carol", "\"sudo\":true"))
        // Somebody deletes it, and makes another one of the same name.
        machine.state.withLock {
            $0.accounts["carol"] = AccountEntry(
                name: "carol", userID: 1_500, groupID: 1_500, comment: "Carol", home: "/home/carol",
                shell: "/bin/bash")
        }
        try machine.sweep(at: 3_600)
        try machine.sweep(at: 3_601)
        #expect(machine.state.withLock { $0.accounts["alice"] != nil && $0.accounts["carol"] != nil })
        #expect(machine.state.withLock { $0.expired }.isEmpty)
    }

    @Test func theHostsOwnKeyIsNotWhereGrantsAreSwept() throws {
        let layout = HostLayout()
        for swept in layout.swept {
            #expect(!(AgentConfiguration.defaultKeyFolder + "/").hasPrefix(swept + "/"))
            #expect(!(swept + "/").hasPrefix(AgentConfiguration.defaultKeyFolder + "/"))
        }
        // As they lie by default: the key's folder beside the others.
        let name = try #require(AgentConfiguration.defaultKeyFolder.split(separator: "/").last)
        try machine.folder.makeFolder("etc/\(name)", mode: 0o700)
        try machine.folder.write("{}", to: "etc/\(name)/jwk.private.json", mode: 0o600)
        try machine.perform(grant("r", "\"keys\":[\"\(TestKey.one)\"]"))
        try machine.sweep(at: 1)
        try machine.perform(#"{"command":"revokeGrant","id":"r"}"#)
        try machine.sweep(at: 2)
        #expect(try machine.folder.readText("etc/\(name)/jwk.private.json") == "{}")
        #expect(try machine.folder.mode(of: "etc/\(name)") == 0o700)
    }

    @Test func whatSomebodyChangesIsChangedBack() throws {
        try machine.perform(grant("r", "\"keys\":[\"\(TestKey.one)\"],\"sudo\":true"))
        let (keys, sudo) = (try machine.keys("alice"), try machine.folder.readText("sudoers.d/daypass-r"))
        try machine.folder.write("\(TestKey.two)\n", to: "etc/granted_keys/alice", mode: 0o644)
        try machine.folder.write("\(TestKey.two)\n", to: "etc/granted_keys/bob", mode: 0o644)
        try machine.folder.write("bob ALL=(ALL) NOPASSWD: ALL\n", to: "sudoers.d/daypass-x", mode: 0o440)
        try machine.folder.write("bob ALL=(ALL) ALL\n", to: "sudoers.d/admins", mode: 0o440)
        try machine.folder.write(sudo, to: "sudoers.d/daypass-r", mode: 0o644)
        let status = try machine.perform(#"{"command":"status"}"#)
        #expect(status.message == "1 grants; 4 things to mend, 0 problems", "\(status)")
        let done = try #require(try machine.sweep(at: 1))
        #expect(done.steps.count == 4)
        #expect(try machine.keys("alice") == keys)
        #expect(try machine.keys("bob") == nil)
        #expect(try machine.names("sudoers.d") == ["admins", "daypass-r"])
        #expect(try machine.folder.mode(of: "sudoers.d/daypass-r") == 0o440)
    }

    @Test func oneGrantsTroubleKeepsNoOtherOneWaiting() throws {
        try machine.perform(grant("good", of: "bob", "\"sudo\":true"))
        machine.state.withLock { $0.broken = ["useradd"] }
        let bad = try machine.perform(grant("bad", of: "carol", "\"sudo\":true"))
        #expect(!bad.success)
        #expect(bad.message.contains("nothing is granted"), "\(bad)")
        #expect(try machine.names("sudoers.d") == ["daypass-good"])
        #expect(try machine.names("state/grants") == ["good.json"])
        machine.state.withLock { $0.broken = ["useradd", "usermod", "gpasswd"] }
        #expect(try machine.perform(#"{"command":"revokeGrant","id":"good"}"#).success)
        // It can be asked for again when the trouble is over.
        machine.state.withLock { $0.broken = [] }
        #expect(try machine.perform(grant("bad", of: "carol", "\"sudo\":true")).success)
    }

    @Test func aFullDiskKeepsNobodyIn() throws {
        try machine.perform(grant("r", "\"keys\":[\"\(TestKey.one)\"],\"sudo\":true"))
        machine.open("s1", "alice", key: TestKey.oneFingerprint)
        let full = Provisioner(machine.host(files: FullFiles()), lockSeconds: 2)
        let data = JSONValue.object([.init("command", "revokeGrant"), .init("id", "r")])
        let result = full.perform(data, at: PretendMachine.moment(1))
        // It says that not all is done: the name is not remembered.
        #expect(!result.success)
        #expect(try machine.keys("alice") == nil)
        #expect(try machine.names("sudoers.d").isEmpty)
        #expect(machine.ended == ["s1"])
        #expect(try machine.names("state/grants").isEmpty)
        #expect(try machine.sweep(at: 2) == nil)
    }

    @Test func aGrantThatIsOverEndsOnAFullDisk() throws {
        try machine.perform(grant("r", "\"keys\":[\"\(TestKey.one)\"],\"sudo\":true"))
        machine.open("s1", "alice", key: TestKey.oneFingerprint)
        let full = Provisioner(machine.host(files: FullFiles()), lockSeconds: 2)
        #expect(throws: AgentError(.full, "")) { try full.sweep(at: PretendMachine.moment(3_600)) }
        #expect(try machine.keys("alice") == nil)
        #expect(try machine.names("sudoers.d").isEmpty)
        #expect(machine.ended == ["s1"])
    }

    @Test func aRecordThatCannotBeReadGivesNothing() throws {
        try machine.perform(grant("r", "\"keys\":[\"\(TestKey.one)\"],\"sudo\":true"))
        try machine.folder.write("{\"format\":1", to: "state/grants/r.json")
        try machine.sweep(at: 1)
        #expect(try machine.keys("alice") == nil)
        #expect(try machine.names("sudoers.d").isEmpty)
        let status = try machine.perform(#"{"command":"status"}"#)
        #expect(status.output?.contains("no record of a grant") == true)
    }

    @Test func aCopiedRecordGivesNothingASecondTime() throws {
        try machine.perform(grant("r", "\"sudo\":true"))
        try machine.folder.write(try machine.folder.read("state/grants/r.json"), to: "state/grants/s.json")
        try machine.perform(#"{"command":"revokeGrant","id":"r"}"#)
        #expect(try machine.names("sudoers.d").isEmpty)
    }

    @Test func oldServersGetTimesInTheHostsOwnZone() throws {
        let old = try PretendMachine(release: "OpenSSH_8.9p1 Ubuntu-3")
        try old.perform(grant("r", "\"keys\":[\"\(TestKey.one)\"]"))
        let line = try #require(try old.keys("alice")?.split(separator: "\n").last)
        // sshd before 9.1 refuses a line whose time has a Z.
        #expect(line.hasPrefix("expiry-time=\"2026112"))
        #expect(!line.contains("Z\""))
    }

    @Test func theHostsAdministratorChoosesTheOperations() throws {
        try machine.folder.write(
            #"{"operations":["status","revokeGrant"]}"#, to: "etc/provisioning.json", mode: 0o644)
        #expect(try machine.perform(#"{"command":"status"}"#).success)
        let refused = try machine.perform(grant("r", "\"sudo\":true"))
        #expect(refused.message.contains("provisioning.json does not allow it"))
    }

    @Test(arguments: [
        #"{"protected":["deploy"],"removal":"burn"}"#, #"{"protect":["deploy"]}"#, "{", #"{"keptDays":-1}"#,
        #"{"operations":["exec"]}"#, #"{"shell":"bash"}"#,
    ])
    func settingsThatCannotBeReadWholeGiveNothing(text: String) throws {
        try machine.perform(grant("before", of: "bob", "\"sudo\":true"))
        try machine.folder.write(text, to: "etc/provisioning.json", mode: 0o644)
        #expect(try !machine.perform(grant("r", "\"sudo\":true")).success)
        // Access ends all the same.
        try machine.sweep(at: 3_600)
        #expect(try machine.names("sudoers.d").isEmpty)
    }

    @Test func attack51_settingsThatOthersMayWriteAreNotRead() throws {
        try machine.folder.write("{}", to: "etc/provisioning.json", mode: 0o666)
        let result = try machine.perform(grant("r", "\"sudo\":true"))
        #expect(result.message.contains("others than root may change it"))
    }
}

/// Files on a disk that takes nothing more.
private struct FullFiles: HostFiles {
    private let files = SystemFiles()

    func kind(_ path: String) throws(AgentError) -> FileKind? { try files.kind(path) }
    func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent? {
        try files.read(path, maximumBytes: maximumBytes)
    }
    func folder(_ path: String) throws(AgentError) -> FileAttributes? { try files.folder(path) }
    func list(_ path: String) throws(AgentError) -> [String]? { try files.list(path) }
    func create(_ path: String, _ content: FileContent) throws(AgentError) {
        throw AgentError(.full, "no space left on device")
    }
    func rename(_ from: String, to path: String) throws(AgentError) { try files.rename(from, to: path) }
    func remove(_ path: String) throws(AgentError) { try files.remove(path) }
    func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        throw AgentError(.full, "no space left on device")
    }
    func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        try files.changeFolder(path, attributes)
    }
    func removeFolder(_ path: String) throws(AgentError) { try files.removeFolder(path) }
}
