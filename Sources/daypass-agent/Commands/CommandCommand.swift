// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

/// `command`: does one of the server's operations by hand, as P0's agent has it.
struct CommandCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Does one operation of the server's here and now, and shows request and result as JSON.",
        discussion: """
            Operations: provisionUser, provisionAuthorizedKeys, provisionCAKeys, provisionSudo, provisionSession, and those \
            of docs/formats/host-operations.md, whose fields --data gives.
            """)

    @OptionGroup(title: "The host") var host: HostOptions
    @Option(help: ArgumentHelp("The operation.", valueName: "name")) var command: String
    @Option(help: ArgumentHelp("The account.", valueName: "name")) var username: String?
    @Option(help: "grant or revoke.") var action = "grant"
    @Option(help: ArgumentHelp("The request's id; a random one by default.", valueName: "id"))
    var requestID: String?
    @Option(help: ArgumentHelp("A public key that is to log in.", valueName: "line")) var publicKey: String?
    @Option(
        name: .customLong("ca-public-key"),
        help: ArgumentHelp("A CA's public key whose certificates are to log in.", valueName: "line"))
    var caPublicKey: String?
    @Flag(help: "Gives sudo.") var sudo = false
    @Option(help: ArgumentHelp("As whom sudo may run programs.", valueName: "name")) var runAsUser: String?
    @Option(
        help: ArgumentHelp("When access begins (RFC 3339 in UTC, or seconds since 1970).", valueName: "time"))
    var startTime: String?
    @Option(help: ArgumentHelp("When access ends.", valueName: "time")) var endTime: String?
    @Option(help: ArgumentHelp("More fields, as a JSON object.", valueName: "json")) var data: String?
    @Flag(help: "Shows what would change, and changes nothing.") var dryRun = false

    /// As much as a call of the server's may have.
    private static let maximumBytes = 16 << 20

    func run() throws {
        let data = try request()
        Terminal.say("=== Request ===\n\(data.text)")
        let result = Provisioner(host.provisioning).perform(data, dryRun: dryRun, at: .now)
        var members: [JSONValue.Member] = [
            .init("success", .bool(result.success)),
            .init(result.success ? "message" : "error", .string(result.message)),
        ]
        if let output = result.output { members.append(.init("output", .string(output))) }
        Terminal.say("=== Result ===\n\(JSONValue.object(members).text)\n==============")
        guard result.success else { throw ExitCode(ExitStatus.failed) }
    }

    private func request() throws -> JSONValue {
        var members: [JSONValue.Member] = [.init("command", .string(command))]
        if command.hasPrefix("provision") {
            guard let username else {
                throw ValidationError("--username: \(command.escapedForTerminal) needs one")
            }
            members.append(.init("userName", .string(username)))
            members.append(.init("action", .string(action)))
            members.append(.init("requestId", .string(requestID ?? Self.randomID())))
        } else if let username {
            members.append(.init("user", .string(username)))
        }
        let texts = [
            ("publicKey", publicKey), ("caPublicKey", caPublicKey), ("runAsUser", runAsUser),
        ]
        for (name, text) in texts { if let text { members.append(.init(name, .string(text))) } }
        if sudo { members.append(.init("sudo", true)) }
        for (name, text) in [("startTime", startTime), ("endTime", endTime)] {
            guard let text else { continue }
            members.append(.init(name, Int64(text).map { .number($0) } ?? .string(text)))
        }
        guard let data else { return .object(members) }
        let more = try JSONValue(parsing: Array(data.utf8), maximumBytes: Self.maximumBytes)
        guard case .object(let added) = more else { throw ValidationError("--data: a JSON object expected") }
        for member in added where members.contains(where: { $0.name == member.name }) {
            throw ValidationError("--data: \(member.name.escapedForTerminal) is given by an option too")
        }
        return .object(members + added)
    }

    /// A name that no other request has.
    private static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return "cmd-" + String(UInt64.random(in: .min ... .max, using: &generator), radix: 36)
    }
}

extension HostOptions {
    /// This host as provisioning sees it.
    var provisioning: ProvisioningHost { ProvisioningHost(layout: layout, sshd: sshd, host: hostName()) }
}
