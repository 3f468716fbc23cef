// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import SSHWire

struct KRLShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what a revocation list revokes.")

    @OptionGroup var format: FormatOptions

    @Argument(help: ArgumentHelp("The revocation list; - for standard input.", valueName: "KRL"))
    var file: String

    @Flag(help: "Show all of it, not only the first 50 of each kind.")
    var all = false

    func run() throws {
        let bytes = try InputFile.read(file, maximumBytes: KRLFile.maximumBytes)
        let list: KeyRevocationList
        do {
            list = try KeyRevocationList(encoded: bytes)
        } catch {
            throw Failure("\(InputFile.name(file)): \(error.reason)")
        }
        let report = KRLReport(list, bytes: bytes.count, all ? .all : .first)
        guard format.format == .text else { return try JSONOutput.write(report) }
        Terminal.say("\(InputFile.name(file)): revocation list")
        report.print()
    }
}

/// A revocation list as programs read it. Long parts are cut, and say how much is missing.
struct KRLReport: Encodable {
    /// How much of each part to show.
    enum Bound {
        /// The first 50: a list may hold millions.
        case first
        case all

        func cut<Element>(_ elements: some Collection<Element>) -> (shown: [Element], more: Int) {
            let shown = self == .all ? elements.count : Swift.min(50, elements.count)
            return (Array(elements.prefix(shown)), elements.count - shown)
        }
    }

    /// Some of many.
    struct Part<Element: Encodable>: Encodable {
        let count: Int
        let shown: [Element]
        /// How many are left out.
        let more: Int

        init<Source>(
            _ elements: some Collection<Source>, _ bound: Bound, _ transform: (Source) -> Element
        ) {
            count = elements.count
            let part = bound.cut(elements)
            shown = part.shown.map(transform)
            more = part.more
        }
    }

    struct SerialRange: Encodable {
        let first: String
        let last: String
    }

    struct Authority: Encodable {
        /// Nil where it is about every authority's certificates.
        let authority: KeyReport?
        let serialCount: String
        let serialRanges: Part<SerialRange>
        let keyIDs: Part<String>

        enum CodingKeys: String, CodingKey {
            case authority
            case serialCount
            case serialRanges
            case keyIDs = "keyIds"
        }
    }

    struct Key: Encodable {
        let type: String
        let fingerprintSHA256: String
    }

    let bytes: Int
    let version: UInt64
    let generated: String
    let generatedUnix: UInt64?
    let comment: String
    let authorities: [Authority]
    let keys: Part<Key>
    let sha256Fingerprints: Part<String>
    let sha1Fingerprints: Part<String>
    let extensions: [String]

    init(_ list: KeyRevocationList, bytes: Int, _ bound: Bound) {
        self.bytes = bytes
        version = list.version
        let time = UnixTime(seconds: list.generatedUnixSeconds)
        generated = "\(time)"
        generatedUnix = time.calendarSeconds
        comment = list.comment.string
        authorities = list.certificates.map { section in
            Authority(
                authority: section.scope.key.map(KeyReport.init), serialCount: String(section.serials.count),
                serialRanges: Part(section.serials.ranges, bound) {
                    SerialRange(first: String($0.lowerBound), last: String($0.upperBound))
                },
                keyIDs: Part(section.keyIDs, bound, \.string))
        }
        keys = Part(list.keys, bound) {
            Key(type: $0.typeName.string, fingerprintSHA256: $0.fingerprint)
        }
        sha256Fingerprints = Part(list.sha256Digests, bound) {
            "SHA256:" + Base64.encode($0, padded: false)
        }
        sha1Fingerprints = Part(list.sha1Digests, bound) {
            "SHA1:" + Base64.encode($0, padded: false)
        }
        extensions = (list.extensions + list.certificates.flatMap(\.extensions)).map(\.name.string)
    }
}

extension KeyRevocationList.Scope {
    fileprivate var key: PublicKey? { if case .authority(let key) = self { key } else { nil } }
}

extension KRLReport {
    /// Rows for people; what comes from the list is escaped.
    func print() {
        Terminal.say("  version     \(version)")
        Terminal.say("  made        \(generatedUnix == 0 ? "at an unknown time" : generated)")
        Terminal.say("  size        \(bytes) bytes")
        if !comment.isEmpty { Terminal.say("  comment     \(comment.escapedForTerminal)") }
        for authority in authorities { print(authority) }
        print("", keys) { "\($0.type.escapedForTerminal) \($0.fingerprintSHA256)" }
        print(" by SHA-256", sha256Fingerprints) { $0 }
        print(" by SHA-1", sha1Fingerprints) { $0 }
        if !extensions.isEmpty {
            Terminal.say("  extensions  \(extensions.map(\.escapedForTerminal).joined(separator: ", "))")
        }
        if authorities.allSatisfy({ $0.serialRanges.count == 0 && $0.keyIDs.count == 0 }), keys.count == 0,
            sha256Fingerprints.count == 0, sha1Fingerprints.count == 0
        {
            Terminal.say("  nothing is revoked")
        }
    }

    private func print(_ section: Authority) {
        let scope =
            section.authority.map { "signed by \($0.name) \($0.fingerprintSHA256)" }
            ?? "signed by any authority"
        guard section.serialRanges.count > 0 || section.keyIDs.count > 0 else { return }
        Terminal.say("  certificates \(scope)")
        if section.serialRanges.count > 0 {
            Terminal.say("    \(counted(section.serialCount, "serial"))")
            print(section.serialRanges, "range", indent: 6) {
                $0.first == $0.last ? $0.first : "\($0.first)-\($0.last)"
            }
        }
        if section.keyIDs.count > 0 {
            Terminal.say("    \(counted("\(section.keyIDs.count)", "key ID"))")
            print(section.keyIDs, "key ID", indent: 6) { "\"\($0.escapedForTerminal)\"" }
        }
    }

    private func print<Element>(_ name: String, _ part: Part<Element>, _ line: (Element) -> String) {
        guard part.count > 0 else { return }
        Terminal.say("  \(counted("\(part.count)", "key"))\(name)")
        print(part, "key", indent: 4, line)
    }

    private func print<Element>(
        _ part: Part<Element>, _ name: String, indent: Int, _ line: (Element) -> String
    ) {
        let margin = String(repeating: " ", count: indent)
        for element in part.shown { Terminal.say(margin + line(element)) }
        if part.more > 0 {
            Terminal.say("\(margin)… and \(counted("\(part.more)", "more \(name)")) (--all shows them)")
        }
    }

    private func counted(_ number: String, _ name: String) -> String {
        "\(number) \(name)\(number == "1" ? "" : "s")"
    }
}
