// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension ChainStep {
    /// - Returns: nil for an entry that is in nobody's story: changes of keys and policy, refusals, alerts of hosts.
    public init?(_ index: UInt64, _ entry: LogEntry) {
        guard let (kind, pairs) = Self.content(entry.event) else { return nil }
        self.index = index
        self.kind = kind
        milliseconds = entry.milliseconds
        who = entry.requester.text.string
        facts = pairs.filter { !$0.1.isEmpty }.map { Fact(name: $0.0, value: $0.1) }
    }

    private typealias Pairs = [(String, String)]

    private static func content(_ event: LogEntry.Event) -> (Kind, Pairs)? {
        switch event {
        case .login(let record): login(record)
        case .request(let record): request(record)
        case .approval(let record): (kind(record.change), approval(record))
        case .decision(let record): (.decision, decision(record))
        case .issuance(let certificate): (.certificate, issuance(certificate.fields))
        case .hostEvent(let record): (kind(record.kind), hostEvent(record))
        case .revocation(let record): (.revocation, revocation(record))
        case .refusal, .authority, .recovery, .change, .alert, .fleetTrust: nil
        }
    }

    private static func login(_ record: LoginRecord) -> (Kind, Pairs)? {
        guard record.change != .refused else { return nil }
        return (
            record.change == .started ? .login : .logout,
            [
                ("identity", record.identity.text.string), ("session", record.session.string),
                ("provider", record.provider.string), ("key", record.keyFingerprint.string),
                ("from", record.sourceAddress.string),
                ("until", record.change == .started ? "\(record.expires)" : ""),
                ("reason", record.reason.string),
            ]
        )
    }

    /// Lines of a request's text that are facts under another name, or none (docs/formats/approval.md).
    private static let textNames = [
        "host": "hosts", "login": "login", "rule": "rule", "seconds": "seconds", "sudo": "sudo",
        "command": "command", "ticket": "ticket", "reason": "reason",
    ]

    private static func request(_ record: RequestRecord) -> (Kind, Pairs) {
        var values: [String: [String]] = [:]
        for line in record.text.string.split(separator: "\n") {
            guard let space = line.firstIndex(of: " "), let name = textNames[String(line[..<space])] else {
                continue
            }
            values[name, default: []].append(String(line[line.index(after: space)...]))
        }
        func fact(_ name: String) -> (String, String) {
            (name, values[name, default: []].joined(separator: ", "))
        }
        let isGranted = record.grantedUntil.seconds > 0
        return (
            isGranted ? .breakGlass : .request,
            [
                ("request", record.request.string), fact("login"), fact("hosts"), fact("seconds"),
                fact("sudo"), fact("command"), fact("rule"),
                ("until", isGranted ? "\(record.grantedUntil)" : ""), ("from", record.sourceAddress.string),
                ("session", record.session.string), ("policy", hexadecimal(record.policyDigest)),
                fact("ticket"), fact("reason"),
            ]
        )
    }

    private static func kind(_ change: ApprovalRecord.Change) -> Kind {
        switch change {
        case .approved: .approval
        case .denied: .denial
        case .withdrawn: .withdrawal
        case .revoked: .grantRevocation
        case .reviewed: .review
        case .refused: .decisionRefusal
        }
    }

    private static func approval(_ record: ApprovalRecord) -> Pairs {
        var key = ""
        if !record.signature.isEmpty,
            case .key(let signer)? = try? SSHSignature(encoded: record.signature).signer
        {
            key = signer.fingerprint
        }
        return [
            ("request", record.request.string), ("person", record.person.text.string), ("key", key),
            ("until", record.grantedUntil.seconds > 0 ? "\(record.grantedUntil)" : ""),
            ("from", record.sourceAddress.string), ("session", record.session.string),
            ("reason", record.reason.string),
        ]
    }

    private static func decision(_ record: DecisionRecord) -> Pairs {
        [
            ("verdict", record.verdict.name), ("rule", record.rule.string), ("login", record.login.string),
            ("host", record.host.string), ("request", record.request?.string ?? ""),
            ("key", record.keyFingerprint.string), ("from", record.sourceAddress.string),
            ("session", record.session.string), ("policy", hexadecimal(record.policyDigest)),
            ("reason", record.reasons.map(\.string).joined(separator: "; ")),
        ]
    }

    private static func issuance(_ fields: CertificateFields) -> Pairs {
        [
            ("serial", String(fields.serial)), ("keyId", fields.keyID.string), ("kind", fields.kind.name),
            ("principals", fields.principals.map(\.string).joined(separator: ", ")),
            ("validFrom", "\(fields.validAfter)"), ("validUntil", "\(fields.validBefore)"),
            ("key", fields.key.fingerprint), ("authority", fields.signatureKey.fingerprint),
        ]
    }

    private static func kind(_ kind: HostEventRecord.Kind) -> Kind {
        switch kind {
        case .opened: .hostLogin
        case .closed: .hostLogout
        case .refused: .hostRefusal
        case .killed: .hostKill
        case .other: .hostEvent
        }
    }

    private static func hostEvent(_ record: HostEventRecord) -> Pairs {
        [
            ("host", record.host.string), ("account", record.account.string),
            ("session", record.session.string), ("from", record.sourceAddress.string),
            ("match", record.match == .none ? "" : record.match.name),
            ("serial", record.serial == 0 ? "" : String(record.serial)), ("keyId", record.keyID.string),
            ("key", record.keyFingerprint.string), ("method", record.method.string),
            ("happened", String(record.happened)), ("gap", record.gap?.string ?? ""),
            ("reason", record.reason.string),
        ]
    }

    private static func revocation(_ record: RevocationRecord) -> Pairs {
        let target: [(String, String)] =
            switch record.target {
            case .serial(let serial, _): [("serial", String(serial))]
            case .keyID(let keyID, _): [("keyId", keyID.string)]
            case .key(let key): [("key", key.fingerprint)]
            }
        return target + [("reason", record.reason.string)]
    }
}
