// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What the host has decided about a grant: written before anything is done, and all that is done follows from it.
struct GrantRecord: Sendable, Hashable {
    enum Phase: String, Sendable {
        /// It holds in its time: what belongs to it is to be there.
        case granted
        /// It is over: what belongs to it is to be gone, and its sessions ended.
        case ending
        /// It could not be given whole: as above, and then the record goes, so that it can be asked for again.
        case failing
        /// Nothing is left of it. Kept for a while, so that a late repetition of the call gives nothing back.
        case ended
    }

    let grant: Grant
    var phase: Phase
    /// When it was decided, by the host's clock.
    let decided: UnixTime
    /// Groups that the account was not in before: they go with the last grant that needs them.
    var ownedGroups: [LocalName]
    /// Why it ended.
    var reason: String?
    var ended: UnixTime?

    init(_ grant: Grant, decided: UnixTime, ownedGroups: [LocalName] = []) {
        self.grant = grant
        self.decided = decided
        self.ownedGroups = ownedGroups
        phase = .granted
    }

    /// True while what belongs to it is to be there.
    func isInForce(at now: UnixTime) -> Bool { phase == .granted && grant.holds(at: now) }

    /// True while it is being taken back.
    var isBeingRemoved: Bool { phase == .ending || phase == .failing }

    /// The record with its end decided.
    func ending(_ reason: String, as phase: Phase = .ending) -> GrantRecord {
        var record = self
        record.phase = phase
        record.reason = reason
        return record
    }

    /// The record when nothing is left of the grant.
    func ended(at now: UnixTime) -> GrantRecord {
        var record = self
        record.phase = .ended
        record.ended = now
        return record
    }
}

extension GrantRecord {
    /// The most bytes of one: 64 RSA keys of 16,384 bits take a fifth of it.
    static let maximumBytes = 1 << 20

    /// Reads a record (docs/formats/host-operations.md).
    ///
    /// - Throws: `.damaged`.
    init(parsing bytes: [UInt8], name: String) throws(AgentError) {
        do {
            let value = try JSONValue(parsing: bytes, maximumBytes: Self.maximumBytes, maximumDepth: 8)
            var fields = try OperationFields(value)
            guard fields.take("format") == 1 else { throw AgentError(.damaged, "format 1 expected") }
            guard let part = try fields.text("part", upTo: 16).flatMap({ Grant.Part(rawValue: $0) }),
                let phase = try fields.text("phase", upTo: 16).flatMap({ Phase(rawValue: $0) }),
                let decided = try fields.time("decided"), let grant = fields.take("grant")
            else { throw AgentError(.damaged, "part, phase, decided or grant is missing") }
            self.init(try Grant(recorded: grant, part), decided: decided)
            self.phase = phase
            for group in try fields.texts("ownedGroups", upTo: 64, each: 64) ?? [] {
                ownedGroups.append(try LocalName(group, field: "ownedGroups"))
            }
            reason = try fields.text("reason", upTo: OperationFields.Limit.reasonBytes)
            ended = try fields.time("ended")
            try fields.finish()
        } catch {
            throw AgentError(
                .damaged, "\(name.escapedForTerminal): no record of a grant: \(error)",
                hint: "what belonged to it is taken away; remove the file when you have seen why")
        }
    }

    /// The record as it is stored.
    var bytes: [UInt8] {
        var members: [JSONValue.Member] = [
            .init("format", 1), .init("part", .string(grant.part.rawValue)),
            .init("phase", .string(phase.rawValue)), .init("decided", .string(decided.description)),
        ]
        if !ownedGroups.isEmpty {
            members.append(.init("ownedGroups", .array(ownedGroups.map { .string($0.text) })))
        }
        if let reason { members.append(.init("reason", .string(reason))) }
        if let ended { members.append(.init("ended", .string(ended.description))) }
        members.append(.init("grant", grant.json))
        return Array((JSONValue.object(members).text + "\n").utf8)
    }
}
