// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CommandSupport
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What `inspect` found, for people: rows of a name and a value. Values from files are escaped here.
struct InspectText {
    private var isFirst = true

    /// Shows one thing.
    mutating func show(_ item: InspectedItem, _ report: InspectReport, now: UnixTime) {
        if !isFirst { Terminal.say("") }
        isFirst = false
        var place = InputFile.name(report.file)
        if let line = report.line { place += ":\(line)" }
        switch item.subject {
        case .certificate(let certificate):
            Terminal.say("\(place): \(certificate.fields.kind.name) certificate")
            if let report = report.certificate { show(certificate.fields, report, now) }
        case .key(let key):
            Terminal.say("\(place): public key")
            if let report = report.key { show(report, of: key) }
        case .revocationList:
            Terminal.say("\(place): revocation list")
            report.revocationList?.print()
        case .signature:
            Terminal.say("\(place): signature")
            if let report = report.signature { show(report) }
        }
        row("names", report.names?.escapedForTerminal)
        row("options", report.options?.escapedForTerminal)
        row("comment", report.comment?.escapedForTerminal)
        if let answer = report.revocation {
            row(
                "revoked",
                answer.revoked ? "\(Terminal.paint("REVOKED", "31")) by \(answer.reason ?? "")" : "no")
        }
        rows("warning", report.warnings.map { Terminal.paint($0.text, "33") })
        if let judgement = report.judgement { show(judgement) }
    }

    private func show(_ key: KeyReport, of value: PublicKey) {
        row("type", key.type)
        row("size", "\(key.bits) bits")
        row("SHA256", String(key.fingerprintSHA256.dropFirst("SHA256:".count)))
        row("MD5", String(key.fingerprintMD5.dropFirst("MD5:".count)))
        if key.hardwareBacked { row("kept in", hardware(key)) }
        rows("randomart", key.randomart ?? [])
    }

    private func show(_ signature: SSHSignatureReport) {
        row("namespace", "\"\(signature.namespace.escapedForTerminal)\"")
        row(
            "signed by",
            "\(signature.signer.name) \(signature.signer.bits) \(signature.signer.fingerprintSHA256)")
        row("key ID", signature.signerKeyID.map { "\"\($0.escapedForTerminal)\"" })
        row("serial", signature.signerSerial)
        row("algorithm", "\(signature.algorithm), \(signature.hashAlgorithm)")
        row("checked", "no, that takes the signed file: ssh-keygen -Y verify")
    }

    private func hardware(_ key: KeyReport) -> String {
        "a FIDO authenticator, for \"\((key.application ?? "").escapedForTerminal)\""
    }

    private func show(_ fields: CertificateFields, _ report: CertificateReport, _ now: UnixTime) {
        row("type", report.type)
        row("key", "\(report.key.name) \(report.key.bits) \(report.key.fingerprintSHA256)")
        if report.key.hardwareBacked { row("kept in", hardware(report.key)) }
        let role = report.authorityRole.map { ", this CA's \($0) key" } ?? ""
        row(
            "signed by",
            "\(report.authority.name) \(report.authority.bits) \(report.authority.fingerprintSHA256)\(role)")
        row(
            "signature",
            report.signature.valid
                ? "\(Terminal.paint("valid", "32")), \(report.signature.algorithm)"
                : "\(Terminal.paint("NOT VALID", "31")), \(report.signature.algorithm): \(report.signature.reason ?? "")"
        )
        row("key ID", "\"\(report.keyID.escapedForTerminal)\"")
        row("serial", report.serial)
        row("valid", "\(period(fields)), \(Terminal.paint(report.validity.summary, report.validity.colour))")
        if Terminal.isWatched(STDOUT_FILENO),
            let bar = Validity.bar(from: fields.validAfter, to: fields.validBefore, now: now)
        {
            row("", Terminal.paint(bar, report.validity.colour))
        }
        rows("principals", report.principals.map(\.escapedForTerminal), none: "none")
        rows("critical", report.criticalOptions.map(\.line), none: "none")
        rows("extensions", report.extensions.map(\.line), none: "none")
    }

    private func period(_ fields: CertificateFields) -> String {
        switch (fields.validAfter, fields.validBefore) {
        case (.always, .forever): "for ever"
        case (.always, let end): "until \(end)"
        case (let start, .forever): "from \(start)"
        case (let start, let end): "from \(start) to \(end)"
        }
    }

    private func show(_ judgement: InspectReport.Judgement) {
        let purpose = judgement.purpose.map { " for \($0)" } ?? ""
        let answer =
            judgement.accepted ? Terminal.paint("ACCEPTED", "32") : Terminal.paint("REFUSED", "31")
        row("judgement", "\(answer)\(purpose) at \(judgement.at)")
        rows("", judgement.reasons.map { "\($0.rule): \($0.reason)" })
    }

    private func row(_ name: String, _ value: String?) {
        if let value { Terminal.say("  \(name.padded(12))\(value)") }
    }

    private func rows(_ name: String, _ values: [String], none: String? = nil) {
        for (index, value) in values.enumerated() { row(index == 0 ? name : "", value) }
        if values.isEmpty { row(name, none) }
    }
}

extension CertificateReport.Option {
    /// The option on a line, escaped.
    fileprivate var line: String {
        let name = name.escapedForTerminal
        if let value { return value.isEmpty ? "\(name) \"\"" : "\(name) \(value.escapedForTerminal)" }
        return data.map { "\(name) base64 \($0)" } ?? name
    }
}
