// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire

struct HostsEnroll: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enroll", abstract: "Let a host's agent connect by the request that it printed.",
        discussion: """
            Takes what daypass-agent register printed, as JSON, YAML or base64; - is standard input. It proves nothing: \
            enrol what you got from the host yourself, and compare the host key. The labels in it do not count: policy \
            opens doors by labels, so a host can't choose its own.
            """)

    @Argument(help: ArgumentHelp("The printed request; - is standard input.", valueName: "FILE"))
    var file: String

    @Option(help: ArgumentHelp("The host's id, where it is not the name in the request.", valueName: "ID"))
    var id: String?

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp(
            "What the host belongs to (repeatable). Without any, the labels that it has stay.",
            valueName: "NAME=VALUE"))
    var labels: [String] = []

    @Flag(help: "Replace the key of a host that has joined already.")
    var replace = false

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let printed = try RegistrationRequest.value(
            parsing: try InputFile.read(file, maximumBytes: RegistrationRequest.maximumBytes))
        // The same checks as the server's, before anything is sent.
        let wish = try EnrolmentRequest(
            printed, id: try id.map { try ManagedHost(id: $0).id },
            labels: labels.isEmpty ? nil : try parseLabels(labels), replaces: replace)
        let state = try ClientState()
        let answer = try await state.ask("POST", "/v1/agents", wish.json)
        if format.format == .json { return Terminal.say(answer.text) }
        let joined = try JoinAnswer(json: answer)
        let registration = wish.registration
        Terminal.say("\(joined.clientID.escapedForTerminal) connects by the key in the request")
        Terminal.say("  agent key  \(registration.key.thumbprint)")
        Terminal.say("  host key   \(registration.hostKey.fingerprint)")
        Terminal.say("  tunnel     \(joined.tunnelURL.escapedForTerminal)")
        if labels.isEmpty, !registration.labels.isEmpty {
            let wanted = registration.labels.map(\.escapedForTerminal).joined(separator: " ")
            Terminal.note("the host would like the labels \(wanted); --label gives it labels")
        }
        Terminal.note("on the host, with what --format json prints in a file:")
        Terminal.note(
            "  daypass-agent register --answer FILE --fingerprint SHA256:…; or set clientId, tunnelHost and protocol yourself"
        )
    }
}
