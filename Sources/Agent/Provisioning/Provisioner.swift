// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// Does what the control plane may ask of a host.
///
/// May be called from any thread and from several processes at once: changes wait for each other at the host's lock.
/// It must not be called from the agent's one loop, which ends the sessions that it asks to be ended.
public struct Provisioner: Sendable {
    let host: ProvisioningHost
    /// Seconds that a call waits for another one: as long as a few sessions that resist their end take.
    private let lockSeconds: Int

    public init(_ host: ProvisioningHost, lockSeconds: Int = 30) {
        self.host = host
        self.lockSeconds = lockSeconds
    }

    /// Does one operation, or shows what it would do.
    ///
    /// The same operation again is answered as the first one was and changes nothing.
    ///
    /// - Parameters:
    ///   - data: a call's `data` (docs/formats/host-operations.md).
    ///   - dryRun: changes nothing; the plan is the result's output.
    ///   - moment: now.
    public func perform(_ data: JSONValue, dryRun: Bool = false, at moment: Moment) -> HostOutcome {
        do throws(AgentError) {
            guard data["command"] != nil, data["command"] != "" else {
                return HostOutcome(success: true, message: "Request logged - no command specified")
            }
            let operation = try HostOperation(data)
            if let allowed = try host.settings().operations, let name = data["command"]?.string,
                !allowed.contains(name)
            {
                throw AgentError(.conflict, "\(name): this host's provisioning.json does not allow it")
            }
            return try perform(operation, dryRun: dryRun, at: moment)
        } catch {
            return HostOutcome(
                success: false, message: error.reason + (error.hint.map { " (\($0))" } ?? ""))
        }
    }

    private func perform(
        _ operation: HostOperation, dryRun: Bool, at moment: Moment
    ) throws(AgentError) -> HostOutcome {
        switch operation {
        case .nothing(let message): return HostOutcome(success: true, message: message)
        case .grant(let grant): return try self.grant(grant, dryRun: dryRun, at: moment)
        case .revoke(let id, let parts): return try revoke(id, parts, dryRun: dryRun, at: moment)
        case .principals(let account, let names):
            return try setPrincipals(account, names, dryRun: dryRun)
        case .listSessions: return try listSessions()
        case .killSessions(let selection, let reason):
            return try killSessions(selection, reason: reason, dryRun: dryRun)
        case .scan: return try scan(at: moment)
        case .status: return try status(at: moment)
        case .revocations(let order): return try install(order, dryRun: dryRun)
        case .trust(let order): return try install(order, dryRun: dryRun)
        case .checkpoint(let order): return try witness(order, dryRun: dryRun, at: moment)
        }
    }

    // MARK: The host's lock

    func lock() throws(AgentError) -> HostLock {
        try HostLock(host.layout, files: host.files, seconds: lockSeconds, of: .grants)
    }

    /// The time by which grants begin and end.
    func now(at moment: Moment, keepsFile: Bool) throws(AgentError) -> UnixTime {
        try GrantClock.now(
            host.files, host.layout, at: moment, boot: host.boot, owner: host.owner, keepsFile: keepsFile
        ).time
    }

    /// Carries out a plan that was made under the lock, and gives the lock up while sessions end.
    ///
    /// That something is to be done is written down first, and what is due next afterwards: the agent looks there. Where
    /// that cannot be written, its look every five minutes comes to the same.
    func carryOut(_ plan: OperationPlan, _ lock: consuming HostLock, now: UnixTime) throws(AgentError)
        -> OperationFailures
    {
        let schedule = GrantSchedule(host: host)
        let runner = OperationRunner(host: host)
        if !plan.isEmpty { try? schedule.write(due: .always) }
        let steps = plan.steps
        var failures = runner.run(steps.filter { $0.stage < .ending }, after: plan.failures)
        let sessions = steps.filter { $0.stage == .ending }
        if !sessions.isEmpty {
            release(lock)
            failures = runner.run(sessions, after: failures)
            lock = try self.lock()
        }
        failures = runner.run(steps.filter { $0.stage > .ending }, after: failures)
        if failures.isEmpty { try? schedule.update(now: now) } else { try? schedule.write(due: .always) }
        _ = lock
        return failures
    }

    private func release(_ lock: consuming HostLock) {}
}
