// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import Testing

@testable import CertAuthority

@Suite("What an access policy says to people")
struct AccessExplanationTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Snapshots")

    private static func snapshot(_ name: String) throws -> String {
        String(
            decoding: try FileIO.read(folder.appending(path: name).path(), maximumBytes: 1 << 20),
            as: UTF8.self)
    }

    /// DAYPASS_WRITE_SNAPSHOTS=1 writes what comes out; look at the difference before it is committed.
    @Test func theAnswersOfARealisticPolicyAreThoseOfTheSnapshot() throws {
        let policy = try AccessPolicy(
            yaml: try Self.snapshot("access-policy.yaml"), name: "access-policy.yaml")
        var text = ""
        for test in policy.tests {
            text += "# \(test.name)\n\n\(policy.explain(test.request).text)\n"
        }
        if ProcessInfo.processInfo.environment["DAYPASS_WRITE_SNAPSHOTS"] == "1" {
            try text.write(
                to: Self.folder.appending(path: "access-policy.txt"), atomically: true, encoding: .utf8)
        }
        let expected = try Self.snapshot("access-policy.txt")
        for (line, wanted) in zip(text.split(separator: "\n"), expected.split(separator: "\n"))
        where line != wanted {
            Issue.record("\(line)\nexpected: \(wanted)")
            return
        }
        #expect(text == expected)
    }

    @Test func aRefusalNamesTheRuleWhatIsMissingAndHowToGetIt() throws {
        let policy = try AccessSample.allowing("{groups: on-call}, {key_type: hardware}")
        let decision = try policy.decide(AccessSample.request())
        #expect(
            decision.reasons == [
                "rule r needs that groups has on-call (found: sre): ask whoever manages the groups at corp",
                "rule r needs that key_type is in a FIDO authenticator (found: ssh-ed25519): make such a key with "
                    + "ssh-keygen -t ed25519-sk",
            ])
    }

    static let hostile = "x\u{1b}[2J\u{202e}\u{2028}\u{7}y"

    /// Everything that comes from an identity provider or a request, in one answer.
    @Test(arguments: [
        "ssh_username: x", "email: x", "groups: x", "claim/a: x", "provider: x", "domain: x", "user: x",
        "ssh_username_matches_email: true", "ssh_username_matches_claim: a", "authentication_age: {max: 1s}",
    ])
    func attack39_anExplanationEscapesWhatItQuotes(criterion: String) throws {
        let hostile = Self.hostile
        let request = try AccessSample.request {
            $0.person = Person(
                identity: try Identity("alice"), provider: hostile, subject: hostile, email: "a@\(hostile)",
                groups: [hostile], claims: .mapping(["a": .list([.text(hostile)])]),
                authenticatedAt: AccessSample.now)
            $0.reason = hostile
            $0.forceCommand = hostile
        }
        for more in [
            "", ", certificate: {principals: ['{claim.a}', '{email}']}", ", certificate: {force_command: a}",
        ] {
            let policy = try AccessSample.allowing("{\(criterion)}, {authenticated_user: true}", more: more)
            for login in ["deploy", hostile] {
                var request = request
                request.login = login
                let explained = policy.explain(request)
                let lines = explained.text.split(separator: "\n") + explained.decision.reasons.map { $0[...] }
                for line in lines { #expect(!String(line).holdsControlCharacters) }
            }
        }
    }

    @Test func namesInAPolicyThatActOnATerminalAreRefusedOrEscaped() {
        let refusal = AccessSample.refusal("version: 1\n\"a\\e[2J\": 1\n")
        #expect(refusal?.holdsControlCharacters == false)
        #expect(
            AccessSample.refusal("version: 1\nrules: [{name: \"a\\e[2J\"}]\n")?.holdsControlCharacters
                == false)
    }
}
