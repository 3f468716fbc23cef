// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import Testing

@testable import Agent

/// What a call may hold, field by field.
@Suite struct HostOperationTests {
    private func parse(_ text: String) throws -> HostOperation {
        try HostOperation(try JSONValue(parsing: Array(text.utf8), maximumBytes: 1 << 20))
    }

    private func reason(_ text: String) -> String? {
        do {
            _ = try parse(text)
            return nil
        } catch { return (error as? AgentError)?.reason }
    }

    @Test func aGrantIsReadWhole() throws {
        let operation = try parse(
            """
            {"command":"grant","id":"req-7f3a","user":"alice","createAccount":false,"keys":["\(TestKey.one) alice@laptop"],
            "principals":["alice@example.org"],"sudo":{"runAs":"deploy","commands":["/usr/bin/systemctl restart nginx"]},
            "groups":["docker"],"notBefore":"2026-11-26T20:00:00Z","until":1795730400}
            """)
        guard case .grant(let grant) = operation else { throw AgentError(.invalidRequest, "no grant") }
        #expect(grant.id.text == "req-7f3a")
        #expect(grant.account.text == "alice")
        #expect(!grant.createsAccount)
        #expect(grant.keys.map(\.text) == [TestKey.one])
        #expect(grant.principals == ["alice@example.org"])
        #expect(grant.sudo?.commands.map(\.text) == ["/usr/bin/systemctl restart nginx"])
        #expect(grant.groups.map(\.text) == ["docker"])
        #expect(grant.notBefore?.seconds == PretendMachine.noon)
        #expect(grant.until?.seconds == PretendMachine.noon + 7_200)
        // What is recorded reads back the same.
        #expect(try Grant(recorded: grant.json, .whole) == grant)
    }

    @Test(arguments: [
        (
            #"{"command":"provisionUser","userName":"alice","action":"grant","requestId":"r1"}"#,
            Grant.Part.user
        ),
        (
            #"{"command":"provisionAuthorizedKeys","userName":"alice","requestId":"r1","publicKey":"KEY"}"#,
            .keys
        ),
        (
            #"{"command":"provisionCAKeys","userName":"alice","requestId":"r1","caPublicKey":"KEY"}"#,
            .authorities
        ),
        (
            #"{"command":"provisionSudo","userName":"alice","requestId":"r1","sudo":true,"newField":[1,{"a":2}]}"#,
            .sudo
        ),
    ])
    func thePartsOfARequestOfP0AreGrantsOfTheirOwn(text: String, part: Grant.Part) throws {
        guard case .grant(let grant) = try parse(text.replacing("KEY", with: TestKey.one)) else {
            throw AgentError(.invalidRequest, "no grant")
        }
        #expect(grant.part == part)
        #expect(try Grant(recorded: grant.json, part) == grant)
        let revoked = text.replacing("KEY", with: TestKey.one).replacing(
            "\"requestId\"", with: "\"action\":\"revoke\",\"requestId\""
        ).replacing("\"action\":\"grant\",", with: "")
        #expect(try parse(revoked) == .revoke(grant.id, parts: [part]))
    }

    @Test(arguments: [
        #"{"command":"provisionAuthorizedKeys","userName":"alice","requestId":"r1","publicKey":"N/A"}"#,
        #"{"command":"provisionAuthorizedKeys","userName":"alice","requestId":"r1","publicKey":""}"#,
        #"{"command":"provisionSudo","userName":"alice","requestId":"r1","sudo":false,"runAsUser":""}"#,
    ])
    func whatP0DoesNotAskForIsSkipped(text: String) throws {
        guard case .nothing(let message) = try parse(text) else {
            throw AgentError(.invalidRequest, "something is done")
        }
        #expect(message.contains("skipping"))
    }

