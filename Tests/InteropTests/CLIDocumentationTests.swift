// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@Suite("docs/cli.md")
struct CLIDocumentationTests {
    /// What is known of one command: the names of its options ("--home", "-o").
    private typealias Options = Set<String>

    /// Options that every command has; described once.
    private static let common: Options = ["-h", "--help", "--version"]

    /// Asks the program for help about a command and everything below it.
    private func helped(_ path: [String] = []) throws -> [String: Options] {
        let result = try Tool.run(try BuiltProduct.path("daypass"), path + ["--help"]).orThrow("help")
        var commands: [String: Options] = [:]
        var options: Options = []
        var section = ""
        for line in result.stdoutText.split(separator: "\n") {
            if line.hasSuffix(":"), !line.hasPrefix(" ") {
                section = String(line)
            } else if line.hasPrefix("  -"), section == "OPTIONS:" {
                options.formUnion(names(String(line)))
            } else if section == "SUBCOMMANDS:", line.hasPrefix("  "), !line.hasPrefix("   "),
                let name = line.split(separator: " ").first, name != "See"
            {
                commands.merge(try helped(path + [String(name)])) { $1 }
            }
        }
        commands[(["daypass"] + path).joined(separator: " ")] = options.subtracting(Self.common)
        return commands
    }

    /// The options at the start of a line of help or between a table row's first backticks: "-o FILE", "-h, --help".
    private func names(_ text: String) -> Options {
        Set(
            text.split(whereSeparator: { " ,".contains($0) }).prefix { $0.hasPrefix("-") }.map(String.init))
    }

    /// Reads the headings and tables of the page.
    private func documented() throws -> [String: Options] {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/cli.md").standardized
        var commands: [String: Options] = [:]
        var command: String?
        for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("#") {
                let title = line.drop { $0 == "#" || $0 == " " }
                command = title.hasPrefix("`daypass") ? String(title.dropFirst().dropLast()) : nil
                if let command { commands[command] = [] }
            } else if let command, line.hasPrefix("| `-") {
                commands[command]?.formUnion(names(String(line.dropFirst(3).prefix { $0 != "`" })))
            }
        }
        return commands
    }

    @Test func everyCommandAndOptionIsDocumentedAndNoOther() throws {
        let helped = try helped()
        let documented = try documented()
        #expect(helped.count > 15)
        #expect(Set(helped.keys) == Set(documented.keys))
        for (command, options) in helped {
            #expect(documented[command] == options, "\(command)")
        }
    }
}
