// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import Glibc
import SSHWire

struct UninstallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall",
        abstract: "Ends the tunnel for good: stops the service, deletes its settings and the key.",
        discussion: """
            What sshd trusts stays: daypass-agent trust remove takes that back. Session records stay too. The server still \
            knows the host until an administrator removes it there.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("The service's name.", valueName: "name")) var serviceName =
        "daypass-agent-tunnel"
    @Flag(help: "Asks nobody.") var force = false

    func validate() throws {
        guard !serviceName.isEmpty,
            serviceName.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                    || "-_.@".utf8.contains(byte)
            })
        else { throw ValidationError("--service-name: letters, digits and -_.@ expected") }
    }

    func run() throws {
        let settings = try configuration.load()
        let keys = KeyFolder(try settings.keyFolder())
        if !force {
            Terminal.note(
                "this deletes \(keys.privatePath.escapedForTerminal), its public half and \(configuration.path.escapedForTerminal); go on? (y/N)"
            )
            guard let answer = readLine(), ["y", "Y", "yes", "YES"].contains(answer) else {
                throw Failure("nothing was changed")
            }
        }
        let systemctl = "/usr/bin/systemctl"
        if try SystemFiles().kind(systemctl) == .file || SystemFiles().kind("/bin/systemctl") == .file {
            let result = try SystemPrograms().run(systemctl, ["disable", "--now", "\(serviceName).service"])
            if !result.succeeded { Terminal.complain("warning", "systemctl: \(result.complaint)") }
        }
        let files = SystemFiles()
        for path in [keys.privatePath, keys.publicPath, configuration.path] {
            guard try files.kind(path) != nil else { continue }
            try files.remove(path)
            Terminal.note("removed \(path.escapedForTerminal)")
        }
        if try files.list(keys.path)?.isEmpty == true { try files.removeFolder(keys.path) }
    }
}
