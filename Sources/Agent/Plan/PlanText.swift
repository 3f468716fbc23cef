// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// How plans are shown.
enum PlanText {
    /// The longest line of a file that is shown whole, in bytes: over it is base64, which nobody reads.
    static let maximumShownBytes = 1_024

    static func fingerprint(_ bytes: [UInt8]) -> String {
        "SHA256:" + Base64.encode(Digest.sha256(bytes).span, padded: false)
    }

    /// "0644 root:root", numbers where they are not root's.
    static func describe(_ attributes: FileAttributes) -> String {
        let octal = String(attributes.mode, radix: 8)
        let mode = String(repeating: "0", count: max(0, 4 - octal.count)) + octal
        let label = attributes.securityLabel.map {
            " " + String(decoding: $0, as: UTF8.self).escapedForTerminal
        }
        return "mode \(mode), owner \(name(attributes.owner)):\(name(attributes.group))" + (label ?? "")
    }

    private static func name(_ number: UInt32) -> String { number == 0 ? "root" : String(number) }

    /// True for content that is no text: it holds NUL, or is not UTF-8.
    static func isBinary(_ bytes: [UInt8]) -> Bool {
        bytes.contains(0) || String(validating: bytes, as: UTF8.self) == nil
    }

    /// The lines that show how a file's content changes.
    static func diff(_ before: [UInt8], _ after: [UInt8]) -> [String] {
        guard !isBinary(before), !isBinary(after) else {
            var lines: [String] = []
            if !before.isEmpty { lines.append("- \(before.count) bytes, \(fingerprint(before))") }
            if !after.isEmpty { lines.append("+ \(after.count) bytes, \(fingerprint(after))") }
            return lines
        }
        return LineDiff(before, after).text
    }
}

extension HostChange {
    /// What is done, one word.
    public var action: String {
        switch self {
        case .folder(_, let before, let after):
            after == nil ? "remove" : before == nil ? "make" : "change"
        case .file(_, let before, let after):
            after == nil ? "remove" : before == nil ? "make" : "change"
        }
    }

    /// The change for people, line by line; what comes from files is escaped.
    var shownLines: [String] {
        let path = path.escapedForTerminal
        switch self {
        case .folder(_, let before, let after):
            guard let after else { return ["    unless something else is in it"] }
            guard let before else { return ["    \(PlanText.describe(after))"] }
            return ["    \(PlanText.describe(before)) -> \(PlanText.describe(after))"]
        case .file(_, let before, let after):
            var lines: [String] = []
            switch (before?.attributes, after?.attributes) {
            case (nil, let new?): lines.append("    \(PlanText.describe(new))")
            case (let old?, let new?) where old != new:
                lines.append("    \(PlanText.describe(old)) -> \(PlanText.describe(new))")
            case (let old?, nil): lines.append("    \(PlanText.describe(old))")
            default: break
            }
            let diff = PlanText.diff(before?.bytes ?? [], after?.bytes ?? [])
            guard !diff.isEmpty else { return lines }
            lines.append("--- \(before == nil ? "/dev/null" : path)")
            lines.append("+++ \(after == nil ? "/dev/null" : path)")
            return lines + diff
        }
    }
}

extension Plan {
    /// The plan for people: each change with its purpose, owner and mode, and the exact difference of its content.
    public var text: String {
        var lines: [String] = []
        for step in steps {
            let kind = if case .folder = step.change { " folder" } else { "" }
            lines.append(
                "\(step.change.action)\(kind) \(step.change.path.escapedForTerminal): \(step.purpose.escapedForTerminal)"
            )
            lines += step.change.shownLines
            lines.append("")
        }
        if steps.isEmpty { lines.append("nothing to change") }
        lines += notes.map { "note: \($0)" }
        if lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    /// The plan as a program reads it: `changes` in their order, then `notes`.
    public var json: JSONValue {
        .object([
            .init("changes", .array(steps.map(\.json))),
            .init("notes", .array(notes.map { .string($0) })),
        ])
    }
}

extension Plan.Step {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("action", .string(change.action)), .init("path", .string(change.path)),
        ]
        switch change {
        case .folder(_, let before, let after):
            members.append(.init("kind", "folder"))
            members.append(.init("before", before.map { .object($0.json) } ?? .null))
            members.append(.init("after", after.map { .object($0.json) } ?? .null))
        case .file(_, let before, let after):
            members.append(.init("kind", "file"))
            members.append(.init("before", before?.json ?? .null))
            members.append(.init("after", after?.json ?? .null))
            members.append(
                .init(
                    "diff",
                    .array(PlanText.diff(before?.bytes ?? [], after?.bytes ?? []).map { .string($0) })))
        }
        members.append(.init("purpose", .string(purpose)))
        return .object(members)
    }
}

extension FileAttributes {
    fileprivate var json: [JSONValue.Member] {
        let octal = String(mode, radix: 8)
        var members: [JSONValue.Member] = [
            .init("mode", .string(String(repeating: "0", count: max(0, 4 - octal.count)) + octal)),
            .init("owner", .number(Int64(owner))), .init("group", .number(Int64(group))),
        ]
        if let securityLabel {
            members.append(.init("label", .string(String(decoding: securityLabel, as: UTF8.self))))
        }
        return members
    }
}

extension FileContent {
    fileprivate var json: JSONValue {
        .object(
            attributes.json + [
                .init("bytes", .number(Int64(bytes.count))),
                .init("sha256", .string(PlanText.fingerprint(bytes))),
            ])
    }
}
