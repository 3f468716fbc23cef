// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A proof, to be kept in a file, that an entry is in a log: the inclusion proof and the checkpoint that it leads to
/// (C2SP tlog-proof; the file's name ends in `.tlog-proof`).
///
/// ```
/// c2sp.org/tlog-proof@v1
/// index 73894
/// gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
/// B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
///
/// example.com/fancylog
/// 109482
/// sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
///
/// — example.com/fancylog hI2DJw…
/// ```
public struct LoggedProof: Hashable, Sendable {
    /// Opaque data that nothing authenticates; 1...``LogLimits/proofExtraBytes`` bytes, or nil.
    public let extra: [UInt8]?
    /// The entry's number, from 0.
    public let index: UInt64
    /// The sibling hashes, from the leaf's sibling up to the root's child; at most ``LogLimits/proofHashes``.
    public let hashes: [Hash]
    /// The checkpoint, unverified.
    public let checkpoint: SignedNote

    /// Joins a proof with a checkpoint of the same tree size.
    ///
    /// Throws `.malformed` for empty extra data, `.tooLong`, `.outOfRange`, and what a checkpoint's form asks for.
    public init(
        _ proof: InclusionProof, checkpoint: SignedNote, extra: [UInt8]? = nil
    ) throws(TransparencyLogError) {
        let size = try Checkpoint(text: checkpoint.unverifiedText).head.size
        guard proof.size == size else {
            throw TransparencyLogError(
                .outOfRange, "proof: it is for \(proof.size) entries, its checkpoint for \(size)")
        }
        try self.init(index: proof.index, hashes: proof.hashes, checkpoint: checkpoint, extra: extra)
    }

    private init(
        index: UInt64, hashes: [Hash], checkpoint: SignedNote, extra: [UInt8]?
    ) throws(TransparencyLogError) {
        try checkProofLength(hashes)
        if let extra {
            guard !extra.isEmpty else {
                throw TransparencyLogError(.malformed, "proof: its extra data is empty")
            }
            guard extra.count <= LogLimits.proofExtraBytes else {
                throw TransparencyLogError(
                    .tooLong,
                    "proof: \(extra.count) bytes of extra data, at most \(LogLimits.proofExtraBytes) are allowed"
                )
            }
        }
        self.extra = extra
        self.index = index
        self.hashes = hashes
        self.checkpoint = checkpoint
    }

    /// Reads a proof to its last byte; whatever is accepted has ``bytes`` equal to the input.
    ///
    /// Throws `.malformed`, `.truncated`, `.tooLong`, `.notCanonical` or `.outOfRange`, and as ``SignedNote`` does.
    public init(_ bytes: Span<UInt8>) throws(TransparencyLogError) {
        var lines = try proofLines(bytes)
        let first = try lines.next("proof")
        guard first.elementsEqual(Self.header.utf8) else {
            throw TransparencyLogError(
                .malformed, "proof: it starts with \(quoted(first)), not \(Self.header)")
        }
        var line = try lines.next("proof index")
        var extra: [UInt8]?
        if let text = argument(of: "extra ", in: line) {
            extra = try Base64.decode(text, "proof extra data", upTo: LogLimits.proofExtraBytes)
            line = try lines.next("proof index")
        }
        guard let index = argument(of: "index ", in: line) else {
            throw TransparencyLogError(.malformed, "proof: \(quoted(line)), a line with its index expected")
        }
        try self.init(
            index: try decimal(index, "proof index", upTo: LogLimits.treeSize - 1),
            hashes: try proofHashes(&lines), checkpoint: try SignedNote(Array(lines.rest).span), extra: extra)
    }

    /// The proof as a file.
    public var bytes: [UInt8] {
        let extraLine = extra.map { "extra \(Base64.encode($0))\n" } ?? ""
        return Array("\(Self.header)\n\(extraLine)index \(index)\n".utf8) + proofText(hashes, checkpoint)
    }

    /// Verifies the checkpoint, and that the entry with this leaf hash is in its tree at ``index``.
    ///
    /// Throws as ``VerifiedCheckpoint/init(_:origin:logKeys:witnesses:)`` does, `.outOfRange` for an index outside
    /// of the tree, and `.invalidProof`.
    public func verified(
        leafHash: Hash, origin: String, logKeys: [NoteVerifier], witnesses: [NoteVerifier] = []
    ) throws(TransparencyLogError) -> VerifiedCheckpoint {
        let verified = try VerifiedCheckpoint(
            checkpoint, origin: origin, logKeys: logKeys, witnesses: witnesses)
        let proof = try InclusionProof(index: index, size: verified.head.size, hashes: hashes)
        try proof.verify(leafHash: leafHash, root: verified.head.root)
        return verified
    }

    private static let header = "c2sp.org/tlog-proof@v1"
}

/// The lines of a file that may be a proof; throws `.tooLong` above ``LogLimits/proofBytes``.
func proofLines(_ bytes: Span<UInt8>) throws(TransparencyLogError) -> Lines {
    guard bytes.count <= LogLimits.proofBytes else {
        throw TransparencyLogError(
            .tooLong, "proof: \(bytes.count) bytes, at most \(LogLimits.proofBytes) are allowed")
    }
    return Lines([UInt8](copying: bytes))
}

/// Reads hashes, one a line, up to and with the empty line that ends them.
func proofHashes(_ lines: inout Lines) throws(TransparencyLogError) -> [Hash] {
    var hashes: [Hash] = []
    while true {
        let line = try lines.next("proof hash")
        if line.isEmpty { return hashes }
        hashes.append(try Hash(base64: line, "proof hash"))
        try checkProofLength(hashes)
    }
}

/// The hashes, one a line, an empty line, and the checkpoint as it is.
func proofText(_ hashes: [Hash], _ checkpoint: SignedNote) -> [UInt8] {
    Array(hashes.map { "\($0)\n" }.joined().utf8) + [UInt8(ascii: "\n")] + checkpoint.bytes
}

/// What follows a keyword at the start of a line.
func argument(of keyword: StaticString, in line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let keyword = "\(keyword)".utf8
    return line.starts(with: keyword) ? line.dropFirst(keyword.count) : nil
}
