// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension Provisioner {
    /// The sessions that are open, as JSON.
    func listSessions() throws(AgentError) -> HostOutcome {
        let sessions = try host.sessions.live()
        let list = JSONValue.array(sessions.map(\.json))
        return HostOutcome(
            success: true, message: "\(sessions.count) sessions are open",
            output: JSONValue.object([.init("version", 1), .init("sessions", list)]).text)
    }

    /// Ends the sessions that are meant: by their records, never all processes of a user.
    func killSessions(
        _ selection: HostOperation.SessionSelection, reason: String, dryRun: Bool
    ) throws(AgentError) -> HostOutcome {
        if let account = selection.account {
            try host.protectedAccounts().check(account, try host.accounts.account(account))
        }
        var grants: [Grant]?
        if let id = selection.grant {
            grants = try host.store.read().records.map(\.grant).filter { $0.id == id }
        }
        let chosen = try host.sessions.live().filter { session in
            if let id = selection.session, session.id != id { return false }
            if let account = selection.account, session.event.account != account.text { return false }
            return grants?.contains { $0.opens(session) } ?? true
        }
        for session in chosen {
            guard let name = session.event.account, let account = try? LocalName(name, field: "user") else {
                throw AgentError(.conflict, "session \(session.id): its account is left alone")
            }
            try host.protectedAccounts().check(account, try host.accounts.account(account))
        }
        let plan = OperationPlan(chosen.map { .init(.endSession($0), reason) })
        if dryRun { return Self.dryRun(plan) }
        guard !chosen.isEmpty else {
            return HostOutcome(success: true, message: "no such session is open")
        }
        try host.sessions.end(chosen.map { ($0, reason) })
        return HostOutcome(success: true, message: "\(chosen.count) sessions ended")
    }
}

extension SessionSummary {
    /// What the control plane is told of a session.
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("session", .string(id)), .init("account", event.account.map { .string($0) } ?? .null),
            .init("since", .string(event.time.description)),
            .init("method", .string(event.methods.map(\.name).joined(separator: ","))),
        ]
        if let address = event.source?.address { members.append(.init("from", .string(address))) }
        if let certificate = event.certificate {
            members.append(.init("keyID", .string(certificate.keyID)))
            members.append(.init("serial", .string(String(certificate.serial))))
            members.append(.init("authority", .string(certificate.authority.fingerprint)))
        }
        return .object(members)
    }
}
