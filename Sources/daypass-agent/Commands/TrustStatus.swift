// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

/// `trust status`: how it stands.
struct TrustStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Compares the host with what trust install left, and shows it.",
        discussion: "Exit code 0 whatever is found; trust verify tells by its exit code.")

    @OptionGroup var host: HostOptions
    @Option(help: "text or json.") var format = OutputFormat.text

    func run() throws {
        show(TrustDrift.examine(host: SystemFiles(), sshd: host.sshd, layout: host.layout), format, all: true)
    }
}

/// `trust verify`: says by its exit code whether all is as it should be.
struct TrustVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Finds what is not as trust install left it.",
        discussion: "Exit code 0 when there is nothing, 3 when there is something.")

    @OptionGroup var host: HostOptions
    @Option(help: "text or json.") var format = OutputFormat.text

    func run() throws {
        let checks = TrustDrift.examine(host: SystemFiles(), sshd: host.sshd, layout: host.layout)
        show(checks, format, all: false)
        if checks.contains(where: { $0.problem != nil }) { throw ExitCode(ExitStatus.negative) }
    }
}

private func show(_ checks: [TrustCheck], _ format: OutputFormat, all: Bool) {
    let findings = checks.filter { $0.problem != nil }
    guard format == .text else {
        let shown = all ? checks : findings
        return Terminal.say(
            JSONValue.object([
                .init("findings", .number(Int64(findings.count))), .init("checks", .array(shown.map(\.json))),
            ]).text)
    }
    let rows = (all ? checks : findings).map { check in
        [
            check.subject.escapedForTerminal,
            (check.file?.escapedForTerminal ?? "") + (check.line.map { " line \($0)" } ?? ""),
            check.problem ?? "ok",
        ]
    }
    if !rows.isEmpty { Table(["SETTING", "WHERE", "STATE"], rows).print() }
    if findings.isEmpty { Terminal.note("all as trust install left it") }
}
