// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc

/// The end of one session's processes: asked to go first, made to go when they do not.
///
/// A value that is told the time; whoever holds it calls ``step(at:)`` until it is done.
public struct SessionKill: Sendable {
    /// Seconds that processes have to end by themselves, so that shells can save their history and sshd tells PAM.
    public static let graceSeconds: UInt64 = 3
    /// How often what is left is looked for and killed; each round finds what the one before missed.
    private static let maximumRounds = 20

    public enum State: Sendable, Hashable {
        case running
        /// None of its processes is left; how many were told to end.
        case done(processes: Int)
        /// Processes that would not end: they hang in the kernel, or start others faster than they are found.
        case failed(left: Int)
    }

    public let session: String
    private let processes: SessionProcesses
    private let began: Moment
    private var signalled: Set<Int32> = []
    private var rounds = 0

    /// - Parameter open: the session's `open`.
    /// - Throws: `.notFound` when its process does not run any more.
    public init(_ session: String, open: SessionEvent, at moment: Moment) throws(AgentError) {
        guard let processes = SessionProcesses(open) else {
            throw AgentError(.notFound, "session \(session): its process of sshd does not run any more")
        }
        self.session = session
        self.processes = processes
        began = moment
    }

    /// How many processes it has now.
    public var count: Int { processes.find().count }

    /// Does what is next.
    public mutating func step(at moment: Moment) -> State {
        let left = processes.find()
        guard !left.isEmpty else { return .done(processes: signalled.count) }
        if moment.seconds(since: began) < Self.graceSeconds {
            ask(left)
            return .running
        }
        guard rounds < Self.maximumRounds else { return .failed(left: left.count) }
        rounds += 1
        // The monitor goes last and by itself, if it can: it tells PAM, and PAM tells the agent.
        let others = left.filter { $0.pid != processes.monitor }
        if !others.isEmpty { stop(others) } else if rounds > Self.maximumRounds / 2 { stop(left) }
        return .running
    }

    /// Tells what has not been told yet. The monitor gets SIGTERM, which it passes to its child before it closes the PAM
    /// session (monitor.c, `monitor_child_handler`); the others get what a lost line would give them as well.
    private mutating func ask(_ processes: [ProcessFacts]) {
        for facts in processes where !signalled.contains(facts.pid) {
            signalled.insert(facts.pid)
            guard let process = ProcessHandle(facts) else { continue }
            if !SshdProcess.isSshd(facts.pid, nil) { process.signal(SIGHUP) }
            process.signal(SIGTERM)
            process.signal(SIGCONT)
        }
    }

    /// Stops them all before the first is killed, so that none starts another one meanwhile.
    private mutating func stop(_ processes: [ProcessFacts]) {
        for number in [SIGSTOP, SIGKILL] {
            for facts in processes {
                signalled.insert(facts.pid)
                ProcessHandle(facts)?.signal(number)
            }
        }
    }
}
