// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What is signed by keys that the control plane does not have.
extension Provisioner {
    /// Installs a list of what is revoked, and ends the sessions that it revokes.
    ///
    /// sshd reads the file at each login: there is nothing to reload.
    func install(_ order: RevocationOrder, dryRun: Bool) throws(AgentError) -> HostOutcome {
        let lock = try HostLock(host.layout, files: host.files, seconds: 30)
        defer { _ = lock }
        let authorities = try trustedAuthorities()
        let path = host.layout.revocationSigners
        let extra = try readOwn(path, host.files, host.owner, maximumBytes: 1 << 20)
        let signers =
            try authorities
            + (extra.map { content throws(AgentError) in
                try TrustSettings.AuthorityKey.parse(content, name: path).map(\.key)
            } ?? [])
        try order.signature.check(
            order.list.bytes, namespace: RevocationOrder.namespace, by: signers,
            whose: "key that this host trusts for revocation lists")
        guard let record = try TrustRecord.read(host.files, host.layout), !record.settings.isEmpty else {
            throw Self.notInstalled
        }
        let plan = try planRevocations(order.list, record)
        let sessions = try host.sessions.live().filter { order.list.list.revokes($0, of: authorities) }
        let why = "revoked by version \(order.list.list.version) of the revocation list"
        let ends = sessions.map { OperationPlan.Step(.endSession($0), why, at: .ending) }
        if dryRun { return Self.dryRun(OperationPlan(plan.steps + ends)) }
        let runner = OperationRunner(host: host)
        if let failure = runner.run(plan.steps).first { throw failure }
        let content = try host.files.read(host.layout.revokedKeys, maximumBytes: Limits.krlBytes)
        guard content?.bytes == order.list.bytes else {
            throw AgentError(.damaged, "\(host.layout.revokedKeys): what was written does not come back")
        }
        if let failure = runner.run(ends).first { throw failure }
        return HostOutcome(
            success: true,
            message: "revocation list version \(order.list.list.version) is "
                + (plan.isEmpty ? "installed already" : "installed") + "; \(ends.count) sessions ended")
    }

    private func planRevocations(_ list: RevocationFile, _ recorded: TrustRecord) throws(AgentError)
        -> OperationPlan
    {
        let path = host.layout.revokedKeys
        let before = try host.files.read(path, maximumBytes: Limits.krlBytes)
        let installed = before.flatMap { try? RevocationFile($0.bytes, name: path) }
        var record = recorded
        let version = list.list.version
        if before?.bytes != list.bytes {
            guard version > (installed?.list.version ?? 0), version >= recorded.revocationVersion else {
                throw AgentError(
                    .conflict,
                    "version: \(version), and \(max(installed?.list.version ?? 0, recorded.revocationVersion)) is installed",
                    hint: "each list needs a higher version")
            }
        }
        let after = FileContent(
            list.bytes, before?.attributes ?? host.owner.attributes(mode: 0o644))
        record.revocationVersion = version
        record[path] = TrustRecord.File(
            path: path, kind: .whole, original: recorded[path]?.original, sha256: Digest.sha256(list.bytes),
            attributes: after.attributes)
        return try plan(
            path, before, after, "what is revoked: version \(version)", record: record, replacing: recorded)
    }

    /// The file first: a list that is there and not recorded is drift, one that is recorded and not there revokes nobody.
    private func plan(
        _ path: String, _ before: FileContent?, _ after: FileContent, _ purpose: String, record: TrustRecord,
        replacing recorded: TrustRecord
    ) throws(AgentError) -> OperationPlan {
        var steps: [OperationPlan.Step] = []
        if !matches(before, after) {
            steps.append(.init(.change(.file(path: path, before: before, after: after)), purpose))
        }
        if record != recorded {
            let old = try host.files.read(host.layout.originals, maximumBytes: TrustRecord.maximumBytes)
            let new = FileContent(
                try record.encode(), old?.attributes ?? host.owner.attributes(mode: 0o600))
            steps.append(
                .init(
                    .change(.file(path: host.layout.originals, before: old, after: new)),
                    "what trust status compares with"))
        }
        return OperationPlan(steps)
    }

    /// Changes the CAs that sshd trusts, as the fleet's root key says: proven by logins, or taken back.
    func install(_ order: TrustOrder, dryRun: Bool) throws(AgentError) -> HostOutcome {
        let lock = try HostLock(host.layout, files: host.files, seconds: 90, of: .fleet)
        defer { _ = lock }
        let fleet = try FleetState.read(host.files, host.layout)
        try order.signature.check(
            Array(order.statement.utf8), namespace: TrustOrder.namespace, by: try fleetRoots(),
            whose: "root key of this host's fleet")
        let next = FleetState(version: order.version, sha256: Digest.sha256(Array(order.statement.utf8)))
        if let fleet {
            guard next.version > fleet.version || next == fleet else {
                throw AgentError(
                    .conflict, "statement: version \(next.version), and \(fleet.version) is known already",
                    hint: "each statement needs a higher version")
            }
        }
        // Somebody else may change the same between plan and change: the agent's own host certificate, as a rule.
        for _ in 1..<Self.attempts {
            do throws(AgentError) {
                return try change(to: order, next, dryRun: dryRun)
            } catch {
                guard error.code == .busy else { throw error }
            }
        }
        return try change(to: order, next, dryRun: dryRun)
    }

    /// How often a host that changes meanwhile is looked at again.
    private static let attempts = 3

