// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension GrantRequest {
    /// What whoever approves the request signs, and what the log keeps (docs/formats/approval.md): everything that is
    /// asked for, a line each, in one order. Two requests have one text only if they are one.
    ///
    /// - Parameter origin: the authority's name, so that an approval is good for one authority.
    public func text(origin: String) -> String {
        var lines = [
            "daypass approval", "origin \(origin)", "request \(id)", "person \(person)",
        ]
        // No value has a line's end in it, and each line says which field it is: nothing can be read in two ways.
        lines += hosts.map { "host \($0)" }
        lines += ["login \(login)", "sudo \(wantsSudo ? "yes" : "no")"]
        lines += permissions.map(\.rawValue).sorted().map { "permission \($0)" }
        if let forceCommand { lines.append("command \(forceCommand)") }
        if let key { lines.append("key \(key.text)") }
        lines += ["seconds \(duration)", "rule \(rule)"]
        if isBreakGlass { lines.append("break-glass yes") }
        lines.append("reason \(reason)")
        if let ticket { lines.append("ticket \(ticket)") }
        lines += ["created \(created.seconds)", "expires \(expires.seconds)"]
        return lines.joined(separator: "\n") + "\n"
    }
}
