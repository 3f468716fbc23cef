// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension Provisioner {
    /// Says who may enter an account by certificate, for good.
    func setPrincipals(
        _ name: LocalName, _ principals: [ExactText], dryRun: Bool
    ) throws(AgentError) -> HostOutcome {
        let lock = try HostLock(host.layout, files: host.files, seconds: 30)
        defer { _ = lock }
        let entry = try host.accounts.account(name)
        guard entry != nil else {
            throw AgentError(.notFound, "account \(name): this host has no such account")
        }
        try host.protectedAccounts().check(name, entry)
        let folder = PrincipalsFolder(
            host.files, host.layout, owner: host.owner.user, group: host.owner.group)
        let account = try AccountName(name.text)
        let plan: Plan
        if principals.isEmpty {
            guard try folder.entry(account) != nil else {
                return HostOutcome(success: true, message: "no certificate may enter \(name) as it is")
            }
            plan = try folder.removal(of: account)
        } else {
            plan = try folder.setting(account, principals)
        }
        if dryRun {
            return Self.dryRun(
                OperationPlan(plan.steps.map { .init(.change($0.change), $0.purpose) }, notes: plan.notes))
        }
        try folder.apply(plan)
        return HostOutcome(
            success: true,
            message: principals.isEmpty
                ? "no certificate may enter \(name)" : "\(principals.count) principals may enter \(name)")
    }

    /// What static access is left, as `daypass-agent scan --format json` says it.
    ///
    /// A process of its own looks: it takes on each account's rights, which all threads of a process share.
    func scan(at moment: Moment) throws(AgentError) -> HostOutcome {
        let result = try host.programs.run(
            host.agentProgram,
            [
                "scan", "--format", "json", "--sshd-config", host.sshd.configuration, "--sshd-binary",
                host.sshd.binary, "--state-folder", host.layout.state,
            ], seconds: 120)
        guard result.succeeded else { throw AgentError(.program, "scan: \(result.complaint)") }
        return HostOutcome(success: true, message: "scanned", output: result.outputText)
    }

    /// What holds on this host, and what is not as it should be.
    func status(at moment: Moment) throws(AgentError) -> HostOutcome {
        let clock = try GrantClock.now(
            host.files, host.layout, at: moment, boot: host.boot, owner: host.owner, keepsFile: false)
        let records = try host.store.read().records.filter { $0.phase != .ended }
        var work = try GrantReconciliation(host, now: clock.time)
        let plan = try work.plan()
        var problems = plan.notes
        if clock.lag > 0 {
            problems.append("the clock is \(clock.lag) s behind the latest time that was seen, which counts")
        }
        let recorded = try TrustRecord.read(host.files, host.layout)
        let fleet = try FleetState.read(host.files, host.layout)
        let value = JSONValue.object([
            .init("version", 1), .init("time", .string(clock.time.description)),
            .init("grants", .array(records.map { $0.summary(at: clock.time) })),
            .init("drift", .array(plan.headlines.map { .string($0) })),
            .init("problems", .array(problems.map { .string($0) })),
            .init("revocationVersion", .string(String(recorded?.revocationVersion ?? 0))),
            .init("fleetVersion", .string(String(fleet?.version ?? 0))),
            .init("isTrustInstalled", .bool(!(recorded?.settings.isEmpty ?? true))),
            .init("hostCertificate", hostCertificate),
        ])
        return HostOutcome(
            success: true,
            message:
                "\(records.count) grants; \(plan.steps.count) things to mend, \(problems.count) problems",
            output: value.text)
    }
}

extension Provisioner {
    /// What sshd proves the host's names by; null without it.
    private var hostCertificate: JSONValue {
        guard let installed = try? HostCertificate.installed(host.files, host.layout) else { return .null }
        return .object([
            .init("names", .array(installed.names.map(JSONValue.string))),
            .init("validUntil", .string(installed.end.description)),
            .init("renewal", .string(installed.renewal.description)),
        ])
    }
}

extension GrantRecord {
    fileprivate func summary(at now: UnixTime) -> JSONValue {
        let state: String =
            switch phase {
            case .granted: grant.isOver(at: now) ? "over" : isInForce(at: now) ? "in force" : "waiting"
            case .ending, .failing: "ending"
            case .ended: "ended"
            }
        return .object([
            .init("id", .string(grant.id.text)), .init("part", .string(grant.part.rawValue)),
            .init("user", .string(grant.account.text)), .init("state", .string(state)),
            .init("until", grant.until.map { .string($0.description) } ?? .null),
        ])
    }
}
