// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// Begins and ends grants when their time comes, with no control plane: at the agent's start, to the second while it
/// runs, and every five minutes to see whether somebody changed what is ours.
///
/// The work takes programs, and sessions that end go through the agent's own loop: a process of its own does it.
public final class GrantPart: ServicePart {
    /// Seconds between two looks without anything due.
    static let intervalSeconds: UInt64 = 300
    /// The longest time between two attempts at what does not succeed, in seconds.
    static let maximumDelay: UInt64 = 60

    public let name = "grants"
    private let layout: HostLayout
    private let command: OwnCommand
    private let boot: String
    private let files: any HostFiles
    private let say: (String) -> Void
    /// What the last sweep said: what does not succeed is said once.
    private var said: [UInt8] = []
    private var lastSweep: Moment?
    /// Seconds to the next attempt; doubled by each that leaves something due.
    private var delay: UInt64 = 1
    private var clock: GrantClock?

    /// - Parameters:
    ///   - program: `daypass-agent` itself, an absolute path.
    ///   - arguments: those of `grants sweep` for this host.
    ///   - say: takes a line.
    public init(
        layout: HostLayout, program: String, arguments: [String], boot: String = ProcessTable.bootID(),
        files: any HostFiles = SystemFiles(), say: @escaping (String) -> Void
    ) {
        self.layout = layout
        command = OwnCommand(program, arguments)
        self.boot = boot
        self.files = files
        self.say = say
    }

    public var descriptors: [Int32] { command.descriptors }

    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        guard !command.isRunning, try isTime(at: moment) else { return [] }
        lastSweep = moment
        try command.start()
        return []
    }

    /// True when something is due, or it is time for another look.
    private func isTime(at moment: Moment) throws(AgentError) -> Bool {
        guard let lastSweep else { return true }
        let passed = moment.seconds(since: lastSweep)
        if passed >= Self.intervalSeconds { return true }
        let now = try now(at: moment)
        guard let due = try GrantSchedule.due(files, layout), due <= now else {
            delay = 1
            return false
        }
        guard passed >= delay else { return false }
        delay = min(delay * 2, Self.maximumDelay)
        return true
    }

    /// The time by which grants end, also while somebody sets the clock back between two sweeps.
    private func now(at moment: Moment) throws(AgentError) -> UnixTime {
        if clock == nil { clock = try GrantClock.read(files, layout) }
        let clock = clock?.seen(at: moment, boot: boot) ?? GrantClock(latest: moment, boot: boot)
        self.clock = clock
        return clock.time
    }

    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] {
        guard let output = command.read() else { return [] }
        defer { said = output }
        guard output != said else { return [] }
        for line in String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline) {
            say("grants: \(String(line).escapedForTerminal)")
        }
        return []
    }

    public func reload() throws(AgentError) { lastSweep = nil }
}
