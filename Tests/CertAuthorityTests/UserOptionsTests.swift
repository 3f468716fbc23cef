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

    @Test(
        arguments: [
            .flag(.permitPTY), .flag(.permitAgentForwarding), .text(.permitX11Forwarding, "x"),
            .text(.forceCommand, "id"), .text(.sourceAddress, "0.0.0.0/0"), .flag(.verifyRequired),
            .text(.noTouchRequired, "x"), .flag(""), .flag("a b"), .flag("a\nb"), .flag("a,b"),
            .flag("\u{e9}"),
            .flag(ExactText(String(repeating: "a", count: 257))), .text("a", ""), .text("a", "b\nc"),
            .text("a", String(repeating: "x", count: 4_097)),
            CertificateOption(name: "a", rawData: [1, 2, 3]),
        ] as [CertificateOption])
    func attack06_anExtensionThatWasNotParsedIsHeldToTheSameRules(option: CertificateOption) throws {
        #expect(try refusalCode { _ = try UserOptions(extensions: [option]) } == .invalidRequest)
    }

    @Test func thereAreAtMostAsManyExtensionsAsACertificateHolds() throws {
        let options = (0..<256).map { CertificateOption.flag(ExactText("x\($0)")) }
        #expect(
            try refusalCode { _ = try UserOptions(permissions: [.pty], extensions: options) }
                == .invalidRequest)
        let most = try UserOptions(permissions: [.pty], extensions: Array(options.dropLast()))
        #expect(most.extensions.count == 255)
    }

    @Test func thereAreAtMostAsManyAddressesAsAJudgeReads() throws {
        let blocks = try (0..<1_025).map { try AddressBlock("10.0.\($0 / 256).\($0 % 256)") }
        #expect(try refusalCode { _ = try UserOptions(sourceAddresses: blocks) } == .invalidRequest)
        #expect(try UserOptions(sourceAddresses: Array(blocks.dropLast())).sourceAddresses.count == 1_024)
    }
}
