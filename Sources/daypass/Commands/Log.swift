// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire
import TransparencyLog

struct Log: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read, prove and verify what the CA has done.",
        subcommands: [
            LogList.self, LogShow.self, LogVerify.self, LogProve.self, LogExport.self, LogRecover.self,
            LogWitnesses.self,
        ])
}

/// An entry as programs read it: the fields that its kind has.
struct EntryReport: Encodable {
    let index: UInt64
    let time: String
    let requester: String
    let event: String
    let summary: String
    let serial: String?
    let keyID: String?
    let principals: [String]?
    let validAfter: String?
    let validBefore: String?
    let fingerprint: String?
    let authority: String?
    let reasons: [String]?
    /// The access request that it is about.
    let request: String?
    /// What was asked for, or signed.
    let text: String?
    /// The SSHSIG signature over the text, armoured.
    let signature: String?

    init(_ index: UInt64, _ entry: LogEntry) {
        self.index = index
        time = "\(UnixTime(seconds: entry.milliseconds / 1_000))"
        requester = entry.requester.text.string
        event = entry.event.name
        summary = entry.event.summary
        let fields: CertificateFields? =
            if case .issuance(let record) = entry.event { record.fields } else { nil }
        serial = fields.map { String($0.serial) } ?? entry.event.revokedSerial
        keyID = fields?.keyID.string
        validAfter = fields.map { "\($0.validAfter)" }
        validBefore = fields.map { "\($0.validBefore)" }
        authority = fields?.signatureKey.fingerprint
        (text, signature) = entry.event.signed
        request =
            switch entry.event {
            case .decision(let record): record.request?.string
            case .request(let record): record.request.string
            case .approval(let record): record.request.string
            default: nil
            }
        switch entry.event {
        case .issuance(let record):
            (principals, fingerprint, reasons) = (
                record.fields.principals.map(\.string), record.fields.key.fingerprint, nil
            )
        case .refusal(let record):
            principals = record.principals.map(\.string)
            (fingerprint, reasons) = (record.keyFingerprint.string, record.reasons.map(\.string))
        case .revocation(let record):
            (principals, fingerprint, reasons) = (nil, nil, [record.reason.string])
        case .authority(let record): (principals, fingerprint, reasons) = (nil, record.key.fingerprint, nil)
        case .decision(let record):
            (principals, fingerprint) = (nil, record.keyFingerprint.string)
            reasons = record.reasons.map(\.string)
        case .login(let record):
            (principals, fingerprint, reasons) = (nil, record.keyFingerprint.string, [record.reason.string])
        case .hostEvent(let record):
            (principals, fingerprint, reasons) = (nil, record.keyFingerprint.string, [record.reason.string])
        case .approval(let record):
            (principals, fingerprint, reasons) = (nil, nil, [record.reason.string])
        case .alert(let record):
            (principals, fingerprint, reasons) = (nil, nil, [record.detail.string])
        case .fleetTrust(let record):
            (principals, fingerprint, reasons) = (nil, record.root.fingerprint, nil)
        case .recovery, .change, .request: (principals, fingerprint, reasons) = (nil, nil, nil)
        }
    }
}

extension LogEntry.Event {
    /// The event's kind in a word.
    var name: String {
        switch self {
        case .issuance: "issued"
        case .refusal: "refused"
        case .revocation: "revoked"
        case .authority(let record):
            switch record.change {
            case .created: "key-created"
            case .imported: "key-imported"
            case .entrusted: "key-in-agent"
            }
        case .recovery: "recovered"
        case .decision(let record): record.verdict.name.replacing(" ", with: "-")
        case .login(let record):
            switch record.change {
            case .started: "session-started"
            case .ended: "session-ended"
            case .refused: "login-refused"
            }
        case .change(let record):
            "\(record.subject.name.lowercased().replacing(" ", with: "-"))-\(record.isPresent ? "set" : "removed")"
        case .hostEvent(let record): "session-\(record.kind.name)"
        case .request(let record): record.grantedUntil.seconds == 0 ? "access-requested" : "break-glass"
        case .approval(let record):
            switch record.change {
            case .reviewed: "break-glass-reviewed"
            case .refused: "approval-refused"
            case .approved, .denied, .withdrawn, .revoked: "access-\(record.change.name)"
            }
        case .alert(let record):
            "alert-\(record.subject.name.replacing(" ", with: "-"))\(record.isPresent ? "" : "-over")"
        case .fleetTrust: "fleet-trust"
        }
    }