    @Test(arguments: [
        (#"{"command":"grant","user":"alice","until":2}"#, "id: it is missing"),
        (#"{"command":"grant","id":"a b","user":"alice"}"#, "id: 1 to 64 letters, digits and ._- expected"),
        (#"{"command":"grant","id":"a","user":"Alice"}"#, "user: a lower-case letter or _, then at most 31"),
        (#"{"command":"grant","id":"a","user":7}"#, "user: a text expected, and it is the number 7"),
        (#"{"command":"grant","id":"a","user":"alice","keys":["x"],"until":2}"#, "keys: key type"),
        (#"{"command":"grant","id":"a","user":"alice","sudo":true}"#, "until: it is missing"),
        (#"{"command":"grant","id":"a","user":"alice","until":2}"#, "the grant gives nothing"),
        (#"{"command":"grant","id":"a","user":"alice","until":2,"sudo":true,"x":1}"#, "\"x\": no field"),
        (
            #"{"command":"grant","id":"a","user":"alice","until":2,"sudo":{"commands":[]}}"#,
            "sudo.commands: empty"
        ),
        (
            #"{"command":"grant","id":"a","user":"alice","until":"yesterday","sudo":true}"#,
            "until: a time from 1970"
        ),
        (#"{"command":"grant","id":"a","user":"alice","until":-1,"sudo":true}"#, "until: a time from 1970"),
        (
            #"{"command":"grant","id":"a","user":"alice","until":2,"notBefore":2,"sudo":true}"#,
            "not after notBefore"
        ),
        (
            #"{"command":"grant","id":"a","user":"alice","until":2,"sudo":true,"groups":["a","a"]}"#,
            "groups: a twice"
        ),
        (
            #"{"command":"provisionUser","userName":"alice","action":"renew","requestId":"r"}"#,
            "action: grant or revoke"
        ),
        (#"{"command":"provisionUser","userName":"alice"}"#, "requestId: it is missing"),
        (#"{"command":"provisionCAKeys","userName":"alice","requestId":"r"}"#, "caPublicKey: it is missing"),
        (
            #"{"command":"provisionSession","userName":"alice","action":"grant"}"#,
            "provisionSession knows revoke only"
        ),
        (#"{"command":"killSessions","reason":"x"}"#, "session, user or grant: one of them"),
        (#"{"command":"killSessions","session":"abc","reason":"x"}"#, "session: 32 lower-case hexadecimal"),
        (#"{"command":"revocations","version":"1","krl":"!","signature":"x"}"#, "krl: not strict base64"),
        (#"{"command":"trust","statement":"{}"}"#, "signature: it is missing"),
        (#"[1]"#, "data: an object expected, and it is an array of 1"),
    ])
    func whatIsRefusedNamesTheFieldAndWhatCame(text: String, expected: String) {
        let reason = reason(text)
        #expect(reason?.contains(expected) ?? false, "\(reason ?? "taken")")
        #expect(reason?.holdsControlCharacters == false)
    }

    @Test(arguments: [
        "/bin/sh;id", "systemctl", "/usr/bin/*", "/usr/bin/a,/bin/sh", "/usr/bin/a !root", "/usr/bin/",
        "/usr/bin/a  b",
        "/usr/bin/../sh", "/usr/bin/a\nb", "/usr/bin/a=b", "/usr/bin/a\\", "",
    ])
    func attack08_aCommandOfSudoIsAPathAndPlainWords(text: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try SudoRule.Command(text) }
    }

    @Test func attack72_noOperationRunsAProgramOfTheServersChoice() throws {
        for name in [
            "exec", "run", "shell", "runScript", "runAudit", "collectSudoshRecordings", "listUsers", "upload",
            "",
        ] {
            #expect(throws: AgentError(.invalidRequest, "")) {
                try parse(
                    "{\"command\":\"\(name)\",\"script\":\"id\",\"userName\":\"alice\",\"requestId\":\"r\"}")
            }
        }
    }

    @Test func everyPrefixOfAGrantIsRefused() throws {
        let text = #"{"command":"grant","id":"a","user":"alice","until":1795730400,"sudo":true}"#
        _ = try parse(text)
        for count in 0..<text.utf8.count {
            #expect(throws: (any Error).self) {
                try parse(String(decoding: text.utf8.prefix(count), as: UTF8.self))
            }
        }
    }

    @Test(arguments: [
        ("a.b", "a+b"), ("..", "++"), ("a-b_c", "a-b_c"), (".hidden", "+hidden"), ("x~", nil as String?),
    ])
    func noTwoGrantsShareAFile(id: String, expected: String?) {
        #expect((try? GrantID(id))?.fileName == expected)
    }
}
