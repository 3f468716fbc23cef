// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

/// No copy of a secret outside guarded memory: another process loads a key, signs 100 times and looks for it in its own
/// memory. The needles are masked on their way and it never holds one unmasked.
@Suite(
    .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/mem")),
    .disabled(
        if: Running.underAddressSanitizer || Running.underThreadSanitizer,
        "they map terabytes, all of which would be searched"))
struct PrivateKeyMemoryTests {
    private struct Case: CustomTestStringConvertible {
        let type: [String]
        let passphrase: String
        var format: [String] = []
        var testDescription: String { "\(type) \(format) \(passphrase)" }
    }

    /// Where the probe found the needles.
    private func probe(
        _ folder: PrivateKeyFolder, _ needles: [[UInt8]], passphrase: String = "", _ arguments: [String] = []
    ) throws -> [String: Int] {
        var arguments = arguments
        if !passphrase.isEmpty {
            arguments += ["--passphrase-file", try folder.write(Array(passphrase.utf8), to: "passphrase")]
        }
        let input = needles.map { $0.map { String(format: "%02x", $0 ^ 0x5a) }.joined() + "\n" }.joined()
        let result = try run(memoryProbe(), [folder.file("key")] + arguments, input: Array(input.utf8))
            .check()
        var hits: [String: Int] = [:]
        for line in result.stdoutText.split(separator: "\n") {
            let fields = line.split(separator: " ")
            hits[String(fields[0])] = Int(fields[1])
        }
        return hits
    }

    /// The secrets of the file that was made: the number itself, the file's text around it, the passphrase.
    private func needles(_ folder: PrivateKeyFolder, _ test: Case) throws -> [[UInt8]] {
        let path = folder.file("key")
        var needles: [[UInt8]] = []
        if test.passphrase.isEmpty {
            // The base64's last lines hold the secret.
            let lines = try folder.readText("key").split(separator: "\n").dropFirst().dropLast()
            needles.append(Array(lines.suffix(3).joined().utf8.prefix(96)))
        } else {
            needles.append(Array(test.passphrase.utf8))
        }
        // Into the open: the plain number by way of ssh-keygen and the format's fixed places.
        let copy = folder.file("open")
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        try run("ssh-keygen", ["-q", "-p", "-f", copy, "-P", test.passphrase, "-N", ""]).check()
        let key = try PrivateKey(fileContents: try secret(try folder.read("open")))
        let blob = try unarmour(exposed(try key.openSSHFile(passphrase: nil)))
        var reader = WireReader(blob.span)
        _ = try reader.readRaw("magic", count: 15)
        for _ in 0..<3 { _ = try reader.readString("header", upTo: 64) }
        _ = try reader.readUInt32("count")
        _ = try reader.readString("public key", upTo: 8_192)
        var section = WireReader(try reader.readString("section", upTo: 16_384))
        _ = try section.readUInt64("check")
        let type = try section.readText("type", upTo: 64).string
        switch type {
        case "ssh-ed25519":
            _ = try section.readString("public half", upTo: 32)
            needles.append(Array(try section.readBytes("secret", upTo: 64).prefix(32)))
        case "ssh-rsa":
            for _ in 0..<2 { _ = try section.readString("public number", upTo: 8_192) }
            for _ in 0..<4 { needles.append([UInt8](try section.readPositiveInteger("number", upTo: 8_192))) }
        default:
            for _ in 0..<2 { _ = try section.readString("public half", upTo: 8_192) }
            needles.append([UInt8](try section.readPositiveInteger("scalar", upTo: 66)))
        }
        return needles
    }

    private static let cases: [Case] = keygenTypes.flatMap { type in
        [
            Case(type: type, passphrase: ""),
            Case(type: type, passphrase: "a passphrase of thirty-two bytes"),
        ]
            + (type[1] == "ed25519"
                ? []
                : ["PEM", "PKCS8"].flatMap { format in
                    [
                        Case(type: type, passphrase: "", format: ["-m", format]),
                        Case(
                            type: type, passphrase: "a passphrase of thirty-two bytes",
                            format: ["-m", format]),
                    ]
                })
    }

    @Test(arguments: cases) private func noCopyIsLeftAfterLoadingAndSigning(test: Case) throws {
        let folder = try PrivateKeyFolder()
        _ = try folder.keygen(test.type + test.format, passphrase: test.passphrase)
        let needles = try needles(folder, test)
        // Many signatures overwrite what loading may have left on the stack.
        for signatures in ["0", "100"] {
            let hits = try probe(
                folder, needles, passphrase: test.passphrase, ["--signatures", signatures])
            #expect(hits["heap"] == 0 && hits["stack"] == 0 && hits["other"] == 0, "\(hits)")
            // The key is still loaded: the scan sees it where it belongs, so it would see it elsewhere.
            #expect((hits["guarded"] ?? 0) >= 1, "\(hits)")
        }
    }

    /// ssh-keygen does not write Ed25519 keys as PKCS#8; their seed is the last thing in it.
    @Test(arguments: [[], ["-aes-256-cbc", "-pass", "pass:a passphrase of thirty-two bytes"]])
    func noCopyIsLeftOfAnEd25519KeyFromPKCS8(encryption: [String]) throws {
        let folder = try PrivateKeyFolder()
        try run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", folder.file("key")] + encryption)
            .check()
        let der = try run(
            "openssl",
            ["pkey", "-in", folder.file("key"), "-outform", "DER"]
                + (encryption.isEmpty ? [] : ["-passin", "pass:a passphrase of thirty-two bytes"])
        ).check().stdout
        let passphrase = encryption.isEmpty ? "" : "a passphrase of thirty-two bytes"
        for signatures in ["0", "100"] {
            let hits = try probe(
                folder, [Array(der.suffix(32))], passphrase: passphrase, ["--signatures", signatures])
            #expect(hits["heap"] == 0 && hits["stack"] == 0 && hits["other"] == 0, "\(hits)")
            #expect((hits["guarded"] ?? 0) >= 1, "\(hits)")
        }
    }

    @Test(arguments: ["heap", "stack"]) func aCopyThatIsLeftIsFound(place: String) throws {
        let folder = try PrivateKeyFolder()
        _ = try folder.keygen(["-t", "ed25519"])
        let needle = try needles(folder, Case(type: ["-t", "ed25519"], passphrase: ""))[1]
        let hits = try probe(folder, [needle], ["--leak", place])
        #expect((hits[place] ?? 0) >= 1, "\(hits)")
    }
}
