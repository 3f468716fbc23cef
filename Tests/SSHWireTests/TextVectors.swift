// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport

/// Keys, certificates and files that the installed ssh-keygen makes for the tests of texts.
enum TextVectors {
    /// What `ssh-keygen -t` and `-b` take for every type that needs no hardware.
    static let types: [[String]] = [
        ["ed25519"], ["ecdsa", "-b", "256"], ["ecdsa", "-b", "384"], ["ecdsa", "-b", "521"],
        ["rsa", "-b", "2048"],
    ]

    /// Makes a key pair; the public half is in `name.pub`.
    ///
    /// - Returns: the line in `name.pub`.
    @discardableResult
    static func makeKey(
        _ name: String, in folder: TemporaryFolder, type: [String] = ["ed25519"],
        comment: String = "a comment"
    ) throws -> String {
        try keygen(
            ["-q", "-N", "", "-C", comment, "-f", folder.path(name), "-t"] + type, "ssh-keygen -t")
        return try firstLine(of: "\(name).pub", in: folder)
    }

    /// Makes a certificate on `name` signed by `authority`, in `name-cert.pub`.
    ///
    /// - Returns: the line in it.
    @discardableResult
    static func makeCertificate(
        on name: String, by authority: String, in folder: TemporaryFolder, principals: String = "alice",
        options: [String] = []
    ) throws -> String {
        try keygen(
            ["-q", "-s", folder.path(authority), "-I", "id", "-n", principals, "-V", "20200101Z:20991231Z"]
                + options + [folder.path("\(name).pub")], "ssh-keygen -s")
        return try firstLine(of: "\(name)-cert.pub", in: folder)
    }

    /// Runs ssh-keygen, which must return 0.
    @discardableResult
    static func keygen(_ arguments: [String], _ what: String, stdin: [UInt8]? = nil) throws
        -> ToolResult
    {
        try Tool.run("ssh-keygen", arguments, stdin: stdin).orThrow(what)
    }

    static func firstLine(of name: String, in folder: TemporaryFolder) throws -> String {
        String(try folder.readText(name).split(separator: "\n").first ?? "")
    }

    /// The FIDO keys, which only hardware makes: blobs of the right form.
    static func hardwareKeys() throws -> [PublicKey] {
        // The P-256 generator (SEC 2, section 2.4.2) is a point that is surely on the curve.
        let point: [UInt8] = [
            0x04,
            0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
            0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
            0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
            0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
        ]
        return [
            try PublicKey(.skEd25519([UInt8](repeating: 7, count: 32), application: "ssh:")),
            try PublicKey(.skECDSA(point: point, application: "ssh:daypass")),
        ]
    }

    /// Every proper prefix.
    static func prefixes(of bytes: [UInt8]) -> [[UInt8]] { bytes.indices.map { Array(bytes[..<$0]) } }

    /// Every byte replaced, one at a time, by a few others: its neighbours and what texts treat specially.
    static func changes(of bytes: [UInt8]) -> [[UInt8]] {
        let replacements: [UInt8] = Array("\"\\ ,#=!*\n\t\0A".utf8) + [0x80, 0xff]
        return bytes.indices.flatMap { index in
            (replacements + [bytes[index] ^ 1, bytes[index] &+ 1]).compactMap { byte in
                guard byte != bytes[index] else { return nil }
                var changed = bytes
                changed[index] = byte
                return changed
            }
        }
    }

    /// The text of bytes that may be none.
    static func text(_ bytes: [UInt8]) -> String? { String(validating: bytes, as: UTF8.self) }
}

/// The error that `body` throws, for tests that look at its reason.
func wireError(_ body: () throws -> Void) -> SSHWireError? {
    do {
        try body()
        return nil
    } catch {
        return error as? SSHWireError
    }
}
