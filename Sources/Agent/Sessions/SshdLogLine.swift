// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

extension SshdLogEntry {
    /// Reads one line of a text log: a time, the host's name, "sshd[PID]: " and the message. Everything else is nil.
    ///
    /// The place of each part is counted from the line's start, where nobody but the log's own daemon writes: text
    /// that looks like another line's start is part of the message.
    public init?(line: [UInt8], origin: String) {
        guard line.count <= Self.maximumMessageBytes + 512 else { return nil }
        var rest = line[...]
        if rest.last == 0x0d { rest.removeLast() }
        guard let time = SshdLogTime(from: &rest) else { return nil }
        let host = rest.prefix { $0 != 0x20 }
        guard !host.isEmpty, host.count < rest.count else { return nil }
        rest = rest.dropFirst(host.count + 1)
        let program = rest.prefix { $0 != UInt8(ascii: "[") && $0 != 0x20 && $0 != UInt8(ascii: ":") }
        let name = String(decoding: program, as: UTF8.self)
        guard Self.programs.contains(name) else { return nil }
        rest = rest.dropFirst(program.count)
        guard rest.popFirst() == UInt8(ascii: "[") else { return nil }
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard let pid = Int32(String(decoding: digits.prefix(10), as: UTF8.self)), pid > 0, digits.count <= 10
        else { return nil }
        rest = rest.dropFirst(digits.count)
        guard rest.starts(with: "]: ".utf8) else { return nil }
        self.init(
            time: time, program: name, pid: pid, sender: .unproven, message: Array(rest.dropFirst(3)),
            origin: origin)
        unfold()
    }

    /// Takes "message repeated 3 times: [ …]" apart, rsyslog's words for what it did not write again.
    private mutating func unfold() {
        var text = SshdLogText(message)
        guard text.take("message repeated "), let times: Int = text.takeNumber(), text.take(" times: [ "),
            text.takeLast("]"), (1...1_000_000).contains(times)
        else { return }
        message = Array(text.bytes)
        repeats = times
    }

    /// The most that one object of the journal may have, in bytes: 64 fields of 1 KiB and a message.
    public static let maximumJournalBytes = 256 << 10

    /// Reads one line of `journalctl -o json`: an object whose members are the entry's fields
    /// (systemd.journal-fields(7)). Nil for entries of other programs.
    ///
    /// What begins with an underscore was written by journald, which knows the sender from the kernel. The program is
    /// therefore `_COMM`, the process `_PID`. What the sender says of itself (`SYSLOG_IDENTIFIER`) counts only where
    /// `_COMM` is missing: journald looks it up in /proc, too late for the last words of a process.
    ///
    /// - Throws: what is no JSON object, or one over ``maximumJournalBytes``.
    public init?(journalLine line: [UInt8]) throws(ControlProtocolError) {
        let entry = try JSONValue(parsing: line, maximumBytes: Self.maximumJournalBytes, maximumDepth: 3)
        let command = entry["_COMM"]?.string
        guard let program = command ?? entry["SYSLOG_IDENTIFIER"]?.string, Self.programs.contains(program),
            let pid = entry["_PID"]?.string.flatMap({ Int32($0) }), pid > 0,
            let user = entry["_UID"]?.string.flatMap({ UInt32($0) }),
            let microseconds = (entry["_SOURCE_REALTIME_TIMESTAMP"] ?? entry["__REALTIME_TIMESTAMP"])?.string
                .flatMap({ UInt64($0) }),
            let cursor = entry["__CURSOR"]?.string, cursor.utf8.count <= 512,
            let message = Self.message(entry["MESSAGE"])
        else { return nil }
        self.init(
            time: .wall(microseconds.multipliedReportingOverflow(by: 1_000).partialValue), program: program,
            pid: pid, sender: command == nil ? .goneUser(user) : .user(user), message: message, origin: cursor
        )
    }

    /// A text, or an array of bytes where it is not UTF-8 or holds control characters.
    private static func message(_ value: JSONValue?) -> [UInt8]? {
        if let text = value?.string {
            return text.utf8.count <= maximumMessageBytes ? Array(text.utf8) : nil
        }
        guard let numbers = value?.array, numbers.count <= maximumMessageBytes else { return nil }
        var bytes: [UInt8] = []
        for number in numbers {
            guard let byte = number.number.flatMap({ UInt8(exactly: $0) }) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