    /// One line for people; escaped.
    var summary: String {
        switch self {
        case .issuance(let record):
            let fields = record.fields
            return "\(fields.kind.name) \(fields.keyID.string.escapedForTerminal) for "
                + fields.principals.map(\.string.escapedForTerminal).joined(separator: ",")
                + " until \(fields.validBefore)"
        case .refusal(let record):
            return "\(record.kind.name) \(record.identity.text.string.escapedForTerminal): "
                + record.reasons.map(\.string.escapedForTerminal).joined(separator: "; ")
        case .revocation(let record):
            let what =
                switch record.target {
                case .serial(let serial, _): "serial \(serial)"
                case .keyID(let keyID, _): "key ID \(keyID.string.escapedForTerminal)"
                case .key(let key): "key \(key.fingerprint)"
                }
            return "\(what): \(record.reason.string.escapedForTerminal)"
        case .authority(let record): return "\(record.role.name) key \(record.key.fingerprint)"
        case .recovery(let record): return "going on from a backup; \(record.knownSize) entries were known"
        case .decision(let record):
            let reasons = record.reasons.map(\.string.escapedForTerminal).joined(separator: "; ")
            return "\(record.login.string.escapedForTerminal) on \(record.host.string.escapedForTerminal)"
                + (record.rule.isEmpty ? "" : ", rule \(record.rule.string.escapedForTerminal)")
                + (reasons.isEmpty ? "" : ": \(reasons)")
        case .login(let record):
            return "\(record.identity) by \(record.provider.string.escapedForTerminal)"
                + (record.reason.isEmpty ? "" : ": \(record.reason.string.escapedForTerminal)")
        case .change(let record):
            return "\(record.name.string.escapedForTerminal)"
                + (record.detail.isEmpty ? "" : ": \(record.detail.string.escapedForTerminal)")
        case .hostEvent(let record):
            return "\(record.account.string.escapedForTerminal) on \(record.host.string.escapedForTerminal)"
                + (record.keyID.isEmpty ? "" : " by \(record.keyID.string.escapedForTerminal)")
                + (record.match == .none ? "" : ": \(record.match.name)")
                + (record.gap.map { $0.isEmpty ? "" : "; gap: \($0.string.escapedForTerminal)" } ?? "")
                + (record.reason.isEmpty ? "" : "; \(record.reason.string.escapedForTerminal)")
        case .request(let record):
            // The lines behind authority and id say who wants what.
            return record.text.string.split(separator: "\n").dropFirst(3).joined(separator: ", ")
                .escapedForTerminal
        case .approval(let record):
            return "request \(record.request.string) of \(record.person)".escapedForTerminal
                + (record.grantedUntil.seconds == 0 ? "" : ", granted until \(record.grantedUntil)")
                + (record.reason.isEmpty ? "" : ": \(record.reason.string.escapedForTerminal)")
        case .alert(let record):
            return "\(record.host.isEmpty ? "" : "\(record.host.string.escapedForTerminal): ")"
                + "\(record.amount)\(record.isPresent ? "" : ", over")"
                + (record.detail.isEmpty ? "" : ": \(record.detail.string.escapedForTerminal)")
        case .fleetTrust(let record):
            return "statement \(record.version) by \(record.root.fingerprint)"
        }
    }

    /// What was signed, and the signature over it: of requests, approvals and statements; what can't be read is left out.
    fileprivate var signed: (text: String?, signature: String?) {
        switch self {
        case .request(let record): return (record.text.string, nil)
        case .approval(let record) where !record.text.isEmpty:
            return (record.text.string, (try? SSHSignature(encoded: record.signature))?.armoured)
        case .fleetTrust(let record):
            return (record.statement.string, (try? SSHSignature(encoded: record.signature))?.armoured)
        default: return (nil, nil)
        }
    }

    fileprivate var revokedSerial: String? {
        if case .revocation(let record) = self, case .serial(let serial, _) = record.target {
            return String(serial)
        }
        return nil
    }
}

struct LogList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the log's entries, oldest first.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var format: FormatOptions

    @Option(help: ArgumentHelp("Start at this entry.", valueName: "N"))
    var from: UInt64 = 0

    @Option(help: ArgumentHelp("Show so many, the newest unless --from is given (0: all).", valueName: "N"))
    var limit: UInt64 = 50

    func run() throws {
        let ledger = try CAHome(home).ledger()
        let size = try ledger.size()
        let start = from > 0 || limit == 0 || size <= limit ? from : size - limit
        var reports: [EntryReport] = []
        try ledger.forEachEntry(from: start) { index, bytes in
            reports.append(EntryReport(index, try LogEntry(encoded: bytes)))
            return limit == 0 || reports.count < limit
        }
        guard format.format == .text else { return try JSONOutput.write(reports) }
        Table(
            ["ENTRY", "TIME", "BY", "EVENT", "WHAT"],
            reports.map {
                [String($0.index), $0.time, $0.requester.escapedForTerminal, $0.event, $0.summary]
            }
        ).print()
        if start > 0, from == 0 { Terminal.note("\(start) older entries: daypass log list --limit 0") }
    }
}

struct LogShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one entry, or the log's checkpoint.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var format: FormatOptions

    @Argument(help: ArgumentHelp("The entry's number; without it, the checkpoint.", valueName: "N"))
    var index: UInt64?

    func run() throws {
        let ledger = try CAHome(home).ledger()
        guard let index else { return Terminal.write(try ledger.checkpoint().bytes) }
        guard let bytes = try ledger.entry(at: index) else {
            throw CertAuthorityError(
                .notFound, "the log has \(try ledger.size()) entries, counted from 0; there is no \(index)")
        }
        let report = EntryReport(index, try LogEntry(encoded: bytes.span))
        guard format.format == .text else { return try JSONOutput.write(report) }
        Terminal.say("entry \(index), \(bytes.count) bytes, hash \(MerkleHash.leaf(bytes.span).base64)")
        let rows: [(String, String?)] = [
            ("time", report.time), ("by", report.requester), ("event", report.event),
            ("key ID", report.keyID),
            ("serial", report.serial), ("principals", report.principals?.joined(separator: ", ")),
            ("valid from", report.validAfter), ("valid to", report.validBefore), ("key", report.fingerprint),
            ("CA", report.authority), ("request", report.request),
            ("reasons", report.reasons?.joined(separator: "; ")),
        ]
        for (name, value) in rows {
            if let value { Terminal.say("  \(name.padded(11))\(value.escapedForTerminal)") }
        }
        for line in report.text?.split(separator: "\n") ?? [] {
            Terminal.say("    \(String(line).escapedForTerminal)")
        }
    }
}
