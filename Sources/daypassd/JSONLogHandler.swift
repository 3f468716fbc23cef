// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CommandSupport
import ControlProtocol
import Logging
import SSHWire

/// Writes each message as one line of JSON to standard error.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members: [JSONValue.Member] = [
            .init("time", .string(Self.time)), .init("level", .string(event.level.rawValue)),
            .init("message", .string("\(event.message)")),
        ]
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            members.append(.init(key == "hb.request.id" ? "daypass.request" : key, .string("\(value)")))
        }
        Terminal.note(JSONValue.object(members).text)
    }

    private static var time: String {
        let milliseconds = millisecondsNow()
        let text = "\(UnixTime(seconds: milliseconds / 1_000))"
        let fraction = String(milliseconds % 1_000 + 1_000).dropFirst()
        return text.hasSuffix("Z") ? "\(text.dropLast()).\(fraction)Z" : text
    }
}
