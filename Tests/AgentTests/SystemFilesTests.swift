// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import TestSupport
import Testing

@Suite struct SystemFilesTests {
    let files = SystemFiles()

    @Test func aFileIsReplacedWholeAndKeepsWhatItIsGiven() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("old", to: "file", mode: 0o644)
        let before = try #require(try files.read(path))
        #expect(before.bytes == Array("old".utf8))
        try files.replace(path, FileContent(Array("new".utf8), before.attributes))
        #expect(try files.read(path) == FileContent(Array("new".utf8), before.attributes))
        #expect(try files.list(folder.path) == ["file"])
    }

    @Test func aSymbolicLinkIsNotFollowed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("content", to: "file")
        try Tool.run("ln", ["-s", path, folder.path("link")]).orThrow("ln")
        #expect(throws: AgentError(.unsafeFile, "")) { try files.read(folder.path("link")) }
        try folder.makeFolder("real")
        try Tool.run("ln", ["-s", folder.path("real"), folder.path("way")]).orThrow("ln")
        #expect(throws: AgentError(.unsafeFile, "")) { try files.read(folder.path("way/file")) }
    }

    @Test func aFileWithTwoNamesIsNotTouched() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("content", to: "file")
        try Tool.run("ln", [path, folder.path("other")]).orThrow("ln")
        #expect(throws: AgentError(.unsafeFile, "")) { try files.read(path) }
        #expect(throws: AgentError(.unsafeFile, "")) { try files.remove(path) }
    }

    @Test func theRootOfTheTreeIsAFolder() throws {
        let attributes = try #require(try files.folder("/"))
        #expect(attributes.owner == 0)
    }

    @Test func nothingIsThere() throws {
        let folder = try TemporaryFolder()
        #expect(try files.read(folder.path("missing/file")) == nil)
        #expect(try files.list(folder.path("missing")) == nil)
        try files.remove(folder.path("missing/file"))
    }
}
