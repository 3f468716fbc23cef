// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TestSupport
import Testing

/// What a scan says of a line beside what sshd does with it.
@Suite(.enabled(if: Running.asRoot && Running.withSSHD, "needs root and sshd")) struct ScanLineTests {
    /// Ways to write a line with the key K. "?" where either answer is right.
    private static let lines: [(line: [UInt8], mayDoubt: Bool)] = {
        func text(_ text: String) -> [UInt8] { Array(text.utf8) }
        return [
            (text("K"), false), (text("K\r"), false), (text("  \tK"), false),
            (text("K  comment here  "), false),
            (text("\u{feff}K"), false), (text("K J") + [0xfc, 0x72, 0x67], false),
            (text("K x") + [0, 0x79], false),
            (text("K \u{1b}[2J"), false), (text("#K"), false), (text("restrict K"), false),
            (text("restrict,pty K"), false), (text("command=\"true\" K"), false),
            (text("from=\"127.0.0.1\" K"), false),
            (text("from=\"127.0.0.1\",from=\"127.0.0.1\" K"), true),
            (text("expiry-time=\"20200101Z\" K"), false),
            (text("expiry-time=\"29990101\" K"), false), (text("unknown-option K"), true),
            (text("cert-authority K"), false), (text("principals=\"root\" K"), true),
            (text("command=\"true K"), false),
            (text("environment=\"A=b\" K"), false), (text("permitopen=\"h:1\" K"), false),
            (text("tunnel=\"x\" K"), true), (text("restrict  K"), false), (text("restrict, K"), true),
            (text("K " + String(repeating: "c", count: 6_000)), true), (text("no-pty\tK"), false),
            (text("x K"), true), (text("ssh-rsa L"), false), (text("ssh-ed25519 L="), true),
            (text("ssh-ed25519\tL"), false), (text("ssh-ed25519 L trailing"), false),
        ]
    }()

    @Test func aLineOpensTheAccountExactlyWhenTheScanSaysSo() throws {
        let folder = try TemporaryFolder()
        try folder.setMode(0o755, of: ".")
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder.path("key")])
            .orThrow("ssh-keygen")
        let words = try folder.readText("key.pub").split(whereSeparator: \.isWhitespace).map(String.init)
        let file = folder.path("keys")
        let sshd = try PrivateSSHD(.init(authorizedKeysFile: file))
        try folder.write(
            "HostKey \(sshd.hostKey)\nAuthorizedKeysFile \(file)\nPermitRootLogin yes\n", to: "sshd_config")
        var agreed = 0
        for (pattern, mayDoubt) in Self.lines {
            var line: [UInt8] = []
            for byte in pattern {
                switch byte {
                case UInt8(ascii: "K"): line += Array("\(words[0]) \(words[1])".utf8)
                case UInt8(ascii: "L"): line += Array(words[1].utf8)
                default: line.append(byte)
                }
            }
            try folder.write(line + [0x0a], to: "keys", mode: 0o644)
            let isIn = try sshd.login(identity: folder.path("key")).succeeded
            let result = try Tool.run(
                BuiltProduct.path("daypass-agent"),
                [
                    "scan", "--format", "json", "--sshd-config", folder.path("sshd_config"), "--sshd-binary",
                    try Tool.find("sshd"),
                ]
            ).orThrow("scan")
            let report = try JSONValue(parsing: result.stdout, maximumBytes: 16 << 20)
            let keys = (report["accounts"]?.array ?? []).filter { $0["name"]?.string == "root" }
                .flatMap { $0["files"]?.array ?? [] }.flatMap { $0["keys"]?.array ?? [] }
            let isKey = keys.contains {
                $0["refused"] == .null && $0["cert_authority"]?.bool == false
                    && $0["fingerprint"]?.string != nil
            }
            let isDoubtful = keys.contains { $0["doubt"] != .null }
            let shown = String(decoding: pattern.prefix(60), as: UTF8.self).escapedForTerminal
            if isDoubtful {
                #expect(mayDoubt, "\(shown)")
            } else {
                #expect(isKey == isIn, "\(shown): sshd \(isIn ? "takes" : "refuses") it")
                agreed += 1
            }
        }
        print("scan and sshd agree on \(agreed) of \(Self.lines.count) lines, the others are called doubtful")
    }
}
