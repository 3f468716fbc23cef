// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What is to be done so that a host is as its records of grants say: after an operation, at each start, every time
/// that a grant begins or ends, and when somebody changed what is ours. All of them are this one function.
///
/// Decisions come first, access goes before access comes, an account is there before what names it, sessions end when
/// nothing lets them in again, and a record says "ended" last. What cannot be planned for one account keeps no other one
/// waiting.
struct GrantReconciliation {
    let host: ProvisioningHost
    let now: UnixTime
    let settings: ProvisioningSettings
    let protected: ProtectedAccounts
    /// The records as they are to be: those of the host, with what the operation decides.
    let records: [GrantRecord]
    /// Accounts that we made.
    let made: [LocalName: MadeAccount]
    let live: [SessionSummary]

    private(set) var steps: [OperationPlan.Step] = []
    private(set) var notes: [String] = []
    /// What could not be planned, and for whom.
    private(set) var failures = OperationFailures()

    /// - Parameter decided: records that the operation adds or replaces.
    /// - Throws: `.file` when records cannot be read: nothing is known then about what should be.
    init(_ host: ProvisioningHost, now: UnixTime, deciding decided: [GrantRecord] = []) throws(AgentError) {
        self.host = host
        self.now = now
        let stored = try host.store.read()
        let replaced = Set(decided.map { host.store.path(of: $0.grant) })
        records = (stored.records.filter { !replaced.contains(host.store.path(of: $0.grant)) } + decided).map
        {
            // Time is up: that follows from the record, before anything is taken away.
            $0.phase == .granted && $0.grant.isOver(at: now) ? $0.ending("its time is over") : $0
        }
        let accounts = try MadeAccount.all(host)
        made = accounts.made
        notes = stored.problems + accounts.problems
        var failures = OperationFailures()
        var settings = ProvisioningSettings()
        var live: [SessionSummary] = []
        do throws(AgentError) { settings = try host.settings() } catch { notes.append(error.reason) }
        // Records of sessions are long: they are read where something may have to end.
        if records.contains(where: \.isBeingRemoved) || made.values.contains(where: { $0.locked == nil }) {
            do throws(AgentError) { live = try host.sessions.live() } catch { failures.add(error, for: nil) }
        }
        self.settings = settings
        self.live = live
        self.failures = failures
        protected = try ProtectedAccounts(settings, host)
    }

    /// The steps, in their order.
    mutating func plan() throws(AgentError) -> OperationPlan {
        try makeFolders()
        try decide()
        try planSudo()
        try planKeys()
        endSessions()
        planGroups()
        planAccounts()
        closeRecords()
        let sorted = OperationPlan.Stage.allCases.flatMap { stage in steps.filter { $0.stage == stage } }
        return OperationPlan(sorted, notes: notes, failures: failures)
    }

    mutating func add(_ step: OperationPlan.Step) { steps.append(step) }
    mutating func note(_ text: String) { notes.append(text) }
    mutating func fail(_ error: AgentError, for account: LocalName?) { failures.add(error, for: account) }

    func inForce(_ account: LocalName) -> [GrantRecord] {
        records.filter { $0.grant.account == account && $0.isInForce(at: now) }
    }

    // MARK: Records

    private mutating func decide() throws(AgentError) {
        for record in records {
            // What ends by its time needs no decision: a full disk must not prolong it.
            let stage: OperationPlan.Stage = record.grant.isOver(at: now) ? .taking : .deciding
            let step = try host.store.step(record, Self.purpose(record), at: stage)
            if step.isChange { add(step) }
        }
    }

    private static func purpose(_ record: GrantRecord) -> String {
        switch record.phase {
        case .granted: "grant \(record.grant.id) is decided"
        case .ending, .failing: "the end of grant \(record.grant.id) is decided: \(record.reason ?? "")"
        case .ended: "grant \(record.grant.id) has ended"
        }
    }

    private mutating func makeFolders() throws(AgentError) {
        guard !records.isEmpty else { return }
        let folders: [(path: String, mode: UInt32, purpose: String)] = [
            (host.layout.grants, 0o700, "records of grants"),
            (host.layout.grantAccounts, 0o700, "records of accounts that are made for grants"),
            (host.layout.configuration, 0o755, "what sshd reads of ours"),
            (host.layout.grantKeys, 0o755, "keys of the grants in force, one file an account"),
        ]
        for folder in folders {
            let before = try host.files.folder(folder.path)
            var after = host.owner.attributes(mode: folder.mode)
            after.securityLabel = before?.securityLabel
            // The folder of what sshd reads is trust's own where it is there.
            if let before, folder.path == host.layout.configuration || hasSameRights(before, after) {
                continue
            }
            add(
                .init(
                    .change(.folder(path: folder.path, before: before, after: after)), folder.purpose,
                    at: .deciding))
        }
    }

    /// Records whose grants are gone say so when everything before was done.
    private mutating func closeRecords() {
        for record in records where record.isBeingRemoved {
            let ended = record.ended(at: now)
            close(record, record.phase == .failing ? nil : ended, Self.purpose(ended))
        }
        for record in records where record.phase == .ended {
            guard let forgotten = record.ended?.adding(GrantStore.keptSeconds), forgotten <= now else {
                continue
            }
            close(record, nil, "it ended \(GrantStore.keptSeconds / 86_400) days ago")
        }
    }

    private mutating func close(_ record: GrantRecord, _ next: GrantRecord?, _ purpose: String) {
        let attributes = host.owner.attributes(mode: 0o600)
        let change = HostChange.file(
            path: host.store.path(of: record.grant), before: FileContent(record.bytes, attributes),
            after: next.map { FileContent($0.bytes, attributes) })
        add(.init(.change(change), for: record.grant.account, purpose, at: .closing))
    }

    // MARK: Sessions

    /// Ends the sessions of grants that are being taken back, but for those that another grant lets in.
    private mutating func endSessions() {
        for record in records where record.isBeingRemoved && isOurs(record.grant.account) {
            let others = inForce(record.grant.account)
            for session in live
            where record.grant.opens(session) && !others.contains(where: { $0.grant.opens(session) }) {
                end(
                    session, of: record.grant.account, "grant \(record.grant.id): \(record.reason ?? "ended")"
                )
            }
        }
    }

    /// Ends a session, once.
    mutating func end(_ session: SessionSummary, of account: LocalName, _ purpose: String) {
        let isEnding = steps.contains {
            if case .endSession(let other) = $0.action { other.id == session.id } else { false }
        }
        if !isEnding { add(.init(.endSession(session), for: account, purpose, at: .ending)) }
    }

    /// False for accounts that are protected by now: nothing of theirs is ended. What the name service cannot say does not
    /// protect: the account had a grant.
    private func isOurs(_ name: LocalName) -> Bool {
        do throws(AgentError) {
            try protected.check(name, try? host.accounts.account(name))
            return true
        } catch { return false }
    }
}

extension OperationPlan.Step {
    /// True for a step that does something.
    var isChange: Bool {
        guard case .change(.file(_, let before, let after)) = action else { return true }
        return !matches(before, after)
    }
}
