// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport

/// A folder that is gone when nobody holds it any more.
final class PrivateKeyFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ contents: [UInt8], to name: String) throws -> String {
        guard
            FileManager.default.createFile(
                atPath: file(name), contents: Data(contents), attributes: [.posixPermissions: 0o600])
        else { throw TestSupportError("cannot write \(name)") }
        return file(name)
    }

    func read(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: file(name)))) }

    func readText(_ name: String) throws -> String { String(decoding: try read(name), as: UTF8.self) }

    /// Runs ssh-keygen to make a key in the file "key", and returns the private key file.
    func keygen(_ arguments: [String], passphrase: String = "", comment: String = "a comment") throws
        -> [UInt8]
    {
        try? FileManager.default.removeItem(atPath: file("key"))
        let common = ["-q", "-f", file("key"), "-N", passphrase, "-C", comment]
        try run("ssh-keygen", common + arguments).check()
        return try read("key")
    }

    /// The public key that ssh-keygen wrote beside the private one.
    func publicKey() throws -> PublicKey {
        let fields = try readText("key.pub").split(separator: " ")
        guard fields.count >= 2 else { throw TestSupportError("key.pub") }
        return try PublicKey(encoded: try Base64.decode("public key", fields[1]))
    }
}

/// Runs a program to its end with `input` as its standard input.
func run(_ name: String, _ arguments: [String], input: [UInt8] = []) throws -> ToolResult {
    // The memory probe is to end by a signal, without Swift's report of it.
    try Tool.run(
        name, arguments, stdin: input, environment: Tool.environment(adding: ["SWIFT_BACKTRACE": "enable=no"])
    )
}

extension ToolResult {
    /// The result itself when the program returned 0.
    @discardableResult
    func check() throws -> ToolResult { try orThrow("a program that must succeed") }
}

/// Guarded bytes from test data that is no secret.
func secret(_ bytes: [UInt8]) throws -> SecretBytes {
    try unsafe SecretBytes(count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
}

/// Guarded bytes from a passphrase of a test.
func secret(_ text: String) throws -> SecretBytes { try secret(Array(text.utf8)) }

/// The bytes in the open.
func exposed(_ secret: SecretBytes) -> [UInt8] { unsafe secret.withUnsafeBytes { unsafe Array($0) } }

/// The bytes of some text, to be signed.
let someMessage = Array("what is signed".utf8)

extension PrivateKey {
    /// Signs, and lets the public half check it.
    func proveItSigns(_ algorithm: SignatureAlgorithm? = nil) throws {
        let message = someMessage
        try publicKey.verify(try sign(message.span, with: algorithm), over: message.span)
    }
}
