// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@Suite struct AgentProgramTests {
    @Test func theProgramSaysItsVersion() throws {
        let result = try Tool.run(BuiltProduct.path("daypass-agent"), ["--version"])
        #expect(result.succeeded)
        #expect(result.stdoutText == "0.1.0\n")
    }
}
