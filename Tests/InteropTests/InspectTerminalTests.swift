// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

#if os(Linux)
    /// With util-linux's script(1), which gives a program a terminal.
    @Suite("daypass inspect: terminals")
    struct InspectTerminalTests {
        private func onTerminal(_ tools: InspectTools, _ environment: [String: String]) throws -> String {
            let program = try BuiltProduct.path("daypass")
            let result = try Tool.run(
                "script", ["-qec", "'\(program)' inspect --at @1500000 cert.pub", "/dev/null"],
                environment: Tool.environment(
                    adding: ["HOME": tools.folder.path].merging(environment) { $1 }),
                in: tools.folder.path)
            #expect(result.status == 0, "\(result)")
            return result.stdoutText
        }

        @Test func aTerminalGetsColourAndABarAndAPipeNeither() throws {
            let tools = try InspectTools()
            try tools.makeCertificate("cert.pub") { _ in }
            let bar = "[####################--------------------]"
            let shown = try onTerminal(tools, ["NO_COLOR": ""])
            #expect(shown.contains("\u{1b}[32mvalid\u{1b}[0m"))
            #expect(shown.contains("\u{1b}[32m\(bar)\u{1b}[0m"))
            let piped = try tools.daypass(["inspect", "--at", "@1500000", "cert.pub"])
            #expect(!piped.stdoutText.contains("\u{1b}"))
            #expect(!piped.stdoutText.contains("[#"))
        }

        @Test func noColourWhereNobodyWantsIt() throws {
            let tools = try InspectTools()
            try tools.makeCertificate("cert.pub") { _ in }
            let shown = try onTerminal(tools, ["NO_COLOR": "1"])
            #expect(!shown.contains("\u{1b}"))
            #expect(shown.contains("[####################--------------------]"))
        }
    }
#endif
