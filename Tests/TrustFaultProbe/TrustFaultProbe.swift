// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import Glibc
import SSHWire

/// Changes trust on a host of a test's own, where one thing goes wrong.
///
/// Arguments: `install`, `remove` or `recover`, or what ``GrantFaults`` does; the host's folder (`sshd_config`, `ca.pub`, `etc`, `state`, `run` in
/// it); a kind of ``Fault``; its place, from 1; perhaps `login`, for the proof by logins. sshd is told by what
/// `reload` in the folder holds, a program and its arguments, one a line.
///
/// Exit: 0 done, the fault did not come; 20 done although it came; 10 an error, and it came; 1 an error without it.
@main struct TrustFaultProbe {
    static func main() {
        do {
            try run()
        } catch {
            print("\(error.code): \(error.reason)")
            exit(1)
        }
    }

    private static func run() throws(AgentError) {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 4, let kind = Fault.Kind(rawValue: arguments[2]),
            let place = Int(arguments[3])
        else {
            throw AgentError(.invalidRequest, "an action, a folder, a fault and its place expected")
        }
        let (action, folder) = (arguments[0], arguments[1])
        let fault = Fault(kind, at: place)
        let layout = HostLayout(
            configuration: folder + "/etc", state: folder + "/state", runtime: folder + "/run")
        do throws(AgentError) {
            if GrantFaults.actions.contains(action) {
                try GrantFaults.perform(action, folder, fault)
                exit(fault.wasHit ? 20 : 0)
            }
            try change(action, folder, layout, fault, logsIn: arguments.dropFirst(4).contains("login"))
        } catch {
            print("\(error.code.rawValue): \(error.reason)")
            exit(fault.wasHit ? 10 : 1)
        }
        exit(fault.wasHit ? 20 : 0)
    }

    private static func change(
        _ action: String, _ folder: String, _ layout: HostLayout, _ fault: Fault, logsIn: Bool
    ) throws(AgentError) {
        let files = SystemFiles()
        let faulty = FaultyFiles(fault)
        let programs = FaultyPrograms(fault)
        let planner = Sshd(binary: "/usr/sbin/sshd", configuration: folder + "/sshd_config")
        let sshd = Sshd(
            binary: "/usr/sbin/sshd", configuration: folder + "/sshd_config", programs: programs)
        if action == "recover" {
            _ = try TrustRecovery.recoverIfNeeded(
                layout: layout, files: faulty, programs: programs, lockSeconds: 0)
            return
        }
        let applier = ChangeApplier(layout: layout, files: faulty, programs: programs)
        let command = try files.read(folder + "/reload").map { content in
            content.bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        }
        let login = ChangeOptions.Proof.login(account: "root")
        if action == "remove" {
            let plan = try TrustPlanner.removal(host: files, sshd: planner, layout: layout)
            _ = try applier.apply(
                plan, to: sshd,
                ChangeOptions(action: .remove, proof: .settings, lockSeconds: 0, reloadCommand: command))
            return
        }
        let settings = try settings(folder, files)
        let plan = try TrustPlanner.plan(settings, host: files, sshd: planner, layout: layout)
        let expected = TrustPlanner.wantedSettings(settings, layout).map { ExpectedSetting($0, $1) }
        _ = try applier.apply(
            plan, to: sshd,
            ChangeOptions(
                action: .install, proof: logsIn ? login : .settings, expected: expected, seconds: 5,
                lockSeconds: 0, reloadCommand: command))
    }

    /// The same at each run, byte for byte.
    private static func settings(_ folder: String, _ files: SystemFiles) throws(AgentError) -> TrustSettings {
        let path = folder + "/ca.pub"
        guard let content = try files.read(path) else { throw AgentError(.file, "no \(path)") }
        var settings = try TrustSettings(
            authorities: try TrustSettings.AuthorityKey.parse(content.bytes, name: path))
        settings.principals = [
            try AccountPrincipals(try AccountName("root"), ["root", "admin"], replacesExisting: true),
            try AccountPrincipals(try AccountName("daemon"), ["daemon"], replacesExisting: true),
        ]
        settings.unixSeconds = 1_700_000_000
        return settings
    }
}
