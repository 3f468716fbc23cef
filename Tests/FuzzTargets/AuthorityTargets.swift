// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

extension FuzzTarget {
    /// An entry of the authority's log.
    static let logEntry = FuzzTarget("log-entry", maximumBytes: 8 << 10) { input throws(BrokenProperty) in
        guard let entry = try attempt({ try LogEntry(encoded: input.span) }) else { return .refused }
        try require(try attempt { try entry.encoded() } == input, "an entry has one encoding")
        if case .issuance(let record) = entry.event {
            try require(record.fields.toBeSigned == record.toBeSigned, "the fields are what is signed")
        }
        return .accepted
    }

    /// A CA folder's `config.yaml`.
    static let configuration = FuzzTarget("configuration") { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self),
            let configuration = try attempt({ try CAConfiguration(yaml: text, name: "config.yaml") })
        else { return .refused }
        let again = try attempt { try CAConfiguration(yaml: configuration.yaml, name: "config.yaml") }
        try require(again == configuration, "what is written is read back")
        return .accepted
    }

    /// A span of time.
    static let timeSpan = FuzzTarget("time-span", maximumBytes: 96) { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self),
            let seconds = try attempt({ try parseTimeSpan(text, field: "time") })
        else { return .refused }
        try require(seconds > 0, "a span of time is positive")
        try require(
            try attempt { try parseTimeSpan(spell(seconds), field: "time") } == seconds,
            "a span is read back")
        _ = UnixTime(seconds: seconds).description
        return .accepted
    }
}
