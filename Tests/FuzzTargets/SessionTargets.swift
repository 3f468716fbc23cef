// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension FuzzTarget {
    /// JSON as our messages and records have it.
    static let json = FuzzTarget("json") { input throws(BrokenProperty) in
        guard let value = try attempt({ try JSONValue(parsing: input, maximumBytes: 4 << 10) }) else {
            return .refused
        }
        let text = value.text
        try requireOneLine(text, "written JSON")
        // Escapes make it up to six times as long.
        let again = try attempt { try JSONValue(parsing: Array(text.utf8), maximumBytes: 32 << 10) }
        try require(again == value, "what is written is read back")
        return .accepted
    }

    /// A report of the session hook, or a request to end a session.
    static let sessionReport = FuzzTarget("session-report", maximumBytes: 8 << 10) {
        input throws(BrokenProperty) in
        let request = try attempt { try KillRequest(parsing: input) }
        if let request {
            try require(
                try attempt { try KillRequest(parsing: request.encoded) } == request, "a request is read back"
            )
        }
        guard let report = try attempt({ try SessionReport(parsing: input) }) else {
            return request == nil ? .refused : .accepted
        }
        try require(
            try attempt { try SessionReport(parsing: report.encoded) } == report, "a report is read back")
        return .accepted
    }

    /// A line of session records.
    static let sessionRecord = FuzzTarget("session-record", maximumBytes: 8 << 10) {
        input throws(BrokenProperty) in
        guard let record = try attempt({ try SessionRecord(parsing: input) }) else { return .refused }
        let line = record.line
        try requireOneLine(String(decoding: line, as: UTF8.self), "a record")
        try require(try attempt { try SessionRecord(parsing: line) } == record, "a record is read back")
        return .accepted
    }
}
