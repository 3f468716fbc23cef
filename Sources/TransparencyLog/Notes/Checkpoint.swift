// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What a log says of itself: its name, its size and its root (C2SP tlog-checkpoint). Form only, no trust.
///
/// ```
/// example.com/behind-the-sofa
/// 20852163
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
/// ```
///
/// As a ``VerifiedCheckpoint`` it is known to be signed by the log.
public struct Checkpoint: Sendable {
    /// The log's name; not empty, at most ``LogLimits/originBytes`` bytes, of characters that can be seen, and blanks.
    public let origin: String
    /// The log's size and root.
    public let head: TreeHead
    /// Further lines, none of them empty. C2SP advises against any: nobody audits them.
    public let extensionLines: [String]

    /// Throws `.malformed` for an empty origin or extension line, `.notText` for a character that can't be seen, `.tooLong`
    /// above ``LogLimits/originBytes`` or ``LogLimits/noteBytes``, and `.rootMismatch` for an empty tree whose root
    /// is not ``MerkleHash/emptyRoot``.
    public init(
        origin: String, head: TreeHead, extensionLines: [String] = []
    ) throws(TransparencyLogError) {
        guard origin.utf8.count <= LogLimits.originBytes else {
            throw TransparencyLogError(
                .tooLong,
                "checkpoint: an origin of \(origin.utf8.count) bytes, at most \(LogLimits.originBytes) are allowed"
            )
        }
        try Self.checkLine(origin, "origin")
        for line in extensionLines { try Self.checkLine(line, "extension line") }
        guard head.size > 0 || head.root == MerkleHash.emptyRoot else {
            throw TransparencyLogError(
                .rootMismatch,
                "checkpoint: the root of no entries is \(MerkleHash.emptyRoot), not \(head.root)")
        }
        self.origin = origin
        self.head = head
        self.extensionLines = extensionLines
        guard text.count <= LogLimits.noteBytes else {
            throw TransparencyLogError(
                .tooLong, "checkpoint: \(text.count) bytes, at most \(LogLimits.noteBytes) are allowed")
        }
    }

    /// Reads a note's text to its last byte; whatever is accepted has ``text`` equal to the input.
    ///
    /// Throws as ``init(origin:head:extensionLines:)`` does, and `.truncated`, `.notCanonical` or `.outOfRange`.
    public init(text: [UInt8]) throws(TransparencyLogError) {
        guard text.count <= LogLimits.noteBytes else {
            throw TransparencyLogError(
                .tooLong, "checkpoint: \(text.count) bytes, at most \(LogLimits.noteBytes) are allowed")
        }
        var lines = Lines(text)
        let origin = try Self.string(try lines.next("checkpoint origin"))
        let size = try decimal(try lines.next("checkpoint size"), "checkpoint size", upTo: LogLimits.treeSize)
        let root = try Hash(base64: try lines.next("checkpoint root"), "checkpoint root")
        var extensionLines: [String] = []
        while !lines.isAtEnd {
            extensionLines.append(try Self.string(try lines.next("checkpoint extension line")))
        }
        try self.init(
            origin: origin, head: try TreeHead(size: size, root: root), extensionLines: extensionLines)
    }

    /// The text of the note, with its final newline: what the log signs.
    public var text: [UInt8] {
        Array("\(origin)\n\(head.size)\n\(head.root)\n".utf8)
            + extensionLines.flatMap { Array("\($0)\n".utf8) }
    }

    private static func string(_ line: ArraySlice<UInt8>) throws(TransparencyLogError) -> String {
        guard let string = String(validating: line, as: UTF8.self) else {
            throw TransparencyLogError(.notText, "checkpoint: the line \(quoted(line)) is not UTF-8")
        }
        return string
    }

    private static func checkLine(_ line: String, _ field: StaticString) throws(TransparencyLogError) {
        guard !line.isEmpty else {
            throw TransparencyLogError(.malformed, "checkpoint: its \(field) is empty")
        }
        if let scalar = line.unicodeScalars.first(where: \.isUnprintable) {
            throw TransparencyLogError(
                .notText,
                "checkpoint: its \(field) \(quoted(line.utf8)) holds U+\(hexadecimal(UInt64(scalar.value), digits: 4))"
            )
        }
    }
}

extension Checkpoint: Hashable {
    // By bytes: String's own equality takes the two Unicode spellings of "é" for one origin.
    public static func == (one: Checkpoint, other: Checkpoint) -> Bool { one.text == other.text }
    public func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

extension SignedNote {
    /// Signs a checkpoint with the log's keys.
    ///
    /// A log must never sign two that contradict each other: compare with what was published last, first. Throws as
    /// ``SignedNote/init(signing:by:)`` does.
    public init(signing checkpoint: Checkpoint, by signers: [NoteSigner]) throws {
        try self.init(signing: checkpoint.text, by: signers)
    }
}
