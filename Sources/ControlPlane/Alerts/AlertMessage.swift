// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Crypto
import SSHWire

/// An alert as it is posted to a webhook (docs/formats/alert.md).
struct AlertMessage {
    let alert: Alert
    /// The authority's name.
    let origin: String

    static let version: Int64 = 1
    /// The header with the signature of a body.
    static let signatureHeader = "Daypass-Signature"
    /// The longest text of a Slack message, in characters: hosts' own words have bounds, and services have lower ones.
    private static let maximumSlackCharacters = 2_000

    func body(_ format: ServerConfiguration.Alerts.Format) -> [UInt8] {
        switch format {
        case .json: Array(json.text.utf8)
        case .slack: Array(slack.text.utf8)
        }
    }

    private var json: JSONValue {
        .object([
            .init("version", .number(Self.version)), .init("origin", .string(origin)),
            .init("index", .number(Int64(clamping: alert.index))),
            .init("recorded", .number(Int64(clamping: alert.milliseconds))),
            .init("event", .string(alert.event.rawValue)), .init("host", .string(alert.host)),
            .init("text", .string(alert.sentence)),
            .init("fields", .object(alert.fields.map { .init($0.name.rawValue, .string($0.value)) })),
        ])
    }

    /// Plain text, and nothing that a service would make links, mentions or previews of: hosts have a say in it.
    private var slack: JSONValue {
        let text = "daypass \(origin), entry \(alert.index), \(alert.event.rawValue): \(alert.sentence)"
        return .object([
            .init("text", .string(Self.escape(String(text.prefix(Self.maximumSlackCharacters))))),
            .init("mrkdwn", .bool(false)), .init("parse", .string("none")), .init("link_names", .bool(false)),
            .init("unfurl_links", .bool(false)), .init("unfurl_media", .bool(false)),
        ])
    }

    /// What Slack asks for (`&`, `<` and `>` as entities, so that `<!channel>` is no command), and a zero-width space in
    /// what services that follow Slack's format read as a mention: an `@` that begins a word, or stands before one of
    /// the words for everybody.
    static func escape(_ text: String) -> String {
        var escaped = ""
        var before: Character = " "
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "@", "\u{ff20}":
                escaped.append(character)
                let isWithinWord = before.isLetter || before.isNumber || "._+-".contains(before)
                let next = rest.prefix(8).lowercased()
                if !isWithinWord || wordsForEverybody.contains(where: next.hasPrefix) {
                    escaped += "\u{200b}"
                }
            default: escaped.append(character)
            }
            before = character
        }
        return escaped
    }

    private static let wordsForEverybody = ["here", "channel", "everyone", "all", "group", "team"]

    /// The signature of a body: HMAC-SHA-256 over the time in decimal, a dot, and the body.
    ///
    /// - Parameter seconds: when it is sent, since 1970: whoever checks refuses what is old.
    static func signature(of body: [UInt8], at seconds: UInt64, by key: SymmetricKey) -> String {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Array("\(seconds).".utf8))
        code.update(data: body)
        return "t=\(seconds),v1=\(hexadecimal(Array(code.finalize())))"
    }
}
