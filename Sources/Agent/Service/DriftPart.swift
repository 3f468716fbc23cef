// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// Looks now and then whether the host is still as `trust install` left it, and says what isn't.
///
/// The look takes several starts of sshd, for which no login may wait: a process of its own makes it.
public final class DriftPart: ServicePart {
    /// Seconds between two looks: a change by hand is noticed before it is forgotten, and sshd is not started all the
    /// time.
    static let intervalSeconds: UInt64 = 300

    public let name = "drift"
    private let originals: String
    private let command: OwnCommand
    private let say: (String) -> Void
    private var lastLook: Moment?
    private var findings: [String] = []

    /// - Parameters:
    ///   - originals: what `trust install` leaves; without it there is nothing to look at.
    ///   - program: `daypass-agent` itself, an absolute path.
    ///   - arguments: those of `trust verify --format json` for this host.
    ///   - say: takes a line.
    public init(
        originals: String, program: String, arguments: [String], say: @escaping (String) -> Void
    ) {
        self.originals = originals
        command = OwnCommand(program, arguments)
        self.say = say
    }

    public var descriptors: [Int32] { command.descriptors }

    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        guard !command.isRunning, lastLook.map({ moment.seconds(since: $0) >= Self.intervalSeconds }) ?? true
        else {
            return []
        }
        lastLook = moment
        guard try SystemFiles().kind(originals) != nil else { return [] }
        try command.start()
        return []
    }

    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] {
        if let output = command.read() { compare(output) }
        return []
    }

    public func reload() throws(AgentError) { lastLook = nil }

    /// Says what is new among the findings, and what is gone.
    private func compare(_ bytes: [UInt8]) {
        guard let json = try? JSONValue(parsing: bytes, maximumBytes: OwnCommand.maximumBytes),
            let checks = json["checks"]?.array
        else { return say("warning: drift: the look at sshd's trust said nothing that can be read") }
        let found = checks.compactMap { check -> String? in
            guard let problem = check["problem"]?.string else { return nil }
            let place = [check["file"]?.string, check["line"]?.number.map { "line \($0)" }].compactMap { $0 }
            return
                "\(check["setting"]?.string ?? "trust")\(place.isEmpty ? "" : " (\(place.joined(separator: " ")))")"
                + ": \(problem)"
        }
        for finding in found where !findings.contains(finding) {
            say("warning: drift: \(finding.escapedForTerminal)")
        }
        if found.isEmpty, !findings.isEmpty { say("drift: all as trust install left it again") }
        findings = found
    }
}
