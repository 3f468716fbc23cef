// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// Keeps the host's certificate good: asks the control plane for one where there is none, and for the next after two thirds
/// of its life. What fails is tried again; the installed one stays meanwhile.
///
/// Looking at sshd and changing it are programs of their own: both take longer than the agent's loop may.
public final class HostCertificatePart: ServicePart {
    /// Seconds between two looks while all is well: a key of sshd's may be another one by then.
    static let intervalSeconds: UInt64 = 300
    /// Seconds until what failed is tried again: at first, and at most.
    static let pauses: (first: UInt64, longest: UInt64) = (10, 3_600)

    private enum Step {
        case idle, looking, asked, installing
    }

    public let name = "host certificate"
    private let tunnel: TunnelPart
    private let layout: HostLayout
    private let owner: FileOwner
    private let program: String
    private let arguments: [String]
    private let say: (String) -> Void
    private var command: OwnCommand
    private var step = Step.idle
    /// When to look again, by ``Moment/boot``.
    private var looksAt: UInt64 = 0
    private var pause = HostCertificatePart.pauses.first
    private var lastSaid: String?

    /// - Parameters:
    ///   - tunnel: an agent's part too, listed before this one.
    ///   - program: `daypass-agent` itself, an absolute path.
    ///   - arguments: those that say which host it is: configuration and folders.
    ///   - say: takes a line.
    public init(
        _ tunnel: TunnelPart, layout: HostLayout, owner: FileOwner = FileOwner(), program: String,
        arguments: [String], say: @escaping (String) -> Void
    ) {
        (self.tunnel, self.layout, self.owner) = (tunnel, layout, owner)
        (self.program, self.arguments, self.say) = (program, arguments, say)
        command = OwnCommand(program, [])
        let before = tunnel.onRegistered
        tunnel.onRegistered = { [weak self] answer in
            before?(answer)
            // Another server, or the same one mended.
            self?.looksAt = 0
            self?.pause = Self.pauses.first
        }
    }

    public var descriptors: [Int32] { command.descriptors }

    public func reload() throws(AgentError) { looksAt = 0 }

    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        guard case .idle = step, moment.boot >= looksAt, tunnel.speaksDaypass else { return [] }
        let files = SystemFiles()
        // Without trust there is no block for the line, and during a change of it nothing can be told.
        guard try files.kind(layout.originals) != nil, try files.kind(layout.journal) == nil else {
            return []
        }
        guard !tunnel.settings.dryRun else {
            announce("dry-run: no host certificate is asked for")
            return []
        }
        try start(["host-certificate", "show", "--format", "json"], .looking)
        return []
    }

    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] {
        guard let output = command.read() else { return [] }
        let json = try? JSONValue(parsing: output, maximumBytes: OwnCommand.maximumBytes)
        switch step {
        case .looking: looked(json, at: moment)
        case .installing: installed(json, at: moment)
        case .idle, .asked: break
        }
        return []
    }

    private func start(_ words: [String], _ next: Step) throws(AgentError) {
        command = OwnCommand(program, words + arguments)
        try command.start()
        step = next
    }

    /// Asks where it is time.
    private func looked(_ json: JSONValue?, at moment: Moment) {
        guard let json else {
            return fail("the look at sshd's keys said nothing that can be read", at: moment)
        }
        if let problem = json["problem"]?.string { return fail(problem, at: moment) }
        guard let line = json["key"]?.string, let parsed = try? PublicKeyLine(line),
            let key = try? parsed.content.plainKey("host key")
        else { return fail("sshd has no key to be certified", at: moment) }
        let now = moment.wall / 1_000_000_000
        if let renewal = json["renewalSeconds"]?.number.flatMap({ UInt64(exactly: $0) }), now < renewal {
            return rest(min(renewal - now, Self.intervalSeconds), at: moment)
        }
        let isQueued = tunnel.send(Tunnel.hostCertificate, HostCertificateRequest(key: key).json) {
            [weak self] reply in self?.answered(reply)
        }
        guard isQueued else { return fail("too much waits for the tunnel", at: moment) }
        step = .asked
    }

    private func answered(_ reply: TunnelPart.Reply) {
        let moment = Moment.now
        switch reply {
        case .unanswered: rest(1, at: moment)
        case .refused(let error): fail("refused: \(error.message.escapedForTerminal)", at: moment)
        case .result(let value):
            do throws(AgentError) {
                let answer = try understand("host certificate") { () throws(ControlProtocolError) in
                    try HostCertificateAnswer(json: value)
                }
                try install(answer)
            } catch {
                fail(error.reason, at: moment)
            }
        }
    }

    private func install(_ answer: HostCertificateAnswer) throws(AgentError) {
        let text: String
        do throws(SSHWireError) {
            text = try PublicKeyLine(.certificate(answer.certificate)).text
        } catch {
            throw AgentError(.network, "host certificate: \(error.reason)")
        }
        try SystemFiles().replace(
            layout.nextHostCertificate,
            FileContent(Array((text + "\n").utf8), owner.attributes(mode: 0o600)))
        // Each in one argument with its option: whatever a name is, it is no option of its own.
        let removed = answer.removed.map { "--removed=\($0)" }
        try start(
            ["host-certificate", "install", layout.nextHostCertificate, "--format", "json"] + removed,
            .installing)
    }

    private func installed(_ json: JSONValue?, at moment: Moment) {
        if let problem = json?["problem"]?.string {
            return fail("not installed, the old one stays: \(problem)", at: moment)
        }
        guard json?["outcome"]?.string != nil else {
            return fail("not installed, the old one stays: its program said nothing", at: moment)
        }
        let names = json?["names"]?.array?.compactMap(\.string).joined(separator: ", ") ?? ""
        let end = json?["validUntil"]?.string ?? ""
        lastSaid = nil
        say("host certificate: installed, for \(names.escapedForTerminal) until \(end.escapedForTerminal)")
        pause = Self.pauses.first
        rest(1, at: moment)
    }

    private func rest(_ seconds: UInt64, at moment: Moment) {
        step = .idle
        looksAt = moment.boot &+ max(seconds, 1) &* 1_000_000_000
    }

    private func fail(_ reason: String, at moment: Moment) {
        announce("warning: host certificate: \(reason)")
        rest(pause, at: moment)
        pause = min(pause * 2, Self.pauses.longest)
    }

    /// Says a change, once.
    private func announce(_ line: String) {
        guard lastSaid != line else { return }
        lastSaid = line
        say(line)
    }
}

extension TunnelPart {
    /// True when what only Daypass's servers know can be asked for.
    fileprivate var speaksDaypass: Bool {
        guard isOpen, case .open(let talk) = connection else { return false }
        return talk.conversation.dialect == .daypass
    }
}
