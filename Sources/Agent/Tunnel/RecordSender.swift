// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// Sends the host's session records to the control plane: in their order, each once, what was missed when the tunnel is
/// open again.
///
/// Where to go on is what the server says that its log has, not what was sent: an answer that got lost costs nothing. The
/// files of records are the queue, so that nothing is kept twice.
public final class RecordSender: ServicePart {
    /// The most records of one report, and about how many bytes.
    static let maximumRecords = 64
    static let maximumBytes = 256 << 10
    /// How long a refused report is not tried again, in nanoseconds.
    static let refusalNanoseconds: UInt64 = 30_000_000_000

    private enum State {
        /// No tunnel, or the server has not said yet where to go on.
        case unknown
        case idle
        /// A report is on its way.
        case sent
        /// The report has to be made again.
        case again(at: UInt64)
    }

    public let name = "session records"
    private let tunnel: TunnelPart
    private let reader: RecordReader
    private let say: (String) -> Void
    private var state = State.unknown
    /// The newest record that the log has, by the server's word; nil where it has none.
    private var confirmed: (sequence: UInt64, hash: [UInt8])?
    /// The host no longer has that record.
    private var beginsAnew = false

    /// - Parameter tunnel: an agent's part too, listed before this one.
    public init(_ tunnel: TunnelPart, files: RecordFiles, say: @escaping (String) -> Void) {
        self.tunnel = tunnel
        self.say = say
        reader = RecordReader(files)
        tunnel.onRegistered = { [weak self] answer in self?.registered(answer) }
    }

    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        if case .again(let time) = state, moment.boot >= time, tunnel.isOpen { goBack() }
        try sendNext()
        return []
    }

    public func recorded() { try? sendNext() }

    /// The server knows who we are, and says what its log has of us.
    private func registered(_ answer: JSONValue) {
        let place = answer["recorded"]
        let sequence = place?["sequence"]?.number.flatMap { UInt64(exactly: $0) } ?? 0
        let hash = place?["sha256"]?.string.flatMap { bytes(hexadecimal: $0) } ?? []
        confirmed = sequence > 0 ? (sequence, hash) : nil
        goBack()
    }

    /// Goes on behind what the log has.
    private func goBack() {
        do throws(AgentError) {
            beginsAnew = false
            if let confirmed {
                if try !reader.seek(behind: confirmed.sequence, hash: confirmed.hash) {
                    say(
                        "warning: the log has this host's records up to \(confirmed.sequence), which are not here; sending from the first"
                    )
                    beginsAnew = true
                    try reader.rewind()
                }
            } else {
                try reader.rewind()
            }
            state = .idle
            try sendNext()
        } catch {
            postpone("session records can't be read: \(error.reason)")
        }
    }

    private func sendNext() throws(AgentError) {
        guard case .idle = state, tunnel.isOpen else { return }
        var lines: [JSONValue] = []
        var size = 0
        var last: RecordReader.Line?
        while lines.count < Self.maximumRecords, let line = try reader.peek(),
            lines.isEmpty || size + line.bytes.count <= Self.maximumBytes
        {
            _ = try reader.next()
            lines.append(.string(String(decoding: line.bytes, as: UTF8.self)))
            size += line.bytes.count
            last = line
        }
        guard let last else { return }
        var params = [JSONValue.Member("records", .array(lines))]
        if beginsAnew { params.append(.init("beginsAnew", .bool(true))) }
        params.append(.init("clock", .number(Int64(clamping: Moment.now.wall / 1_000))))
        state = .sent
        let place = (last.sequence, Digest.sha256(last.bytes))
        let isQueued = tunnel.send(Tunnel.report, .object(params)) { [weak self] reply in
            self?.answered(reply, place)
        }
        if !isQueued { state = .again(at: 0) }
    }

    private func answered(_ reply: TunnelPart.Reply, _ place: (sequence: UInt64, hash: [UInt8])) {
        switch reply {
        case .result(let value):
            guard value["recorded"]?.number.flatMap({ UInt64(exactly: $0) }) == place.sequence else {
                return postpone("the log has other records of this host than were sent")
            }
            confirmed = place
            beginsAnew = false
            state = .idle
            try? sendNext()
        case .refused(let error):
            postpone("session records were refused: \(error.message.escapedForTerminal)")
        // The server passes over what it has already.
        case .unanswered: state = .again(at: 0)
        }
    }

    private func postpone(_ reason: String) {
        say("warning: \(reason)")
        state = .again(at: Moment.now.boot &+ Self.refusalNanoseconds)
    }
}
