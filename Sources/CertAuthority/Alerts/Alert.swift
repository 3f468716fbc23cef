// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// An entry of the log that somebody should look at.
public struct Alert: Sendable, Hashable {
    /// The entry's place in the log.
    public let index: UInt64
    /// When it was recorded, in milliseconds since 1970.
    public let milliseconds: UInt64
    public let event: AlertEvent
    /// The host's id; empty where it is about none, or about several.
    public let host: String
    /// What is known beside, in the order for people: names from ``Field``, values as they are in the log.
    public let fields: [(name: Field, value: String)]
    /// What happened, in one line; fit for a terminal.
    public let sentence: String

    /// What else an alert may tell.
    public enum Field: String, Sendable, CaseIterable {
        case session, account, who, source, method, key, serial, reason, gap, seconds, count, request, until
    }

    /// - Returns: nil for an entry that is no alert.
    public init?(_ index: UInt64, _ entry: LogEntry) {
        guard let event = AlertEvent(entry.event) else { return nil }
        self.index = index
        self.event = event
        milliseconds = entry.milliseconds
        switch entry.event {
        case .hostEvent(let record):
            host = record.host.string
            fields = Self.fields(record)
            sentence = Self.sentence(record, event)
        case .alert(let record):
            host = record.host.string
            let amount: (Field, String) =
                switch record.subject {
                case .hostSilent, .clockOff: (.seconds, String(record.amount))
                case .undelivered: (.count, String(record.amount))
                case .test, .logRefused: (.seconds, "")
                }
            fields = Self.known([
                amount, (.who, record.subject == .test ? entry.requester.text.string : ""),
                (.reason, record.detail.string),
            ])
            sentence = Self.sentence(record, entry.requester)
        case .request(let record):
            host = ""
            let reason = Self.line("reason", of: record.text.string)
            fields = Self.known([
                (.who, entry.requester.text.string), (.account, Self.line("login", of: record.text.string)),
                (.source, record.sourceAddress.string), (.request, record.request.string),
                (.until, "\(record.grantedUntil)"), (.reason, reason),
            ])
            let hosts = Self.lines("host", of: record.text.string).joined(separator: ", ")
            sentence =
                ("\(entry.requester) took access without approval: "
                + "\(Self.line("login", of: record.text.string)) on \(hosts): \(reason)").escapedForTerminal
        default: return nil
        }
    }

    public static func == (one: Alert, other: Alert) -> Bool {
        one.index == other.index && one.sentence == other.sentence
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(index) }

    private static func known(_ fields: [(Field, String)]) -> [(name: Field, value: String)] {
        fields.filter { !$0.1.isEmpty }.map { (name: $0.0, value: $0.1) }
    }

    private static func fields(_ record: HostEventRecord) -> [(name: Field, value: String)] {
        known([
            (.session, record.session.string), (.account, record.account.string), (.who, record.who),
            (.source, record.sourceAddress.string), (.method, record.method.string),
            (.key, record.keyFingerprint.string), (.serial, record.serial == 0 ? "" : String(record.serial)),
            (.reason, record.reason.string), (.gap, record.gap?.string ?? ""),
        ])
    }

    private static func sentence(_ record: HostEventRecord, _ event: AlertEvent) -> String {
        let place = record.host.string.escapedForTerminal
        var text = ""
        if event != .gap {
            let account = record.account.isEmpty ? "somebody" : record.account.string.escapedForTerminal
            let done =
                switch record.kind {
                case .opened: "\(account) logged in"
                case .closed: "the session of \(account) ended"
                case .refused: "\(account) was refused"
                case .killed: "the session of \(account) was ended"
                case .other: "something was reported of \(account)"
                }
            let certificate = "(serial \(record.serial), \(record.keyID.string.escapedForTerminal))"
            let how =
                switch event {
                case .staticKey: "by a static key \(record.keyFingerprint.string.escapedForTerminal)"
                case .noKey: "without a key (\(record.method.string.escapedForTerminal))"
                case .neverIssued: "by a certificate that was never issued \(certificate)"
                case .notAsIssued: "by a certificate that is not as it was issued \(certificate)"
                case .otherAuthority:
                    "by a certificate of another authority \(record.authority.string.escapedForTerminal)"
                case .revoked: "by a certificate that is revoked \(certificate)"
                default: "by something that can't be read"
                }
            let from =
                record.sourceAddress.isEmpty ? "" : " from \(record.sourceAddress.string.escapedForTerminal)"
            text = "\(done)\(from) \(how)"
        }
        if record.hasGap {
            let gap = record.gap?.string ?? record.reason.string
            text += (text.isEmpty ? "" : "; ") + "the host's records: \(gap.escapedForTerminal)"
        }
        return "\(place): \(text)"
    }

    private static func sentence(_ record: AlertRecord, _ requester: Identity) -> String {
        let host = record.host.string.escapedForTerminal
        let detail = record.detail.isEmpty ? "" : ": \(record.detail.string.escapedForTerminal)"
        switch record.subject {
        case .hostSilent:
            return record.isPresent
                ? "\(host) has not reported for \(spell(record.amount))\(detail)"
                : "\(host) reports again, after \(spell(record.amount))\(detail)"
        case .clockOff:
            return record.isPresent
                ? "\(host): the clock is \(spell(record.amount)) off\(detail)"
                : "\(host): the clock is right again\(detail)"
        case .logRefused:
            return record.isPresent
                ? "\(host) saw another log than this one\(detail)" : "\(host) cosigns the log again\(detail)"
        case .undelivered: return "\(record.amount) alerts were not delivered\(detail)"
        case .test: return "a test by \(requester.description.escapedForTerminal)"
        }
    }

    /// The values of the lines of a request's text that begin with a word (docs/formats/approval.md).
    private static func lines(_ word: String, of text: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix(word + " ") }.map {
            String($0.dropFirst(word.count + 1))
        }
    }

    private static func line(_ word: String, of text: String) -> String { lines(word, of: text).first ?? "" }
}
