// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Glibc

/// Gives or takes back one grant on a test's own host, or sweeps it, where one thing goes wrong.
enum GrantFaults {
    static let actions = ["grant", "revoke", "sweep", "expire"]

    /// - Parameters:
    ///   - action: one of ``actions``; `expire` is a sweep two hours later.
    ///   - folder: has `state` and `run`, and `key.pub`; the rest of the host is where it always is, so this runs in a
    ///     mount namespace of its own.
    static func perform(_ action: String, _ folder: String, _ fault: Fault) throws(AgentError) {
        let host = ProvisioningHost(
            layout: HostLayout(state: folder + "/state", runtime: folder + "/run"),
            sshd: Sshd(
                binary: "/usr/sbin/sshd", configuration: "/etc/ssh/sshd_config",
                programs: FaultyPrograms(fault)),
            host: "fault", files: FaultyFiles(fault), programs: FaultyPrograms(fault))
        let provisioner = Provisioner(host, lockSeconds: 2)
        var moment = Moment.now
        switch action {
        case "sweep": try provisioner.sweep(at: moment)
        case "expire":
            moment.wall += 7_200 * 1_000_000_000
            try provisioner.sweep(at: moment)
        default:
            let result = provisioner.perform(try data(action, folder), at: moment)
            print(result.message)
            guard result.success else { throw AgentError(.program, result.message) }
        }
    }

    private static func data(_ action: String, _ folder: String) throws(AgentError) -> JSONValue {
        guard action == "grant" else {
            return .object([.init("command", "revokeGrant"), .init("id", "req.1")])
        }
        guard let key = try SystemFiles().read(folder + "/key.pub") else {
            throw AgentError(.file, "no key.pub")
        }
        let line = String(decoding: key.bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return .object([
            .init("command", "grant"), .init("id", "req.1"), .init("user", "carol"),
            .init("keys", .array([.string(line)])), .init("sudo", true), .init("groups", .array(["audio"])),
            .init("until", .number(Int64(clamping: unixSeconds() + 3_600))),
        ])
    }
}
