// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A checkpoint with the proof that it only appends to an earlier one; the same text that a log sends to witnesses
/// (`add-checkpoint` in C2SP tlog-witness).
///
/// ```
/// old 20852014
/// PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
/// jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
///
/// example.com/behind-the-sofa
/// 20852163
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
///
/// — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+…
/// ```
public struct CheckpointUpdate: Hashable, Sendable {
    /// The earlier checkpoint's size.
    public let oldSize: UInt64
    /// The consistency proof's hashes; at most ``LogLimits/proofHashes``.
    public let hashes: [Hash]
    /// The later checkpoint, unverified.
    public let checkpoint: SignedNote

    /// Joins a proof with a checkpoint of the same tree size.
    ///
    /// Throws `.outOfRange` for another size, and what a checkpoint's form asks for.
    public init(_ proof: ConsistencyProof, checkpoint: SignedNote) throws(TransparencyLogError) {
        let size = try Checkpoint(text: checkpoint.unverifiedText).head.size
        guard proof.newSize == size else {
            throw TransparencyLogError(
                .outOfRange, "proof: it is for \(proof.newSize) entries, its checkpoint for \(size)")
        }
        self.oldSize = proof.oldSize
        self.hashes = proof.hashes
        self.checkpoint = checkpoint
    }

    /// Reads an update to its last byte; whatever is accepted has ``bytes`` equal to the input.
    ///
    /// Throws `.malformed`, `.truncated`, `.tooLong`, `.notCanonical` or `.outOfRange`, and as ``SignedNote`` does.
    public init(_ bytes: Span<UInt8>) throws(TransparencyLogError) {
        var lines = try proofLines(bytes)
        let line = try lines.next("proof")
        guard let oldSize = argument(of: "old ", in: line) else {
            throw TransparencyLogError(
                .malformed, "proof: \(quoted(line)), a line with the old size expected")
        }
        self.oldSize = try decimal(oldSize, "old size", upTo: LogLimits.treeSize)
        self.hashes = try proofHashes(&lines)
        self.checkpoint = try SignedNote(Array(lines.rest).span)
    }

    /// The update as a file.
    public var bytes: [UInt8] { Array("old \(oldSize)\n".utf8) + proofText(hashes, checkpoint) }

    /// Verifies the later checkpoint, and that its tree begins with the earlier one's.
    ///
    /// Throws as ``VerifiedCheckpoint/init(_:origin:logKeys:witnesses:)`` does; `.outOfRange` when `old` is not of
    /// the size that the proof starts from; `.rolledBack` when the later checkpoint is the smaller one;
    /// `.invalidProof`.
    public func verified(
        since old: VerifiedCheckpoint, logKeys: [NoteVerifier], witnesses: [NoteVerifier] = []
    ) throws(TransparencyLogError) -> VerifiedCheckpoint {
        let new = try VerifiedCheckpoint(
            checkpoint, origin: old.checkpoint.origin, logKeys: logKeys, witnesses: witnesses)
        guard new.head.size >= old.head.size else {
            throw TransparencyLogError(
                .rolledBack,
                "checkpoint: \(new.head.size) entries, \(old.head.size) were published before")
        }
        guard oldSize == old.head.size else {
            throw TransparencyLogError(
                .outOfRange, "proof: from \(oldSize) entries, the known checkpoint has \(old.head.size)")
        }
        let proof = try ConsistencyProof(oldSize: oldSize, newSize: new.head.size, hashes: hashes)
        try proof.verify(oldRoot: old.head.root, newRoot: new.head.root)
        return new
    }
}
