// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import ControlProtocol
import Glibc
import SSHWire

extension AgentService {
    /// The answer to a report whose record is durable.
    static let recorded = Array("1".utf8)

    func acceptConnections(_ ready: Set<Int32>, at now: Moment) {
        // Those that had their time are closed first: whoever holds one open keeps nobody else out for long.
        connections.removeAll { connection, since in
            guard now.seconds(since: since) >= Self.connectionSeconds, !ready.contains(connection.number)
            else { return false }
            connection.end()
            return true
        }
        guard ready.contains(socket.descriptor.number) else { return }
        while connections.count < Self.maximumConnections, let connection = socket.accept() {
            connections.append((connection, now))
        }
    }

    /// Takes what the connections have sent; most send at once, so the new ones are tried as well.
    func takePackets(_ ready: Set<Int32>, at now: Moment) {
        let current = connections
        connections = []
        for (connection, since) in current {
            let mayHaveSent = since == now || ready.contains(connection.number)
            if mayHaveSent, takePacket(connection, at: now) { continue }
            connections.append((connection, since))
        }
    }

    /// - Returns: false when nothing has come yet.
    @discardableResult
    func takePacket(_ connection: ReportSocket.Connection, at now: Moment) -> Bool {
        switch connection.receive(&buffer) {
        case .nothing: return false
        case .ended: connection.end()
        case .tooLong(let beginning, let size):
            pending.append(
                malformed(
                    "over \(SessionReport.maximumBytes) bytes", beginning, size: size, via: .pam, at: now))
            waiting.append(connection)
        case .packet(let bytes):
            if KillRequest.isMeant(by: bytes) {
                takeKill(bytes, connection, at: now)
            } else {
                takeReport(bytes, connection, at: now)
            }
        }
        return true
    }

    private func takeReport(_ bytes: [UInt8], _ connection: ReportSocket.Connection, at now: Moment) {
        do throws(ControlProtocolError) {
            let report = try SessionReport(parsing: bytes)
            // Its open may wait in the spool: then the close knows how long the session was.
            if report.event == .close, tracker.live[report.sessionID] == nil { drainSpool() }
            // sshd has just read the list: a CA may stand there for as long as a proof takes.
            if report.event == .open { reloadAuthorities() }
            pending += tracker.take(SessionEvent(report, via: .pam, authorities: authorities))
        } catch {
            pending.append(malformed(error.reason, bytes, size: bytes.count, via: .pam, at: now))
        }
        waiting.append(connection)
    }

    private func malformed(
        _ reason: String, _ bytes: [UInt8], size: Int, via: SessionEvent.Via, at now: Moment
    ) -> SessionEvent {
        malformed(reason, size: size, sha256: hexadecimal(Digest.sha256(bytes)), via: via, at: now)
    }

    private func malformed(
        _ reason: String, size: Int, sha256: String, via: SessionEvent.Via, at now: Moment
    ) -> SessionEvent {
        var event = SessionEvent(.malformed, via: via, at: now)
        event.reason = reason
        event.count = UInt64(clamping: size)
        event.sha256 = sha256
        return event
    }

    /// Takes all reports out of the spool, some at a time. While records cannot be written they stay there.
    func drainSpool() {
        do throws(AgentError) {
            while trouble == nil {
                let batch = try spool.oldest(without: stuck.union(spooled))
                if batch.isEmpty { break }
                let now = Moment.now
                for (name, content) in batch {
                    switch content {
                    case .report(let report):
                        pending += tracker.take(SessionEvent(report, via: .spool, authorities: authorities))
                    case .malformed(let reason, let size, let sha256):
                        pending.append(malformed(reason, size: size, sha256: sha256, via: .spool, at: now))
                    }
                    spooled.append(name)
                }
                flush(at: now)
            }
            complaints["spool"] = nil
        } catch {
            complain("spool", error.reason)
        }
    }

    /// Makes everything durable that is to be recorded, and then tells those who wait for it.
    ///
    /// When that fails, nobody is told: hooks write to the spool instead, or try to. What is known stays in memory and
    /// is tried again each second; a report that comes a second time is recognised.
    func flush(at now: Moment) {
        do throws(AgentError) {
            try log.append(pending, at: now) { tracker.carried }
            pending = []
            if let trouble {
                self.trouble = nil
                say("records are written again, after: \(trouble.reason)")
            }
            for connection in waiting { connection.end(Self.recorded) }
            stuck.formUnion(spool.remove(spooled))
            for part in parts { part.recorded() }
            if let problem = log.rotationProblem { complain("rotation", problem.reason) }
        } catch {
            if trouble != error || trouble == nil {
                say(
                    "error: \(error.reason); logins stay in the spool and in memory, and are recorded when there is room"
                )
            }
            trouble = error
            for connection in waiting { connection.end() }
        }
        waiting = []
        spooled = []
    }

    // MARK: Processes and parts

    /// Lets the kernel tell when the process of an open session ends.
    func watchProcesses() {
        for (id, number) in watched where tracker.live[id] == nil {
            close(number)
            watched[id] = nil
        }
        for (id, session) in tracker.live where watched[id] == nil && session.ended == nil {
            guard watched.count < Self.maximumWatched, let pid = session.open.pid else { continue }
            let number = daypass_pidfd_open(pid)
            guard number >= 0 else { continue }
            // The number may be another process's by now: that of this session has ended then.
            guard ProcessTable.process(pid)?.start == session.open.processStart else {
                close(number)
                tracker.processEnded(id, at: .now)
                continue
            }
            watched[id] = number
        }
    }

    func takeEndedProcesses(_ ready: Set<Int32>, at now: Moment) {
        for (id, number) in watched where ready.contains(number) {
            close(number)
            watched[id] = nil
            tracker.processEnded(id, at: now)
        }
    }

    func takeParts(_ ready: Set<Int32>, at now: Moment) {
        for part in parts {
            let numbers = part.descriptors.filter(ready.contains)
            if !numbers.isEmpty { ask(part) { () throws(AgentError) in try part.ready(numbers, at: now) } }
        }
    }

    func takeDueParts(at now: Moment) {
        for part in parts {
            guard let due = part.dueAt, now.boot >= due else { continue }
            ask(part) { () throws(AgentError) in try part.due(at: now) }
        }
    }

    /// Records what a part has to say; one that fails keeps nothing else from working.
    func ask(_ part: any ServicePart, _ body: () throws(AgentError) -> [SessionEvent]) {
        do throws(AgentError) {
            for event in try body() { pending += tracker.take(event) }
            complaints[part.name] = nil
        } catch {
            complain(part.name, "\(part.name): \(error.reason)")
        }
    }
}
