// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What a walk over all records found.
public struct RecordVerification: Sendable, Hashable {
    /// A place at which the chain does not hold.
    public struct Problem: Sendable, Hashable {
        public let file: String
        /// Counted from 1.
        public let line: UInt64
        public let what: String
    }

    /// More problems than this are not listed: after the first few, the rest says nothing new.
    public static let maximumProblems = 100

    public internal(set) var files = 0
    public internal(set) var records: UInt64 = 0
    public internal(set) var firstSequence: UInt64?
    public internal(set) var lastSequence: UInt64?
    /// What the next record will have as its `previous`: kept elsewhere, it shows later that none of these records was
    /// changed or cut off.
    public internal(set) var lastHash: String?
    /// The last record that went with the limits of what is kept, as a record says.
    public internal(set) var removedThrough: UInt64?
    public internal(set) var problems: [Problem] = []
    public internal(set) var problemCount = 0

    public var isIntact: Bool { problemCount == 0 }
}

extension RecordFiles {
    /// Walks all records from the oldest to the newest, and checks that each is the one that was written.
    ///
    /// It may run beside the agent: a last line that has no end yet is not looked at, and files that come and go
    /// meanwhile make it begin again.
    public func verify() throws(AgentError) -> RecordVerification {
        // Files are made once in 8 MiB of records; whoever makes three during one walk is not our agent.
        for _ in 0..<3 {
            let before = try names()
            let result = try walk(before.full + (before.current.map { [$0] } ?? []))
            let after = try names()
            if before == after { return result }
        }
        throw AgentError(
            .busy, "\(folder.escapedForTerminal): files of records come and go too fast to be verified")
    }

    private func walk(_ names: [String]) throws(AgentError) -> RecordVerification {
        var walk = RecordWalk()
        for name in names {
            guard var lines = try open(name) else { continue }
            walk.begin(name)
            while let line = try lines.next() { walk.take(line) }
            walk.end(hasRest: try lines.hasRest(), isCurrent: name == Self.current)
        }
        return walk.finish()
    }
}

extension RecordLines {
    /// True when something without a line feed stands at the end.
    mutating func hasRest() throws(AgentError) -> Bool { try file.size("records") > offset }
}

/// The chain so far.
private struct RecordWalk {
    private var result = RecordVerification()
    private var file = ""
    private var line: UInt64 = 0
    private var previous: (sequence: UInt64, hash: String)?
    /// The first record there is, and what the records say about those before it.
    private var first: (file: String, link: RecordLink, host: String)?
    private var removed: [(sequence: UInt64, hash: String)] = []

    mutating func begin(_ name: String) {
        file = name
        line = 0
        result.files += 1
    }

    mutating func take(_ content: RecordLines.Line) {
        line += 1
        guard !content.isTooLong, let link = RecordLink(content.bytes) else {
            problem("this is no record")
            return
        }
        if let previous {
            check(link, after: previous)
        } else {
            first = (file, link, link.json["host"]?.string ?? "")
            result.firstSequence = link.sequence
        }
        result.records += 1
        previous = (link.sequence, SessionRecord.hash(content.bytes))
        if link.json["event"]?.string == SessionEvent.Kind.removed.rawValue,
            let last = link.json["lastSequence"]?.number, let hash = link.json["sha256"]?.string
        {
            removed.append((last.magnitude, hash))
        }
    }

    private mutating func check(_ link: RecordLink, after previous: (sequence: UInt64, hash: String)) {
        let expected = previous.sequence + 1
        if link.sequence > expected {
            problem(
                "record \(link.sequence) follows \(previous.sequence): \(link.sequence - expected) are missing"
            )
        } else if link.sequence < expected {
            problem("record \(link.sequence) follows \(previous.sequence): out of order, or there twice")
        } else if !link.previous.utf8.elementsEqual(previous.hash.utf8) {
            problem("record \(previous.sequence), the one before this, is not the one that was written")
        }
    }

    mutating func end(hasRest: Bool, isCurrent: Bool) {
        line += 1
        // The agent may be writing it.
        if hasRest, !isCurrent { problem("a line without an end") }
    }

    private mutating func problem(_ what: String) {
        result.problemCount += 1
        if result.problems.count < RecordVerification.maximumProblems {
            result.problems.append(.init(file: file, line: line, what: what))
        }
    }

    mutating func finish() -> RecordVerification {
        if let first { checkBeginning(first) }
        result.lastSequence = previous?.sequence
        result.lastHash = previous?.hash
        return result
    }

    private mutating func checkBeginning(_ first: (file: String, link: RecordLink, host: String)) {
        (file, line) = (first.file, 1)
        guard first.link.sequence > 1 else {
            if !first.link.previous.utf8.elementsEqual(SessionRecord.genesis(host: first.host).utf8) {
                problem("the first record does not begin a chain of this host")
            }
            return
        }
        // A crash may have left a file that its record calls removed: then the chain begins before it.
        let last = removed.last { $0.sequence + 1 == first.link.sequence }
        result.removedThrough = last?.sequence
        guard let last else {
            problem(
                "records 1 to \(first.link.sequence - 1) are missing, and no record says that they were removed"
            )
            return
        }
        if !first.link.previous.utf8.elementsEqual(last.hash.utf8) {
            problem("record \(last.sequence), before this file, is not the one that was removed")
        }
    }
}
