// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What a host that has joined installs when the first statement of its fleet's root comes, and nobody has installed trust
/// by hand.
public struct FirstTrust: Sendable, Hashable {
    /// The host's names in principals.
    public let names: HostNames
    /// How logins come to be known.
    public let sessionHook: TrustSettings.SessionHook

    public init(names: HostNames, sessionHook: TrustSettings.SessionHook) {
        self.names = names
        self.sessionHook = sessionHook
    }

    /// The settings: accounts with a login shell get the default principals, where they have none.
    func settings(
        _ authorities: [TrustSettings.AuthorityKey], _ files: any HostFiles, _ owner: FileOwner, now: UInt64
    ) throws(AgentError) -> TrustSettings {
        var settings = try TrustSettings(authorities: authorities)
        for account in try LoginAccounts(files).withLoginShell()
        where !account.text.utf8.contains(UInt8(ascii: "@")) {
            settings.principals.append(
                try AccountPrincipals(
                    account, try names.defaultPrincipals(of: account), replacesExisting: false))
        }
        settings.sessionHook = sessionHook
        (settings.owner, settings.group) = (owner.user, owner.group)
        settings.unixSeconds = now
        return settings
    }
}

extension Provisioner {
    /// Installs trust as `trust install` does: proven by logins, or taken back.
    func installFirst(
        _ order: TrustOrder, _ next: FleetState, _ first: FirstTrust, dryRun: Bool
    ) throws(AgentError) -> HostOutcome {
        var settings = try first.settings(
            order.authorities, host.files, host.owner, now: Moment.now.wall / 1_000_000_000)
        // Grants come through the same tunnel, and sshd would not read their keys.
        if try host.settings().allows(.grant) {
            settings.keyFiles = try TrustPlanner.keyFiles(
                withGrantsOf: host.layout, host: host.files, sshd: host.sshd)
        }
        let plan = try TrustPlanner.plan(settings, host: host.files, sshd: host.sshd, layout: host.layout)
        if dryRun {
            return Self.dryRun(
                OperationPlan(plan.steps.map { .init(.change($0.change), $0.purpose) }, notes: plan.notes))
        }
        // Record, then act: an older statement is refused from here on, even if this one fails.
        try next.write(host)
        var change = host.trustChange
        change.expected = TrustPlanner.wantedSettings(settings, host.layout).map { ExpectedSetting($0, $1) }
        let report = try ChangeApplier(layout: host.layout, files: host.files, programs: host.programs).apply(
            plan, to: host.sshd, change)
        return HostOutcome(
            success: true,
            message:
                "trust installed, \(order.authorities.count) CAs of version \(order.version): \(report.outcome.rawValue)",
            output: (report.proofs + plan.notes).joined(separator: "\n"))
    }
}