    private func change(
        to order: TrustOrder, _ next: FleetState, dryRun: Bool
    ) throws(AgentError) -> HostOutcome {
        guard let recorded = try TrustRecord.read(host.files, host.layout), !recorded.settings.isEmpty else {
            guard let first = host.firstTrust else { throw Self.notInstalled }
            return try installFirst(order, next, first, dryRun: dryRun)
        }
        let path = host.layout.userCAKeys
        let before = try host.files.read(path)
        let after = FileContent(
            try TrustInstallation.authorityFile(order.authorities),
            before?.attributes ?? host.owner.attributes(mode: 0o644))
        var record = recorded
        record[path] = TrustRecord.File(
            path: path, kind: .whole, original: recorded[path]?.original, sha256: Digest.sha256(after.bytes),
            attributes: after.attributes)
        let plan = try plan(
            path, before, after, "the CAs of the fleet, version \(order.version)", record: record,
            replacing: recorded)
        if dryRun { return Self.dryRun(plan) }
        // Record, then act: an older statement is refused from here on, even if this one fails.
        try next.write(host)
        let report = try ChangeApplier(layout: host.layout, files: host.files, programs: host.programs).apply(
            Plan(plan.fileSteps), to: host.sshd, host.trustChange)
        // Grants by principal name the CAs.
        _ = try? sweep(at: .now)
        return HostOutcome(
            success: true,
            message: "\(order.authorities.count) CAs of version \(order.version): \(report.outcome.rawValue)",
            output: report.proofs.isEmpty ? nil : report.proofs.joined(separator: "\n"))
    }

    private func fleetRoots() throws(AgentError) -> [PublicKey] {
        let path = host.layout.fleetRoot
        guard let content = try readOwn(path, host.files, host.owner, maximumBytes: 64 << 10) else {
            throw AgentError(
                .conflict, "\(path) is not there, so no change of the trusted CAs is taken",
                hint: "put the public half of the fleet's root key there")
        }
        return try TrustSettings.AuthorityKey.parse(content, name: path).map(\.key)
    }

    private func trustedAuthorities() throws(AgentError) -> [PublicKey] {
        let path = host.layout.userCAKeys
        guard let content = try host.files.read(path) else { return [] }
        return try TrustSettings.AuthorityKey.parse(content.bytes, name: path).map(\.key)
    }

    private static var notInstalled: AgentError {
        AgentError(.conflict, "trust is not installed on this host", hint: "daypass-agent trust install")
    }
}

/// The last statement about CAs that was taken.
struct FleetState: Sendable, Hashable {
    let version: UInt64
    let sha256: [UInt8]

    private static let maximumBytes = 4 << 10

    /// - Throws: `.damaged`: without the version an older statement could come again.
    static func read(_ files: any HostFiles, _ layout: HostLayout) throws(AgentError) -> FleetState? {
        guard let content = try files.read(layout.fleetState, maximumBytes: maximumBytes) else { return nil }
        guard let value = try? JSONValue(parsing: content.bytes, maximumBytes: maximumBytes),
            value["format"] == 1,
            let version = value["version"]?.string.flatMap({ UInt64($0) }),
            let digest = value["sha256"]?.string.flatMap({ try? Base64.decode("sha256", $0) })
        else { throw AgentError(.damaged, "\(layout.fleetState): format 1, version and sha256 expected") }
        return FleetState(version: version, sha256: digest)
    }

    func write(_ host: ProvisioningHost) throws(AgentError) {
        let text = JSONValue.object([
            .init("format", 1), .init("version", .string(String(version))),
            .init("sha256", .string(Base64.encode(sha256))),
        ]).text
        try host.files.replace(
            host.layout.fleetState,
            FileContent(Array((text + "\n").utf8), host.owner.attributes(mode: 0o600)))
    }
}

extension OperationPlan {
    /// Its files and folders, as ``ChangeApplier`` takes them.
    fileprivate var fileSteps: [Plan.Step] {
        steps.compactMap {
            if case .change(let change) = $0.action { Plan.Step(change, $0.purpose) } else { nil }
        }
    }
}

extension KeyRevocationList {
    /// True when this list revokes what opened a session, as far as its record tells: key, serial, key ID or CA.
    func revokes(_ session: SessionSummary, of authorities: [PublicKey]) -> Bool {
        let revokedKeys = Set(keys.map(\.fingerprint))
        let digests = Set(sha256Digests.map { "SHA256:" + Base64.encode($0, padded: false) })
        func isRevoked(_ fingerprint: String) -> Bool {
            revokedKeys.contains(fingerprint) || digests.contains(fingerprint)
        }
        return session.event.methods.contains { method in
            switch method.proof {
            case .key(_, let fingerprint): return isRevoked(fingerprint)
            case .certificate(let certificate):
                if isRevoked(certificate.authority.fingerprint)
                    || certificate.keyFingerprint.map(isRevoked) ?? false
                {
                    return true
                }
                let authority = authorities.first { $0.fingerprint == certificate.authority.fingerprint }
                let scopes = [Scope.everyAuthority] + (authority.map { [.authority($0)] } ?? [])
                return certificates.contains { section in
                    scopes.contains(section.scope)
                        && (section.keyIDs.contains(ExactText(certificate.keyID))
                            || section.serials.range(holding: certificate.serial) != nil)
                }
            case .unreadable, nil: return false
            }
        }
    }
}
