// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import Agent

@Suite struct ChangeJournalTests {
    private static let label = FileAttributes(
        mode: 0o640, owner: 0, group: 42, securityLabel: Array("system_u:object_r:etc_t:s0".utf8))

    static let sample: ChangeJournal = {
        let old = FileContent([0, 10, 255, 34, 92], label)
        let new = FileContent(Array("Port 22\n".utf8), FileAttributes(mode: 0o600))
        return ChangeJournal(
            id: "00112233445566778899aabbccddeeff", action: .install, deadline: 1_800_000_000,
            daemon: ChangeJournal.Daemon(
                binary: "/usr/sbin/sshd", configuration: "/etc/ssh/sshd_config",
                reloadCommand: ["/bin/systemctl", "reload", "ssh"], isOffline: false),
            steps: [
                .init(
                    .folder(path: "/etc/daypass", before: nil, after: FileAttributes(mode: 0o755)), "made",
                    isReferred: true),
                .init(
                    .file(path: "/etc/daypass/a", before: nil, after: new), "\u{1b}[2Jmade", isReferred: true),
                .init(
                    .file(path: "/etc/ssh/sshd_config", before: old, after: new), "changed", isReferred: false
                ),
                .init(.file(path: "/etc/ssh/x", before: old, after: nil), "removed", isReferred: false),
                .init(.folder(path: "/etc/d", before: label, after: nil), "removed", isReferred: false),
            ], proofFolder: "/run/daypass/proof", phase: .applied,
            temporaries: [
                .init(path: "/etc/daypass/a", proof: old, final: new),
                .init(path: "/b", proof: new, final: nil),
            ])
    }()

    @Test func aJournalIsReadAsItWasWritten() throws {
        for phase in ChangeJournal.Phase.allCases {
            var journal = Self.sample
            journal.phase = phase
            #expect(try ChangeJournal(parsing: journal.encoded) == journal)
        }
    }

    @Test func noPartOfAJournalIsOne() {
        let bytes = Self.sample.encoded
        // The last byte is the line's end, without which it is whole.
        for length in 0..<(bytes.count - 1) {
            #expect(throws: AgentError(.damaged, "")) { try ChangeJournal(parsing: Array(bytes[..<length])) }
        }
    }

    @Test func aJournalWithAChangedByteIsReadOrRefusedButNeverTraps() {
        let bytes = Self.sample.encoded
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x01
            _ = try? ChangeJournal(parsing: changed)
        }
    }

    @Test(arguments: [
        (#""phase":"applied""#, #""phase":"half""#),
        (#""/etc/ssh/sshd_config","before""#, #""etc/ssh/sshd_config","before""#),
        (#""mode":384"#, #""mode":4096"#),
        (#""mode":384"#, #""mode":-1"#),
        (#""daypass_trust_journal":1"#, #""daypass_trust_journal":2"#),
        (#""proof_folder":"/run/daypass/proof""#, #""proof_folder":"\u0000""#),
    ])
    func aJournalThatRootMustNotActUponIsRefused(part: String, other: String) throws {
        let text = String(decoding: Self.sample.encoded, as: UTF8.self)
        let range = try #require(text.firstRange(of: part))
        let changed = text.replacingCharacters(in: range, with: other)
        #expect(throws: AgentError(.damaged, "")) { try ChangeJournal(parsing: Array(changed.utf8)) }
    }
}

extension String {
    /// Foundation's, without Foundation.
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
