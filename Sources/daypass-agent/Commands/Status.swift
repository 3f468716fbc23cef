// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import Glibc
import SSHWire

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Checks the agent's installation, and whether its control plane is there.",
        discussion: "Exits with 0 when all checks are good, and with 1 otherwise.")

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("Where the service's socket is.", valueName: "folder"))
    var runtimeFolder = "/run/daypass"
    @Option(help: ArgumentHelp("Where the agent keeps what it knows.", valueName: "folder"))
    var stateFolder = "/var/lib/daypass"
    @Flag(help: "Leaves the network out.") var offline = false
    @Option(help: ArgumentHelp("How it answers.", valueName: "text|json")) var format = OutputFormat.text

    private struct Check {
        let name: String
        /// What was found; nil when the check is not good, and then `problem` says why.
        var found: String?
        var problem: String?
    }

    func run() throws {
        var checks: [Check] = []
        let settings = check("configuration", &checks) { () throws(AgentError) in
            let settings = try configuration.load()
            return (settings, "\(try settings.clientIdentity()), \(try settings.tunnelURL())")
        }
        if let settings {
            check("key", &checks) { () throws(AgentError) in
                let folder = KeyFolder(try settings.keyFolder())
                return (try folder.load(), folder.privatePath)
            }
            check("transport", &checks) { () throws(AgentError) in
                _ = try settings.tunnelSettings(machine: hostName())
                return ((), try settings.trust().fingerprint ?? "the system's roots")
            }
            if !offline {
                check("server", &checks) { () throws(AgentError) in
                    let security = try HTTPExchange.reach(
                        try settings.tunnelURL(), trust: try settings.trust(),
                        proxies: try ProxySettings(environment))
                    return ((), "reached, \(security)")
                }
            }
        }
        check("service", &checks) { () throws(AgentError) in
            let socket = HostLayout(runtime: absolutePath(runtimeFolder)).sessionSocket
            guard try SystemFiles().kind(socket) != nil else {
                throw AgentError(.notFound, "no agent runs", hint: "systemctl start daypass-agent-tunnel")
            }
            return ((), "its socket is there")
        }
        check("log", &checks) { () throws(AgentError) in
            let layout = HostLayout(state: absolutePath(stateFolder))
            guard let standing = try HostWitness(layout, name: hostName()).standing() else {
                return ((), "not seen yet")
            }
            if let refusal = standing.refusal {
                throw AgentError(.damaged, "\(standing.origin) was rewritten or cut: \(refusal)")
            }
            return ((), "\(standing.size) entries of \(standing.origin) seen and cosigned by \(standing.key)")
        }
        show(checks)
        if checks.contains(where: { $0.found == nil }) { throw ExitCode(ExitStatus.failed) }
    }

    @discardableResult
    private func check<Value>(
        _ name: String, _ checks: inout [Check], _ body: () throws(AgentError) -> (Value, String)
    ) -> Value? {
        do throws(AgentError) {
            let (value, found) = try body()
            checks.append(Check(name: name, found: found))
            return value
        } catch {
            checks.append(Check(name: name, problem: error.reason))
            return nil
        }
    }

    private func show(_ checks: [Check]) {
        switch format {
        case .text:
            Table(
                ["check", "", ""],
                checks.map {
                    [
                        $0.name, $0.found == nil ? "bad" : "good",
                        ($0.found ?? $0.problem ?? "").escapedForTerminal,
                    ]
                }
            ).print()
        case .json:
            let values = checks.map { check in
                JSONValue.object([
                    .init("check", .string(check.name)), .init("good", .bool(check.found != nil)),
                    .init(
                        check.found == nil ? "problem" : "found", .string(check.found ?? check.problem ?? "")),
                ])
            }
            Terminal.say(JSONValue.object([.init("checks", .array(values))]).text)
        }
    }
}
