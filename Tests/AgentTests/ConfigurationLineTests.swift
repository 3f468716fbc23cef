// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import Testing

@Suite struct ConfigurationLineTests {
    private func words(_ line: String) throws -> [String] {
        let lines = try ConfigurationLine.parse(Array(line.utf8), name: "file")
        return lines.flatMap { [$0.keyword] + $0.arguments }
    }

    @Test(arguments: [
        ("Port 22", ["port", "22"]),
        ("  \t Port\t22  ", ["port", "22"]),
        ("Port=22", ["port", "22"]),
        ("Port = 22", ["port", "22"]),
        ("Port =22", ["port", "22"]),
        ("Port==22", ["port", "=22"]),
        ("PORT 22 # why", ["port", "22"]),
        ("Port 22#3", ["port", "22#3"]),
        ("Port 22\r", ["port", "22"]),
        ("Port 22\u{c}", ["port", "22"]),
        ("\"Port\" 22", ["port", "22"]),
        ("Banner \"/a b/c\"", ["banner", "/a b/c"]),
        ("Banner '/a b/c'", ["banner", "/a b/c"]),
        ("Banner /a\\ b", ["banner", "/a b"]),
        ("Banner \"a\\\"b\"", ["banner", "a\"b"]),
        ("AllowUsers a  b\tc", ["allowusers", "a", "b", "c"]),
        ("Unheard Of It", ["unheard", "Of", "It"]),
        ("Banner \"\"", ["banner", ""]),
        ("#Port 22", []), ("", []), ("   ", []), ("\r", []), ("# \"no end", []),
    ])
    func aLineIsSplitAsSshdSplitsIt(line: String, expected: [String]) throws {
        #expect(try words(line) == expected)
    }

    @Test(arguments: ["Port", "Port  ", "Banner \"/a", "Banner '/a", "Port 2\02"])
    func aLineThatSshdRefusesIsRefusedWithItsNumber(line: String) throws {
        let error = try #require(throws: AgentError.self) { try words("# first\n\(line)\n") }
        #expect(error.code == .sshd)
        #expect(error.reason.contains("file line 2"))
    }

    @Test func linesKeepTheirNumbersOverCommentsAndWindowsEndings() throws {
        let lines = try ConfigurationLine.parse(
            Array("# a\r\n\r\nPort 22\r\nMatch all\r\n".utf8), name: "file")
        #expect(lines.map(\.number) == [3, 4])
    }

    @Test func bytesThatAreNotUTF8AreTaken() throws {
        let lines = try ConfigurationLine.parse(Array("Banner /".utf8) + [0xff, 0x0a], name: "file")
        #expect(lines.count == 1)
    }

    @Test func everyPrefixAndEveryByteOfAConfigurationIsReadOrRefused() throws {
        let text = Array(
            "Include \"d/*.conf\" 'e'\nPort=22 # x\nMatch User a\\ b\n\tX11Forwarding\tno\r\n".utf8)
        for count in 0...text.count { _ = try? ConfigurationLine.parse(Array(text[..<count]), name: "x") }
        for index in text.indices {
            for byte in [UInt8](arrayLiteral: 0, 9, 10, 13, 32, 34, 35, 39, 61, 92, 128, 255) {
                var changed = text
                changed[index] = byte
                _ = try? ConfigurationLine.parse(changed, name: "x")
            }
        }
    }
}
