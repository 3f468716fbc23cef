// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension FuzzTarget {
    /// A JSON text as our messages and records have it.
    static let json = FuzzTarget("json") { input throws(BrokenProperty) in
        guard let value = try attempt({ try JSONValue(parsing: input, maximumBytes: 4 << 10) }) else {
            return .refused
        }
        let text = value.text
        try requireOneLine(text, "a written value")
        let again = try attempt { try JSONValue(parsing: Array(text.utf8), maximumBytes: 64 << 10) }
        try require(again == value, "a value is read back")
        try require(again?.text == text, "a value has one text")
        return .accepted
    }

    /// What the session hook sends.
    static let sessionReport = FuzzTarget("session-report") { input throws(BrokenProperty) in
        guard let report = try attempt({ try SessionReport(parsing: input) }) else { return .refused }
        let again = try attempt { try SessionReport(parsing: report.encoded) }
        try require(again == report, "a report is read back")
        return .accepted
    }

    /// A line of a host's session records.
    static let sessionRecord = FuzzTarget("session-record", maximumBytes: 8 << 10) {
        input throws(BrokenProperty) in
        guard let record = try attempt({ try SessionRecord(parsing: input) }) else { return .refused }
        let line = record.line
        try requireOneLine(String(decoding: line, as: UTF8.self), "a record's line")
        try require(try attempt { try SessionRecord(parsing: line) } == record, "a record is read back")
        return .accepted
    }
}
