// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// The machine's sessions, as its session records tell them.
public struct SystemSessions: HostSessions {
    private let layout: HostLayout
    private let host: String

    public init(layout: HostLayout, host: String) {
        self.layout = layout
        self.host = host
    }

    public func live() throws(AgentError) -> [SessionSummary] {
        // Each file of records begins with all sessions that were open then: the current one is enough.
        try SessionList(
            RecordFiles(folder: layout.sessions), since: Moment.now.time, isRunning: RecordFiles.isRunning
        ).sessions.filter { $0.state == .live }
    }

    public func end(_ sessions: [(session: SessionSummary, reason: String)]) throws(AgentError) {
        let client = KillClient(layout: layout, host: host)
        var failure: AgentError?
        for (session, reason) in sessions {
            do throws(AgentError) {
                _ = try client.kill(
                    KillRequest(session: session.id, reason: reason, actor: "daypass-agent provisioning"))
            } catch {
                // It ended meanwhile: that is what was wanted.
                if !RecordFiles.isRunning(session.event) { continue }
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
