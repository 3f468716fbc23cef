// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import Agent
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
#endif
