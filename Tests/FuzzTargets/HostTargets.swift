// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import Agent
    import ControlProtocol
    import SSHWire

    extension FuzzTarget {
        /// Lines of sshd's own log, as rsyslog writes them: whatever a stranger typed is in them.
        static let sshdLog = FuzzTarget("sshd-log") { input throws(BrokenProperty) in
            var reader = SshdLogReader()
            var outcome = Outcome.refused
            for line in input.split(separator: UInt8(ascii: "\n")) {
                guard let entry = SshdLogEntry(line: Array(line), origin: "boot") else { continue }
                let events = reader.read(entry)
                if !events.isEmpty { outcome = .accepted }
            }
            try require(
                reader.open.count <= SshdLogReader.maximumConnections, "the table of connections is bounded")
            return outcome
        }

        /// A file of sshd's configuration.
        static let sshdConfiguration = FuzzTarget("sshd-config") { input throws(BrokenProperty) in
            guard let lines = try attempt({ try ConfigurationLine.parse(input, name: "sshd_config") }) else {
                return .refused
            }
            let count = input.split(separator: UInt8(ascii: "\n")).count
            try require(lines.count <= count, "a line is at most one directive")
            return .accepted
        }

        /// What the control plane asks of a host.
        static let hostOperation = FuzzTarget("host-operation") { input throws(BrokenProperty) in
            guard let data = try? JSONValue(parsing: input, maximumBytes: input.count),
                let operation = try attempt({ try HostOperation(data) })
            else { return .refused }
            // What is not read the same twice would be recorded as something else than was decided.
            let again = try attempt { try HostOperation(data) }
            try require(again == operation, "an operation is read the same twice")
            guard case .grant(let grant) = operation else { return .accepted }
            try require(
                !grant.account.text.utf8.contains { $0 < 0x2d || $0 > 0x7a }, "accounts are plain names")
            try require(grant.holdsSomewhere, "a grant has a time in which it holds")
            return .accepted
        }

        /// A line of `journalctl -o json`.
        static let journalLine = FuzzTarget("journal-line") { input throws(BrokenProperty) in
            guard let read = try attempt({ try SshdLogEntry(journalLine: input) }), let entry = read else {
                return .refused
            }
            var reader = SshdLogReader()
            _ = reader.read(entry)
            return .accepted
        }
    }

    extension Grant {
        fileprivate var holdsSomewhere: Bool { (notBefore ?? .always) < (until ?? .forever) }
    }
#endif
