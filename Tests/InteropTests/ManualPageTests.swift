// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@Suite("Manual pages")
struct ManualPageTests {
    private struct Help: Decodable {
        struct Command: Decodable {
            let commandName: String
            let arguments: [Argument]?
            let subcommands: [Command]?
            let shouldDisplay: Bool
        }

        struct Argument: Decodable {
            struct Name: Decodable { let name: String }

            let names: [Name]?
            let shouldDisplay: Bool
        }

        let command: Command
    }

    @Test(arguments: ["daypass", "daypassd", "daypass-agent"])
    func theyHaveEveryCommandAndOptionAndMandocReadsThem(program: String) throws {
        let path = try BuiltProduct.path(program)
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../scripts/man")
            .standardized.path
        let page = try Tool.run(script, [path]).orThrow("scripts/man")
        let folder = try TemporaryFolder()
        let file = try folder.write(page.stdoutText, to: "page")
        let lint = try Tool.run("mandoc", ["-Tlint", "-Wwarning", file])
        #expect(lint.succeeded && lint.stdoutText.isEmpty, "\(lint)")
        let text = try Tool.run("mandoc", ["-Tascii", "-O", "width=200", file]).orThrow("mandoc").stdoutText
            .replacing(/.\u{8}/, with: "")
        let help = try JSONDecoder().decode(
            Help.self,
            from: Data(try Tool.run(path, ["--experimental-dump-help"]).orThrow("help").stdout))
        try check(help.command, [], in: text)
        #expect(text.contains("SEE ALSO"))
    }

    private func check(_ command: Help.Command, _ path: [String], in text: String) throws {
        for argument in command.arguments ?? [] where argument.shouldDisplay {
            for name in argument.names ?? [] where name.name.count > 1 && name.name != "version" {
                #expect(text.contains("--\(name.name)"), "\(path) \(name.name)")
            }
        }
        let inner = (command.subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
        if inner.isEmpty { #expect(text.contains("\n   \(path.joined(separator: " "))\n"), "\(path)") }
        for sub in inner { try check(sub, path + [sub.commandName], in: text) }
    }
}
