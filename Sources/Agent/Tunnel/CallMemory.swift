// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// Remembers what became of calls, so that one that is repeated answers what the first did, also while that still runs.
///
/// A call is the same when its request id and everything else in it are. Of each request id and command only the last call is
/// remembered: a grant that comes again after it was revoked is done again. Times are nanoseconds of a clock that only
/// goes forward.
struct CallMemory: Sendable {
    /// What is to be done about a call.
    enum Answer: Sendable, Hashable {
        /// It is new: run it under this ticket.
        case run(ticket: UInt64)
        /// It runs already: wait for this ticket.
        case wait(ticket: UInt64)
        /// It was done.
        case known(HostOutcome)
    }

    /// The most outcomes that are remembered, and the most bytes of their texts.
    static let maximumOutcomes = 1_024
    static let maximumBytes = 1 << 20
    /// How long a success is remembered, in nanoseconds: servers repeat within seconds, operators within minutes.
    static let successNanoseconds: UInt64 = 3_600 * 1_000_000_000
    /// How long a failure is: a server's own repetitions are answered alike, and what was mended meanwhile is tried
    /// again.
    static let failureNanoseconds: UInt64 = 10 * 1_000_000_000

    private struct Key: Sendable, Hashable {
        let requestID: [UInt8]
        let command: [UInt8]
    }

    private struct Entry: Sendable {
        let digest: [UInt8]
        let ticket: UInt64
        /// Nil while it runs.
        var outcome: HostOutcome?
        var until: UInt64 = .max
        var bytes: Int { outcome.map { $0.message.utf8.count + ($0.output?.utf8.count ?? 0) } ?? 0 }
    }

    private var entries: [Key: Entry] = [:]
    /// What runs for whom: the entry may be another call's by the time it is done.
    private var running: [UInt64: Key] = [:]
    /// Keys in the order in which their calls were done, the oldest first; some may be gone.
    private var order: [(key: Key, ticket: UInt64)] = []
    private var bytes = 0
    private var nextTicket: UInt64 = 0

    /// Outcomes that are remembered, running calls among them.
    var count: Int { entries.count }

    /// Looks a call up, and takes note of it when it is new.
    mutating func begin(_ call: HostCall, dryRun: Bool, at now: UInt64) -> Answer {
        let ticket = nextTicket
        nextTicket &+= 1
        guard let requestID = call.requestID else { return .run(ticket: ticket) }
        let key = Key(requestID: Array(requestID.utf8), command: Array(call.command.utf8))
        let digest = Digest.sha256(Array("\(dryRun) \(call.data.text)".utf8))
        if let entry = entries[key], entry.digest == digest {
            guard let outcome = entry.outcome else { return .wait(ticket: entry.ticket) }
            if now < entry.until { return .known(outcome) }
        }
        forget(key)
        entries[key] = Entry(digest: digest, ticket: ticket)
        running[ticket] = key
        return .run(ticket: ticket)
    }

    /// A call could not be begun after all.
    mutating func abandon(_ ticket: UInt64) {
        guard let key = running.removeValue(forKey: ticket), entries[key]?.ticket == ticket else { return }
        forget(key)
    }

    /// A call is done.
    mutating func finish(_ ticket: UInt64, _ outcome: HostOutcome, at now: UInt64) {
        guard let key = running.removeValue(forKey: ticket), var entry = entries[key], entry.ticket == ticket
        else {
            return
        }
        entry.outcome = outcome
        entry.until = now &+ (outcome.success ? Self.successNanoseconds : Self.failureNanoseconds)
        entries[key] = entry
        bytes += entry.bytes
        order.append((key, ticket))
        while !order.isEmpty, order.count > Self.maximumOutcomes || bytes > Self.maximumBytes {
            let oldest = order.removeFirst()
            if entries[oldest.key]?.ticket == oldest.ticket { forget(oldest.key) }
        }
    }

    private mutating func forget(_ key: Key) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        bytes -= entry.bytes
    }
}
