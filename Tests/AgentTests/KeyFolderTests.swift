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

    @Test func thereIsAlwaysOneKeyOfTheTwoWhateverAChangeIsBrokenOffAt() throws {
        let keys = KeyFolder(folder.path("keys"))
        let old = try keys.generate(replacing: false)
        let next = try keys.prepareNext()
        #expect(try folder.mode(of: "keys/jwk.private.json.next") == 0o600)
        // Nothing has changed, and the same is offered again.
        #expect(try keys.load().publicKey == old.publicKey)
        #expect(try keys.prepareNext().publicKey == next.publicKey)
        // The server knows the new one, and its public half was all that was written.
        try folder.write(next.publicKey.fileText, to: "keys/jwk.public.json")
        #expect(try keys.load().publicKey == next.publicKey)
        #expect(!folder.contains("keys/jwk.private.json.next"))
        #expect(try KeyFolder(folder.path("keys")).load().publicKey == next.publicKey)
        // In one go.
        let third = try keys.prepareNext()
        try keys.adoptNext()
        #expect(try keys.load().publicKey == third.publicKey)
        // A public file of nobody's is no reason to take anything.
        _ = try keys.prepareNext()
        try folder.write(old.publicKey.fileText, to: "keys/jwk.public.json")
        #expect(throws: AgentError(.damaged, "")) { try keys.load() }
    }

    @Test func noMoreThanThatOneIsMade() throws {
        #expect(throws: AgentError.self) {
            try KeyFolder(folder.path("etc/daypass/keys")).generate(replacing: false)
        }
        #expect(!folder.contains("etc"))
    }
}
