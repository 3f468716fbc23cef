// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// Ends one session: through the agent where one runs, else by itself.
public struct KillClient {
    /// Seconds that the agent may take: its grace, its rounds, and some for a slow disk.
    private static let agentSeconds = 30

    private let layout: HostLayout
    private let host: String

    public init(layout: HostLayout, host: String) {
        self.layout = layout
        self.host = host
    }

    /// - Returns: the session's whole ID, and how many processes were told to end.
    /// - Throws: `.notFound`, `.invalidRequest`, or whatever kept it from being recorded: nothing ends unrecorded.
    public func kill(_ request: KillRequest) throws(AgentError) -> (session: String, processes: Int64) {
        if let answer = try askAgent(request) { return answer }
        return try killOurselves(request)
    }

    /// - Returns: nil when no agent runs.
    private func askAgent(_ request: KillRequest) throws(AgentError) -> (session: String, processes: Int64)? {
        let path = layout.sessionSocket
        let number = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw .system("cannot make the socket", path) }
        let agent = Descriptor(owning: number)
        let connected = unsafe withUnixAddress(Array(path.utf8)) { address, size in
            unsafe connect(agent.number, address, size)
        }
        guard connected == 0 else {
            if errno == ENOENT || errno == ECONNREFUSED { return nil }
            throw .system("cannot ask the agent at", path)
        }
        let packet = request.encoded
        guard unsafe send(agent.number, packet, packet.count, Int32(MSG_NOSIGNAL)) == packet.count else {
            throw .system("cannot ask the agent at", path)
        }
        var polled = pollfd(fd: agent.number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&polled, 1, Int32(Self.agentSeconds * 1_000)) == 1 else {
            throw AgentError(
                .busy, "the agent does not answer; it may have ended the session, see daypass-agent sessions")
        }
        var answer = [UInt8](repeating: 0, count: 8 << 10)
        let count = unsafe recv(agent.number, &answer, answer.count, 0)
        guard count > 0,
            let json = try? JSONValue(parsing: Array(answer[..<count]), maximumBytes: answer.count)
        else {
            throw AgentError(.busy, "the agent stopped without an answer")
        }
        if let error = json["error"]?.string { throw AgentError(.notFound, error) }
        return (json["session"]?.string ?? request.session, json["processes"]?.number ?? 0)
    }

    /// Without an agent we are the one writer of records.
    private func killOurselves(_ request: KillRequest) throws(AgentError) -> (
        session: String, processes: Int64
    ) {
        var tracker = SessionTracker(boot: ProcessTable.bootID())
        let opened = try RecordLog.open(folder: layout.sessions, host: host, at: .now) { tracker.restore($0) }
        var (event, kill) = try SessionKill.prepare(request, tracker.live, by: getuid(), at: .now)
        event.actor = (event.actor ?? "") + ", while no agent ran"
        try opened.log.append(opened.found + [event], at: .now) { tracker.carried }
        while true {
            switch kill.step(at: .now) {
            case .done(let processes): return (kill.session, Int64(processes))
            case .failed(let left):
                throw AgentError(.program, "\(left) processes of session \(kill.session) do not end")
            case .running: usleep(100_000)
            }
        }
    }
}
