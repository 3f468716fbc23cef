// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

/// Runs ssh-keygen to its end: its exit status, and what it said on both outputs.
func runSSHKeygen(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let result = try Tool.run(
        "ssh-keygen", arguments, environment: Tool.environment(adding: ["TZ": "UTC0", "LC_ALL": "C.UTF-8"]))
    return (result.status, result.stdoutText + result.stderrText)
}

/// A folder that goes away with the last reference to it.
final class RevocationTestFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/krl-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(name))))
    }

    /// Makes a key pair and returns its public half.
    func makeKey(_ name: String, type: String = "ed25519") throws -> PublicKey {
        let made = try runSSHKeygen(["-q", "-t", type, "-N", "", "-C", "", "-f", file(name)])
        try #require(made.status == 0, "\(made.output)")
        return try publicKey(name)
    }

    func publicKey(_ name: String) throws -> PublicKey {
        let fields = String(decoding: try read(name + ".pub"), as: UTF8.self).split(separator: " ")
        return try PublicKey(
            encoded: try Base64.decode("key", fields[1].trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    /// Certifies the key `subject`; returns the certificate's path.
    func certify(_ subject: String, serial: UInt64, keyID: String, by authority: String) throws -> String {
        let copy = "\(subject)-\(authority)-\(serial)-\(UUID().uuidString.prefix(8))"
        _ = try write(try read(subject + ".pub"), to: copy + ".pub")
        let made = try runSSHKeygen([
            "-q", "-s", file(authority), "-I", keyID, "-n", "someone", "-z", "\(serial)", file(copy + ".pub"),
        ])
        try #require(made.status == 0, "\(made.output)")
        return file(copy + "-cert.pub")
    }

    /// Makes a KRL of a specification by `ssh-keygen -k`.
    ///
    /// - Parameter authority: a key's name; nil for every authority.
    func makeKRL(
        _ name: String, of lines: [String], authority: String? = nil, options: [String] = []
    ) throws -> [UInt8] {
        let specification = try write(Array(lines.joined(separator: "\n").utf8) + [10], to: name + ".spec")
        let scope = authority.map { file($0 + ".pub") } ?? "NONE"
        let made = try runSSHKeygen(
            ["-q", "-k", "-f", file(name), "-s", scope] + options + [specification])
        try #require(made.status == 0, "\(made.output)")
        return try read(name)
    }

    /// Which of the keys or certificates `ssh-keygen -Q` holds to be revoked by `list`.
    func revoked(by list: [UInt8], among paths: [String]) throws -> [Bool] {
        let asked = try runSSHKeygen(["-Q", "-f", try write(list, to: "asked.krl")] + paths)
        let lines = asked.output.split(separator: "\n")
        try #require(lines.count == paths.count, "\(asked.output)")
        return lines.map { $0.hasSuffix(": REVOKED") }
    }
}

/// What `ssh-keygen -Q -l` shows of a list, with its paragraphs in a fixed order.
func sshKeygenListing(of path: String) throws -> [String] {
    let shown = try runSSHKeygen(["-Q", "-l", "-f", path])
    try #require(shown.status == 0, "\(shown.output)")
    return paragraphs(shown.output)
}

/// The same of our own reading.
func ourListing(of list: KeyRevocationList) -> [String] {
    var text = "# KRL version \(list.version)\n# Generated at \(timestamp(list.generatedUnixSeconds))\n"
    if !list.comment.isEmpty { text += "# Comment: \(list.comment)\n" }
    text += "\n"
    for key in list.keys { text += "hash: \(key.fingerprint) # \(key.typeName)\n" }
    for digest in list.sha256Digests { text += "hash: SHA256:\(hexadecimal(digest))\n" }
    for digest in list.sha1Digests { text += "# hash SHA1:\(hexadecimal(digest))\n" }
    for section in list.certificates {
        switch section.scope {
        case .everyAuthority: text += "\n# Wildcard CA\n"
        case .authority(let key): text += "\n# CA key \(key.keyType.rawValue) \(key.fingerprint)\n"
        }
        for range in section.serials.ranges {
            text +=
                range.lowerBound == range.upperBound
                ? "serial: \(range.lowerBound)\n" : "serial: \(range.lowerBound)-\(range.upperBound)\n"
        }
        for keyID in section.keyIDs { text += "id: \(keyID)\n" }
    }
    return paragraphs(text)
}

private func paragraphs(_ text: String) -> [String] {
    text.components(separatedBy: "\n\n").map { $0.trimmingCharacters(in: .newlines) }
        .filter { !$0.isEmpty }.sorted()
}

private func timestamp(_ seconds: UInt64) -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "UTC")
    format.dateFormat = "yyyyMMdd'T'HHmmss"
    return format.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
}

/// Numbers that are the same in every run (SplitMix64).
struct RepeatableNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// A KRL written field by field, right or wrong.
struct RawKRL {
    var magic: [UInt8] = Array("SSHKRL\n".utf8) + [0]
    var format: UInt32 = 1
    var flags: UInt64 = 0
    var reserved: [UInt8] = []
    var comment: [UInt8] = []
    var sections: [(type: UInt8, content: [UInt8])] = []

    /// One section.
    init(_ type: UInt8, _ content: [UInt8]) { sections = [(type, content)] }

    /// One certificate section for every authority.
    init(certificates: [(type: UInt8, content: [UInt8])], authority: [UInt8] = [], reserved: [UInt8] = []) {
        var writer = WireWriter()
        writer.writeString(authority)
        writer.writeString(reserved)
        for section in certificates {
            writer.write(section.type)
            writer.writeString(section.content)
        }
        sections = [(1, writer.bytes)]
    }

    var encoded: [UInt8] {
        var writer = WireWriter()
        writer.writeRaw(magic)
        writer.write(format)
        writer.write(UInt64(7))
        writer.write(UInt64(1_700_000_000))
        writer.write(flags)
        writer.writeString(reserved)
        writer.writeString(comment)
        for section in sections {
            writer.write(section.type)
            writer.writeString(section.content)
        }
        return writer.bytes
    }

    func parsed() throws(SSHWireError) -> KeyRevocationList { try KeyRevocationList(encoded: encoded) }
}

/// 64-bit numbers one after the other.
func uint64s(_ numbers: UInt64...) -> [UInt8] {
    var writer = WireWriter()
    for number in numbers { writer.write(number) }
    return writer.bytes
}

/// Strings one after the other.
func strings(_ strings: [UInt8]...) -> [UInt8] {
    var writer = WireWriter()
    for string in strings { writer.writeString(string) }
    return writer.bytes
}

/// The code of the error that `body` throws, nil when it throws none.
func refusal<Value>(_ body: () throws(SSHWireError) -> Value) -> SSHWireError.Code? {
    do throws(SSHWireError) {
        _ = try body()
        return nil
    } catch { return error.code }
}
