// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire
import TransparencyLog

struct LogWitnesses: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "witnesses", abstract: "Show which hosts stand behind the control plane's log.",
        discussion: """
            Every host keeps the newest checkpoint that it was shown, takes another one only with the proof that nothing \
            was changed, and cosigns it. What this command says is the server's word. For proof, keep the hosts' keys \
            (--keys; each host says its own: daypass-agent status) and verify with them: \
            daypass log verify --checkpoint FILE --witnesses KEYS.
            """)

    @OptionGroup var format: FormatOptions

    @Flag(help: "Print the witnesses' keys, one a line.")
    var keys = false

    @Flag(help: "Print the newest checkpoint with its cosignatures.")
    var checkpoint = false

    func validate() throws {
        guard !(keys && checkpoint) else { throw ValidationError("--keys and --checkpoint: one of them") }
    }

    func run() async throws {
        let state = try ClientState()
        if checkpoint {
            let answer = try await state.ask("GET", "/v1/witnesses/checkpoint")
            guard let text = answer["checkpoint"]?.string else {
                throw Failure("the server's answer has no checkpoint in it")
            }
            return Terminal.write(try SignedNote(Array(text.utf8).span).bytes)
        }
        let items = try await state.list("/v1/witnesses")
        let witnesses = try items.map { try WitnessInfo(json: $0) }
        if keys {
            for key in witnesses.compactMap(\.key) { Terminal.say(key.escapedForTerminal) }
            return
        }
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        Table(
            ["HOST", "ENTRIES", "HEARD", "STATE"],
            witnesses.map { witness in
                [
                    witness.host.escapedForTerminal, witness.size.map { String($0) } ?? "-",
                    witness.heard.map { "\(UnixTime(seconds: $0))" } ?? "never",
                    witness.refusal?.escapedForTerminal ?? (witness.size == nil ? "not heard" : "cosigned"),
                ]
            }
        ).print()
    }
}
