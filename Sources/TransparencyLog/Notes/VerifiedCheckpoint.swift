// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A checkpoint that its log has signed.
public struct VerifiedCheckpoint: Sendable {
    /// The log's name, size and root.
    public let checkpoint: Checkpoint
    /// The note that it came in, with every signature that verified.
    public let note: VerifiedNote

    /// Verifies a note as a checkpoint of the log named `origin`.
    ///
    /// - Parameters:
    ///   - origin: the first line that the checkpoint must have, compared by bytes.
    ///   - logKeys: the log's own keys. One of them must have signed: witnesses alone speak for no log.
    ///   - witnesses: other keys whose signatures are verified if they are there. How many are enough is for the
    ///     caller to judge by ``witnessSignatures``.
    ///
    /// Throws as ``SignedNote/verified(by:)`` and ``Checkpoint/init(text:)`` do, `.noTrustedSignature` without the
    /// log's own signature, and `.wrongOrigin`.
    public init(
        _ note: SignedNote, origin: String, logKeys: [NoteVerifier], witnesses: [NoteVerifier] = []
    ) throws(TransparencyLogError) {
        let verified = try note.verified(by: logKeys + witnesses)
        // A cosignature tells what a witness saw, not what the log says.
        guard logKeys.contains(where: { $0.algorithm == .ed25519 && verified.isSigned(by: $0) }) else {
            throw TransparencyLogError(
                .noTrustedSignature, "checkpoint: no signature of the log \(quoted(origin.utf8)) itself")
        }
        let checkpoint = try Checkpoint(text: verified.text)
        guard checkpoint.origin.utf8.elementsEqual(origin.utf8) else {
            throw TransparencyLogError(
                .wrongOrigin,
                "checkpoint: it is of the log \(quoted(checkpoint.origin.utf8)), \(quoted(origin.utf8)) expected"
            )
        }
        self.checkpoint = checkpoint
        self.note = verified
    }

    /// The log's size and root.
    public var head: TreeHead { checkpoint.head }

    /// The witnesses' cosignatures that verified, each key once.
    public var witnessSignatures: [VerifiedNote.Signature] {
        note.signatures.filter { $0.algorithm == .timestampedCosignature }
    }
}
