// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import SSHWire
import TestSupport
import Testing
import TransparencyLog

@Suite("ca-keys.example shows what ca init makes")
struct ExampleFolderTests {
    /// A row of the README's first table.
    struct Row: Equatable {
        let mode: mode_t
        let isHere: Bool
    }

    private static let example = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../ca-keys.example").standardizedFileURL

    private static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: example.appending(path: name)))
    }

    private static func text(_ name: String) throws -> String {
        String(decoding: try bytes(name), as: UTF8.self)
    }

    private static func names(_ folder: String) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder))
    }

    /// The rows `| file | mode | here | … |`, by file.
    private static func rows() throws -> [String: Row] {
        var rows: [String: Row] = [:]
        for line in try text("README.md").split(separator: "\n") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, cells[0].hasPrefix("`"), let mode = mode_t(cells[1], radix: 8) else {
                continue
            }
            rows[cells[0].trimmingCharacters(in: ["`"])] = Row(mode: mode, isHere: cells[2] == "yes")
        }
        return rows
    }

    private func makeCA(_ folder: TemporaryFolder) throws {
        try Tool.run(
            try BuiltProduct.path("daypass"), ["ca", "init", "--no-passphrase", "--home", folder.path("ca")],
            environment: Tool.environment(adding: ["HOME": folder.path])
        ).orThrow("daypass ca init")
    }

    @Test func theTableListsEveryFileWithItsMode() throws {
        let folder = try TemporaryFolder()
        try makeCA(folder)
        let rows = try Self.rows()
        #expect(try Self.names(folder.path("ca")) == Set(rows.keys))
        for (name, row) in rows {
            #expect(try folder.mode(of: "ca/\(name)") == row.mode, "\(name)")
        }
        #expect(try folder.mode(of: "ca") == 0o700)
        #expect(try Self.text("README.md").contains("with mode 0700"))
    }

    @Test func whatTheTableSaysIsHereIsHereAndNothingElse() throws {
        let here = try Self.rows().filter(\.value.isHere).keys
        #expect(try Self.names(Self.example.path) == Set(here).union(["README.md"]))
    }

    @Test func theSettingsAreThoseThatInitWritesApartFromTheOrigin() throws {
        let folder = try TemporaryFolder()
        try makeCA(folder)
        func lines(_ text: String) -> [Substring] {
            text.split(separator: "\n", omittingEmptySubsequences: false).map {
                $0.hasPrefix("origin: ") ? "origin: " : $0
            }
        }
        let example = try Self.text("config.yaml")
        #expect(lines(example) == lines(try folder.readText("ca/config.yaml")))
        #expect(try CAConfiguration(yaml: example, name: "config.yaml").yaml == example)
    }

    @Test func thePublicHalvesAreLinesLikeThoseThatInitWrites() throws {
        let folder = try TemporaryFolder()
        try makeCA(folder)
        for name in ["user_ca.pub", "host_ca.pub", "log_key.pub"] {
            let example = try PublicKeyLine(file: try Self.bytes(name))
            let made = try PublicKeyLine(file: try folder.read("ca/\(name)"))
            #expect(example.comment == made.comment)
            #expect(example.text + "\n" == (try Self.text(name)))
            guard case .key(let one) = example.content, case .key(let other) = made.content else {
                Issue.record("\(name): a plain key expected")
                continue
            }
            #expect(one.keyType == other.keyType)
        }
    }

    @Test func theCheckpointIsTheExampleLogs() throws {
        let configuration = try CAConfiguration(yaml: try Self.text("config.yaml"), name: "config.yaml")
        let verifier = try verifier(named: configuration.origin, key: try plainKey("log_key.pub"))
        // A name of its own: the compiler fails on the span of a temporary.
        let bytes = try Self.bytes("checkpoint")
        let note = try SignedNote(bytes.span)
        let checkpoint = try VerifiedCheckpoint(note, origin: configuration.origin, logKeys: [verifier])
        // One entry for each key that was made.
        #expect(checkpoint.head.size == 3)
    }

    @Test func noFileIsAPrivateKeyOrADatabase() throws {
        for name in try Self.names(Self.example.path) {
            let bytes = try Self.bytes(name)
            #expect(code(of: bytes) != nil, "\(name)")
            // An encrypted private key is one too.
            #expect(code(of: bytes) != .passphraseRequired, "\(name)")
            #expect(!String(decoding: bytes, as: UTF8.self).contains("PRIVATE KEY"), "\(name)")
            #expect(!bytes.starts(with: Array("SQLite format 3".utf8)), "\(name)")
        }
    }

    @Test func theSearchForPrivateKeysFindsThem() throws {
        let folder = try TemporaryFolder()
        try makeCA(folder)
        #expect(code(of: try folder.read("ca/user_ca")) == nil)
        let arguments = ["-q", "-p", "-N", "a passphrase", "-f", folder.path("ca/user_ca")]
        try Tool.run("ssh-keygen", arguments).orThrow("ssh-keygen")
        #expect(code(of: try folder.read("ca/user_ca")) == .passphraseRequired)
    }

    private func plainKey(_ name: String) throws -> PublicKey {
        guard case .key(let key) = try PublicKeyLine(file: try Self.bytes(name)).content else {
            throw TestSupportError("\(name): a plain key expected")
        }
        return key
    }

    private func verifier(named name: String, key: PublicKey) throws -> NoteVerifier {
        guard case .ed25519(let bytes) = key.material else {
            throw TestSupportError("an Ed25519 key expected")
        }
        return try NoteVerifier(name: try KeyName(name), publicKey: bytes) { _, message, signature in
            do {
                try key.verify(Signature(.ed25519, blob: signature), over: message.span)
                return true
            } catch {
                return false
            }
        }
    }

    /// Why the bytes are no private key, nil when they are one.
    private func code(of bytes: [UInt8]) -> SSHWireError.Code? {
        do throws(SSHWireError) {
            let contents = try secret(bytes)
            _ = try PrivateKey(fileContents: contents)
            return nil
        } catch {
            return error.code
        }
    }

    private func secret(_ bytes: [UInt8]) throws(SSHWireError) -> SecretBytes {
        try unsafe SecretBytes(count: bytes.count) { buffer throws(SSHWireError) in
            unsafe buffer.copyBytes(from: bytes)
        }
    }
}
