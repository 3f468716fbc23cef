// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What the arguments say; unknown and senseless ones are refused.
struct Options {
    var socket: String
    var spool = "/var/lib/daypass/spool"
    var principals = "/etc/daypass/principals"
    var milliseconds = 200
    var enforces = false

    /// - Parameter flags: the flags that this form of the program has.
    /// - Returns: nil for wrong arguments.
    init?(_ arguments: some Collection<String>, flags: Set<String>, socket: String) {
        self.socket = socket
        var rest = arguments[...]
        while let flag = rest.popFirst() {
            guard flags.contains(flag) else { return nil }
            if flag == "--enforce" {
                enforces = true
                continue
            }
            guard let value = rest.popFirst() else { return nil }
            if flag == "--timeout" {
                guard let number = Int(value), (1...10_000).contains(number) else { return nil }
                milliseconds = number
                continue
            }
            guard value.hasPrefix("/"), !value.utf8.contains(0) else { return nil }
            switch flag {
            case "--socket": self.socket = value
            case "--spool": spool = value
            default: principals = value
            }
        }
    }
}
