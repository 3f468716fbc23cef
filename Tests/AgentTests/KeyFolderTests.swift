// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import TestSupport
import Testing

@Suite("The folder of the host's key") struct KeyFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func onANewHostTheConfigurationsFolderIsMadeToo() throws {
        let keys = KeyFolder(folder.path("daypass/keys"))
        let key = try keys.generate(replacing: false)
        #expect(try keys.load().publicKey == key.publicKey)
        #expect(try folder.mode(of: "daypass") == 0o755)
        #expect(try folder.mode(of: "daypass/keys") == 0o700)
    }

    @Test func noMoreThanThatOneIsMade() throws {
        #expect(throws: AgentError.self) {
            try KeyFolder(folder.path("etc/daypass/keys")).generate(replacing: false)
        }
        #expect(!folder.contains("etc"))
    }
}
