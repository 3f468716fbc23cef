// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What changes for logins with the online check, or without it.
extension TrustInstallation {
    /// Says whom the online check keeps out, and that it goes where it is not asked for any more.
    mutating func noteOnlineCheck() throws(AgentError) {
        guard settings.onlineCheck != nil else {
            if recorded?.settings.contains(where: { $0.keyword == Self.command }) ?? false {
                notes.append("--online-check is not given: sshd will not ask the agent any more")
            }
            return
        }
        var contents: [String: [UInt8]] = [:]
        for name in try files.list(layout.principals) ?? [] where !name.hasPrefix(".") {
            contents[name] = try files.read("\(layout.principals)/\(name)")?.bytes
        }
        for entry in settings.principals where entry.replacesExisting || contents[entry.account.text] == nil {
            contents[entry.account.text] = PrincipalsFolder.content(entry.principals)
        }
        for (name, content) in contents.sorted(by: { $0.key < $1.key }) {
            let lines = OnlineCheck.unprintedLines(of: content)
            guard let first = lines.first else { continue }
            notes.append(
                "\(layout.principals)/\(name.escapedForTerminal) line \(first): "
                    + "\(lines.count == 1 ? "it lets" : "it and \(lines.count - 1) more let") nobody in with --online-check, "
                    + "which takes plain principals alone (letters, digits and ._-@+=/:$)")
        }
    }

    private static var command: String { "authorizedprincipalscommand" }
}
