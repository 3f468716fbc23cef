// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension AgentService {
    /// Ends of sessions that are under way at once; more than any administrator asks for.
    private static let maximumKills = 16

    static func answer(error: String) -> [UInt8] {
        Array(JSONValue.object([.init("error", .string(error))]).text.utf8)
    }

    func takeKill(_ bytes: [UInt8], _ connection: ReportSocket.Connection, at now: Moment) {
        do throws(AgentError) {
            let request: KillRequest
            do throws(ControlProtocolError) {
                request = try KillRequest(parsing: bytes)
            } catch {
                throw AgentError(.invalidRequest, error.reason)
            }
            guard kills.count < Self.maximumKills else {
                throw AgentError(.busy, "\(kills.count) sessions are being ended already")
            }
            let (event, kill) = try SessionKill.prepare(request, tracker.live, by: connection.uid, at: now)
            // Record, then act.
            pending.append(event)
            flush(at: now)
            if let trouble {
                // It must not be recorded later, for it is not done.
                if pending.last == event { pending.removeLast() }
                throw trouble
            }
            tracker.willKill(kill.session, reason: request.reason)
            kills.append((connection, kill))
        } catch {
            connection.end(Self.answer(error: error.reason))
        }
    }

    func stepKills(at now: Moment) {
        for index in kills.indices.reversed() {
            switch kills[index].kill.step(at: now) {
            case .running: continue
            case .done(let processes):
                let answer = JSONValue.object([
                    .init("session", .string(kills[index].kill.session)),
                    .init("processes", .number(Int64(processes))),
                ])
                kills[index].connection.end(Array(answer.text.utf8))
            case .failed(let left):
                kills[index].connection.end(Self.answer(error: "\(left) processes do not end"))
            }
            kills.remove(at: index)
        }
    }
}

extension SessionKill {
    /// Finds the one open session that a request means, and says what is to be recorded first.
    ///
    /// - Parameter uid: who asks, as the kernel says.
    /// - Throws: `.notFound`, or `.invalidRequest` when several sessions begin like that.
    static func prepare(
        _ request: KillRequest, _ live: [String: SessionTracker.Live], by uid: UInt32, at moment: Moment
    ) throws(AgentError) -> (event: SessionEvent, kill: SessionKill) {
        let found = live.filter { $0.key.hasPrefix(request.session) }
        guard let (id, session) = found.first else {
            throw AgentError(
                .notFound,
                "session \(request.session.escapedForTerminal): none that is open begins like that",
                hint: "daypass-agent sessions --live")
        }
        guard found.count == 1 else {
            throw AgentError(
                .invalidRequest,
                "session \(request.session.escapedForTerminal): \(found.count) open ones begin like that; give more of it"
            )
        }
        let kill = try SessionKill(id, open: session.open, at: moment)
        var event = session.open
        event.kind = .kill
        event.via = .agent
        event.time = moment.time
        event.uptimeMicroseconds = moment.boot / 1_000
        event.reason = request.reason
        event.actor = "\(request.actor) (user ID \(uid))"
        event.count = UInt64(kill.count)
        return (event, kill)
    }
}
