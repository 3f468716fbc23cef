// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import Glibc
import SSHWire

struct ScanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract: "Shows what static access is left: keys, passwords, CAs in home directories.",
        discussion: """
            Asks sshd itself what holds for each account (sshd -T -C), reads every file of keys that it would read, with \
            the account's own rights, and suggests which keys nobody needs. Changes nothing. docs/scan.md describes \
            the JSON.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "text or json.") var format = Format.text
    @Option(help: ArgumentHelp("sshd's configuration.", valueName: "file"))
    var sshdConfig = "/etc/ssh/sshd_config"
    @Option(help: ArgumentHelp("sshd itself.", valueName: "program")) var sshdBinary = "/usr/sbin/sshd"
    @Option(
        help: ArgumentHelp("The client's address that Match blocks are asked about.", valueName: "address"))
    var address = "192.0.2.1"
    @Option(help: ArgumentHelp("The client's name that Match blocks are asked about.", valueName: "name"))
    var host = "client.invalid"

    @Option(help: ArgumentHelp("Where the agent keeps its records.", valueName: "folder"))
    var stateFolder = HostLayout().state

    func run() throws {
        guard sshdConfig.hasPrefix("/"), sshdBinary.hasPrefix("/") else {
            throw Failure(ExitStatus.usage, "--sshd-config and --sshd-binary: absolute paths expected")
        }
        let accounts = try HostAccount.all()
        let uses = try KeyUses(records: HostLayout(state: stateFolder).sessions)
        if uses.unreadable > 0 {
            Terminal.complain(
                "warning", "\(uses.unreadable) session records cannot be read; uses may be missing")
        }
        var progress = Progress("asking sshd", total: UInt64(accounts.count))
        let scan = Scan(
            sshd: Sshd(binary: sshdBinary, configuration: sshdConfig), address: address, host: host)
        let report = try scan.run(
            accounts: accounts, uses: uses, now: UnixTime(seconds: UInt64(clamping: time(nil))),
            zoneOffset: Self.zoneOffset()
        ) { done, _ in progress.update(UInt64(done)) }
        progress.finish()
        switch format {
        case .json: Terminal.say(report.json.text)
        case .text: ScanText(report).print()
        }
    }

    /// Seconds by which this host's local time is ahead of UTC, now: what sshd takes an expiry-time without Z in.
    private static func zoneOffset() -> Int? {
        var now = time(nil)
        var local = unsafe tm()
        guard unsafe localtime_r(&now, &local) != nil else { return nil }
        return unsafe local.tm_gmtoff
    }
}
