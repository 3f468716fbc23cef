// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// Accounts that no operation gives access to, changes, or ends sessions of.
struct ProtectedAccounts: Sendable {
    /// Names that are nobody's to give, whether this host has them or not.
    private static let names = ["root", "daypass", "daypass-authorize", "toor", "nobody", "sshd"]
    /// "nobody" on Linux, and the number that means "no change" to chown(2).
    private static let numbers: [UInt32] = [0, 65_534, .max]

    let settings: ProvisioningSettings
    /// The first number of people's accounts (`UID_MIN` in login.defs(5)).
    let firstUserID: UInt32
    /// The agent's own account.
    let agent: UInt32

    init(_ settings: ProvisioningSettings, _ host: ProvisioningHost) throws(AgentError) {
        self.settings = settings
        agent = geteuid()
        firstUserID = Self.firstUserID(in: try host.files.read(host.places.loginDefinitions)?.bytes ?? [])
    }

    /// 1000 where the file doesn't say, as shadow's own programs take it.
    static func firstUserID(in definitions: [UInt8]) -> UInt32 {
        for line in definitions.split(separator: UInt8(ascii: "\n")) {
            let words = line.split { $0 == 0x20 || $0 == 0x09 }
            guard words.count >= 2, words[0].elementsEqual("UID_MIN".utf8) else { continue }
            if let number = UInt32(String(decoding: words[1], as: UTF8.self)), number > 0 { return number }
        }
        return 1_000
    }

    /// - Parameter entry: what the name service knows of it; nil for an account that is to be made.
    /// - Throws: `.conflict`, saying why the account is left alone.
    func check(_ name: LocalName, _ entry: AccountEntry?) throws(AgentError) {
        guard let reason = reason(name, entry) else { return }
        throw AgentError(.conflict, "account \(name): protected: \(reason)")
    }

    private func reason(_ name: LocalName, _ entry: AccountEntry?) -> String? {
        if Self.names.contains(name.text) { return "it belongs to the system" }
        if settings.protected.contains(name) { return "this host's provisioning.json lists it" }
        guard let entry else { return nil }
        if entry.userID == agent, agent != 0 { return "it is the agent's own" }
        if Self.numbers.contains(entry.userID) || entry.userID < firstUserID {
            return "user ID \(entry.userID) is a system account's (below UID_MIN \(firstUserID), or reserved)"
        }
        // An empty shell is /bin/sh (passwd(5)).
        let shell = entry.shell.split(separator: "/").last.map(String.init) ?? "sh"
        if ["nologin", "false", "sync", "halt", "shutdown"].contains(shell) {
            return "its shell \(entry.shell.escapedForTerminal) lets nobody log in"
        }
        return nil
    }
}
