// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What is to be done so that a host is as its records of grants say: after an operation, at each start, every time
/// that a grant begins or ends, and when somebody changed what is ours. All of them are this one function.
///
/// Access goes before access comes, an account is there before what names it, sessions end when nothing lets them in
/// again, and a record says "ended" last.
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

    var taking: [OperationPlan.Step] = []
    var ending: [OperationPlan.Step] = []
    var giving: [OperationPlan.Step] = []
    var closing: [OperationPlan.Step] = []
    var notes: [String] = []

    /// - Parameter decided: records that the operation adds or replaces.
    init(_ host: ProvisioningHost, now: UnixTime, deciding decided: [GrantRecord] = []) throws(AgentError) {
        self.host = host
        self.now = now
        settings = try host.settings()
        protected = try host.protectedAccounts()
        let stored = try host.store.read()
        let replaced = Set(decided.map { host.store.path(of: $0.grant) })
        let kept = stored.records.filter { !replaced.contains(host.store.path(of: $0.grant)) }
        var records: [GrantRecord] = []
        for record in kept + decided {
            // Time is up: that is decided here, before anything is taken away.
            let isOver = record.phase == .granted && record.grant.isOver(at: now)
            records.append(isOver ? record.ending("its time is over") : record)
        }
        self.records = records
        let accounts = try Self.madeAccounts(host)
        made = accounts.made
        live = try host.sessions.live()
        notes = stored.problems + accounts.problems
    }

    /// The steps, in their order.
    mutating func plan() throws(AgentError) -> OperationPlan {
        try writeRecords()
        try makeFolders()
        try planSudo()
        try planKeys()
        endSessions()
        try planGroups()
        try planAccounts()
        try closeRecords()
        return OperationPlan(taking + giving + ending + closing, notes: notes)
    }

    func inForce(_ account: LocalName) -> [GrantRecord] {
        records.filter { $0.grant.account == account && $0.isInForce(at: now) }
    }

    /// Decisions first.
    private mutating func writeRecords() throws(AgentError) {
        for record in records {
            let step = try host.store.step(record, Self.purpose(record))
            if step.isChange { taking.append(step) }
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
        let folders: [(path: String, mode: UInt32, purpose: String)] = [
            (host.layout.grants, 0o700, "records of grants"),
            (host.layout.grantAccounts, 0o700, "records of accounts that are made for grants"),
            (host.layout.configuration, 0o755, "what sshd reads of ours"),
            (host.layout.grantKeys, 0o755, "keys of the grants in force, one file an account"),
        ]
        var steps: [OperationPlan.Step] = []
        for folder in folders {
            let before = try host.files.folder(folder.path)
            var after = host.owner.attributes(mode: folder.mode)
            after.securityLabel = before?.securityLabel
            // The folder of what sshd reads is trust's own where it is there.
            if let before, folder.path == host.layout.configuration || hasSameRights(before, after) {
                continue
            }
            if records.isEmpty { continue }
            steps.append(.change(.folder(path: folder.path, before: before, after: after), folder.purpose))
        }
        taking = steps + taking
    }

    /// Ends the sessions of grants that are being taken back, but for those that another grant lets in.
    private mutating func endSessions() {
        var ended: Set<String> = []
        for record in records where record.isBeingRemoved {
            guard isOurs(record.grant.account) else { continue }
            let others = inForce(record.grant.account)
            for session in live where record.grant.opens(session) && !ended.contains(session.id) {
                guard !others.contains(where: { $0.grant.opens(session) }) else { continue }
                ended.insert(session.id)
                ending.append(.endSession(session, "grant \(record.grant.id): \(record.reason ?? "ended")"))
            }
        }
    }

    /// False for accounts that are protected by now: nothing of theirs is ended.
    func isOurs(_ name: LocalName) -> Bool {
        guard let entry = try? host.accounts.account(name) else { return true }
        do throws(AgentError) {
            try protected.check(name, entry)
            return true
        } catch { return false }
    }

    /// Records whose grants are gone say so when everything before was done.
    private mutating func closeRecords() throws(AgentError) {
        for record in records where record.isBeingRemoved {
            let path = host.store.path(of: record.grant)
            let before = FileContent(record.bytes, host.owner.attributes(mode: 0o600))
            let ended = record.ended(at: now)
            let after = record.phase == .failing ? nil : FileContent(ended.bytes, before.attributes)
            closing.append(.change(.file(path: path, before: before, after: after), Self.purpose(ended)))
        }
        let old = records.filter { record in
            guard record.phase == .ended, let ended = record.ended else { return false }
            return ended.adding(GrantStore.keptSeconds).map { $0 <= now } ?? false
        }
        for record in old {
            let path = host.store.path(of: record.grant)
            let before = FileContent(record.bytes, host.owner.attributes(mode: 0o600))
            closing.append(
                .change(
                    .file(path: path, before: before, after: nil),
                    "ended \(GrantStore.keptSeconds / 86_400) days ago"))
        }
    }

    private static func madeAccounts(_ host: ProvisioningHost) throws(AgentError) -> (
        made: [LocalName: MadeAccount], problems: [String]
    ) {
        var made: [LocalName: MadeAccount] = [:]
        var problems: [String] = []
        for name in try host.files.list(host.layout.grantAccounts) ?? [] where !name.hasPrefix(".") {
            let path = "\(host.layout.grantAccounts)/\(name)"
            do throws(AgentError) {
                guard let content = try host.files.read(path, maximumBytes: MadeAccount.maximumBytes) else {
                    continue
                }
                let account = try MadeAccount(parsing: content.bytes, name: path)
                made[account.name] = account
            } catch {
                guard error.code == .damaged || error.code == .unsafeFile else { throw error }
                problems.append(error.reason)
            }
        }
        return (made, problems)
    }
}

extension OperationPlan.Step {
    /// True for a step that does something.
    var isChange: Bool {
        guard case .change(.file(_, let before, let after), _) = self else { return true }
        return !matches(before, after)
    }
}
