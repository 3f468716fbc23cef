// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension Provisioner {
    /// Gives a grant, whole or not at all.
    func grant(_ grant: Grant, dryRun: Bool, at moment: Moment) throws(AgentError) -> HostOutcome {
        let lock = dryRun ? nil : try self.lock()
        let now = try now(at: moment, keepsFile: !dryRun)
        let stored = try host.store.read()
        let known = stored.records.first { $0.grant.id == grant.id && $0.grant.part == grant.part }
        let record: GrantRecord
        if let known {
            try checkRepetition(of: known, by: grant, now)
            record = known
        } else {
            try GrantCheck(host: host, now: now).check(grant)
            let count = stored.records.count
            guard count < GrantStore.maximumCount else {
                throw AgentError(
                    .conflict,
                    "\(count) grants, with those of the last week, and a host has \(GrantStore.maximumCount) at most"
                )
            }
            record = try decide(grant, stored.records, now)
        }
        var work = try GrantReconciliation(host, now: now, deciding: [record])
        let plan = try work.plan()
        guard let lock else { return Self.dryRun(plan) }
        guard let failure = try carryOut(plan, lock, now: now).concerning(grant.account) else {
            let again = known == nil ? "granted" : "granted already"
            return HostOutcome(
                success: true,
                message: "\(again): \(grant.id) to \(grant.account)"
                    + (grant.until.map { " until \($0)" } ?? ""))
        }
        guard known == nil else { throw failure }
        // All or nothing: what came so far goes.
        let taken = try? settle(
            at: moment, deciding: [record.ending("it could not be given whole", as: .failing)])
        let isGone = taken.map { $0.concerning(grant.account) == nil } ?? false
        throw AgentError(
            failure.code,
            failure.reason
                + (isGone ? "; nothing is granted" : "; what was begun is taken back at the next look"),
            hint: failure.hint)
    }

    private func checkRepetition(
        of known: GrantRecord, by grant: Grant, _ now: UnixTime
    ) throws(AgentError) {
        guard known.grant == grant else {
            throw AgentError(
                .conflict, "grant \(grant.id): it was asked for already, with another content",
                hint: "another grant needs another id")
        }
        guard known.phase == .granted, !grant.isOver(at: now) else {
            throw AgentError(
                .conflict,
                "grant \(grant.id): it has ended\(known.reason.map { " (\($0))" } ?? ""), and does not come back",
                hint: "a new grant needs a new id")
        }
    }

    /// The record of a grant, with the groups that go with it.
    private func decide(_ grant: Grant, _ records: [GrantRecord], _ now: UnixTime) throws(AgentError)
        -> GrantRecord
    {
        var owned: [LocalName] = []
        for group in grant.groups {
            let isMember = try host.accounts.group(group)?.members.contains(grant.account.text) ?? false
            let isShared = records.contains {
                $0.phase != .ended && $0.grant.account == grant.account && $0.ownedGroups.contains(group)
            }
            if !isMember || isShared { owned.append(group) }
        }
        return GrantRecord(grant, decided: now, ownedGroups: owned)
    }

    /// Takes back a grant, or some parts of a request.
    func revoke(
        _ id: GrantID, _ parts: [Grant.Part], dryRun: Bool, at moment: Moment
    ) throws(AgentError) -> HostOutcome {
        let lock = dryRun ? nil : try self.lock()
        let now = try now(at: moment, keepsFile: !dryRun)
        let known = try host.store.read().records.filter {
            $0.grant.id == id && parts.contains($0.grant.part)
        }
        let open = known.filter { $0.phase != .ended }
        guard !open.isEmpty else {
            let message = known.isEmpty ? "no grant \(id) is known" : "grant \(id) has ended already"
            return HostOutcome(success: true, message: "nothing to revoke: \(message)")
        }
        let decided = open.map { $0.isBeingRemoved ? $0 : $0.ending("it was revoked") }
        var work = try GrantReconciliation(host, now: now, deciding: decided)
        let plan = try work.plan()
        guard let lock else { return Self.dryRun(plan) }
        var failures = try carryOut(plan, lock, now: now)
        // The lock is free while sessions end: the agent's own look may have done the rest meanwhile, or a part of it.
        if open.contains(where: { failures.concerning($0.grant.account)?.code == .busy }) {
            failures = try settle(at: moment, deciding: [])
        }
        if let failure = open.lazy.compactMap({ failures.concerning($0.grant.account) }).first {
            throw AgentError(
                failure.code,
                "grant \(id) is being revoked, and not all of it is gone yet: \(failure.reason)",
                hint: failure.hint ?? "the agent goes on by itself")
        }
        return HostOutcome(success: true, message: "revoked: \(id)")
    }

    /// Brings the host to what its records say: ends what is over, finishes what was interrupted, mends what was
    /// changed.
    ///
    /// - Returns: what was done; nil when nothing was to be done.
    /// - Throws: the first failure, when everything else is done.
    @discardableResult
    public func sweep(at moment: Moment) throws(AgentError) -> OperationPlan? {
        var done: OperationPlan?
        if let failure = try settle(at: moment, deciding: [], tell: { done = $0 }).first { throw failure }
        return done
    }

    /// What a sweep would do now.
    public func pending(at moment: Moment) throws(AgentError) -> OperationPlan {
        var work = try GrantReconciliation(host, now: try now(at: moment, keepsFile: false))
        return try work.plan()
    }

    private func settle(
        at moment: Moment, deciding decided: [GrantRecord], tell: (OperationPlan) -> Void = { _ in }
    ) throws(AgentError) -> OperationFailures {
        let lock = try self.lock()
        let now = try now(at: moment, keepsFile: true)
        var work = try GrantReconciliation(host, now: now, deciding: decided)
        let plan = try work.plan()
        if !plan.isEmpty { tell(plan) }
        return try carryOut(plan, lock, now: now)
    }

    static func dryRun(_ plan: OperationPlan) -> HostOutcome {
        HostOutcome(
            success: true, message: "dry run: \(plan.steps.count) steps, nothing is changed",
            output: plan.text)
    }
}
