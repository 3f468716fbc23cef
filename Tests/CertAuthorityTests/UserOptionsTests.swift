// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@Suite("Options of user certificates")
struct UserOptionsTests {
    @Test func nothingIsAllowedButATerminalUnlessAskedFor() throws {
        let options = try UserOptions()
        #expect(options.permissions == [.pty])
        #expect(options.forceCommand == nil)
        #expect(options.extensions.isEmpty)
    }

    @Test(arguments: [
        "", "  ", "a\nb", "a\0b", "a\u{1b}[0m", "a\u{202e}b", String(repeating: "x", count: 4_097),
    ])
    func aCommandThatIsNoSingleLineIsRefused(command: String) throws {
        #expect(try refusalCode { _ = try UserOptions(forceCommand: command) } == .invalidRequest)
    }

    @Test func theLongestCommandIsTaken() throws {
        let command = String(repeating: "x", count: 4_096)
        #expect(try UserOptions(forceCommand: command).forceCommand == command)
    }

    @Test func anExtensionIsAFlagOrAText() throws {
        let flag = try UserOptions.parseExtension("login@github.com")
        #expect(flag == .flag("login@github.com"))
        let text = try UserOptions.parseExtension("login@github.com=alice=admin")
        #expect(text == .text("login@github.com", "alice=admin"))
        #expect(try UserOptions.parseExtension("no-touch-required") == .flag(.noTouchRequired))
    }

    @Test(arguments: [
        "", "=x", "a b", "a,b", "a\nb", "é", "a=", "a= ", "a=b\nc", "no-touch-required=1", "permit-pty",
        "permit-X11-forwarding", "permit-agent-forwarding=x", "force-command", "force-command=id",
        "source-address=0.0.0.0/0", "verify-required", String(repeating: "a", count: 257),
        "a=" + String(repeating: "x", count: 4_097),
    ])
    func anExtensionThatSaysSomethingElseHereIsRefused(text: String) throws {
        #expect(try refusalCode { _ = try UserOptions.parseExtension(text) } == .invalidRequest)
    }

    @Test func anExtensionIsGivenOnce() throws {
        let option = try UserOptions.parseExtension("a@b=1")
        let other = try UserOptions.parseExtension("a@b=2")
        #expect(try refusalCode { _ = try UserOptions(extensions: [option, other]) } == .invalidRequest)
        #expect(try UserOptions(extensions: [option]).extensions == [option])
    }

    @Test func whatOnlyAnAuthenticatorCanKeepIsRefusedForOtherKeys() throws {
        let touch = try UserOptions(extensions: [.flag(.noTouchRequired)])
        let verify = try UserOptions(verifyRequired: true)
        for options in [touch, verify] {
            #expect(try refusalCode { _ = try Sample.userRequest(options: options) } == .invalidRequest)
            let key = try PublicKey(.skEd25519(SampleKey(seed: 3).publicBytes, application: "ssh:"))
            let request = try IssuanceRequest(
                key: key, subject: .user(options), identity: try Identity("alice"),
                principals: try PrincipalSet(users: ["alice"]), requester: try Identity("alice"))
            #expect(request.kind == .user)
        }
    }
}
