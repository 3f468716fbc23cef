// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite struct AuthorizedPrincipalTests {
    @Test(arguments: [
        ("alice", "alice"), ("  alice \t", "alice"), ("alice # the one", "alice"), ("alice#the one", "alice"),
        ("restrict,pty alice", "restrict,pty alice"), ("restrict\talice", "restrict alice"),
        ("command=\"a b\" alice@example.com", "command=\"a b\" alice@example.com"),
        ("from=\"10.0.0.0/8\"   *", "from=\"10.0.0.0/8\" *"),
    ])
    func aLineComesBack(text: String, written: String) throws {
        let parsed = try AuthorizedPrincipal(line: text)
        #expect(parsed.line == written)
        #expect(try AuthorizedPrincipal(line: parsed.line) == parsed)
    }

    @Test(arguments: [
        "alice,root", "a\"b", "alice bob", "restrict, alice", "cert-authority alice",
        "cert-authority,principals=\"a\" alice", "command=\"a # b\" alice", "restrict alice\tbob", "alice\r",
        "nosuch x y",
    ])
    func aLineThatReadersWouldReadDifferentlyIsRefused(text: String) {
        #expect(throws: SSHWireError.self) { try AuthorizedPrincipal(line: text) }
    }

    @Test(arguments: ["alice,root", "", "a b", "a\tb", "a\nb", "a\rb", "a\0", "a#b", "a\"b"])
    func attack04_aPrincipalThatWouldBeReadAsAnotherIsRefused(name: String) {
        #expect(throws: SSHWireError.self) { try AuthorizedPrincipal(ExactText(name)) }
    }

    @Test(arguments: ["alice", "é", "alice@example.com", "-x", "a\\b", "a'b", "*", "!a"])
    func attack04_aPrincipalComesBackAsItWas(name: String) throws {
        let line = try AuthorizedPrincipal(ExactText(name), options: KeyOptions([.restrict]))
        #expect(try AuthorizedPrincipal(line: line.line) == line)
    }

    @Test func attack09_anOptionThatSSHDWouldCutIsRefused() throws {
        for command: ExactText in ["a # b", "a\tb"] {
            let options = try KeyOptions([.command(command)])
            #expect(throws: SSHWireError.self) { try AuthorizedPrincipal("alice", options: options) }
        }
        let options = try KeyOptions([.command("a \"b\" \\c")])
        let line = try AuthorizedPrincipal("alice", options: options)
        #expect(try AuthorizedPrincipal(line: line.line) == line)
    }

    @Test func aFileComesBackByteForByteAndItsWindowsLinesAreNamed() throws {
        let text = "# who may\n\nalice\nrestrict bob # later\ncarol\r\ndave"
        let file = try AuthorizedPrincipalsFile(Array(text.utf8))
        #expect(file.bytes == Array(text.utf8))
        #expect(file.entries.map(\.entry.principal) == ["alice", "bob", "dave"])
        #expect(file.problems.map(\.number) == [5])
    }

    @Test func everyPrefixAndChangedByteIsRefusedOrComesBack() {
        let line = Array(#"restrict,command="a \"b\"",from="a,!b" alice@example.com"#.utf8)
        for bytes in TextVectors.prefixes(of: line) + TextVectors.changes(of: line) {
            guard let text = TextVectors.text(bytes), let parsed = try? AuthorizedPrincipal(line: text) else {
                continue
            }
            #expect((try? AuthorizedPrincipal(line: parsed.line)) == parsed)
        }
    }
}
