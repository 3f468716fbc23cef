// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import SSHWire
import TransparencyLog

/// Entries of a server's published log that are proven to be in it: by inclusion proofs, made here out of its tiles,
/// against a checkpoint that the log's key signed. What the server says beside that is not believed.
struct ProvenLog {
    /// What the tiles are verified against.
    let checkpoint: VerifiedCheckpoint
    private let client: ControlClient
    private let files = FetchedFiles()

    /// The largest checkpoint with its signatures, in bytes.
    private static let maximumCheckpointBytes = 64 << 10

    /// Fetches the newest checkpoint.
    ///
    /// - Parameter key: the log's, which the checkpoint must be signed by.
    init(_ client: ControlClient, key: NoteVerifier) async throws {
        self.client = client
        guard let bytes = try await client.logFile("checkpoint", upTo: Self.maximumCheckpointBytes) else {
            throw Failure("the server publishes no checkpoint")
        }
        do {
            checkpoint = try VerifiedCheckpoint(
                try SignedNote(bytes.span), origin: key.name.string, logKeys: [key])
        } catch {
            throw Failure(ExitStatus.negative, "the log's checkpoint is not good: \(error.reason)")
        }
    }

    /// The bytes of an entry.
    ///
    /// - Throws: exit code 3 for an entry that is not proven.
    func entry(at index: UInt64) async throws -> [UInt8] {
        let head = checkpoint.head
        guard index < head.size else {
            throw Failure(
                ExitStatus.negative, "entry \(index) is not in the log: it has \(head.size) entries")
        }
        do {
            let layout = try TileLayout(size: head.size)
            let width = UInt64(LogLimits.tileWidth)
            guard let tile = layout.tile(.entries, index: index / width) else {
                throw Failure(ExitStatus.negative, "entry \(index) is in no bundle")
            }
            let bundle = try await fetching { try files.bundle(tile) }
            let entry = bundle.entries[Int(index % width)]
            let proof = try await fetching {
                try InclusionProof(
                    index: index, size: head.size, from: TileHashSource(files, size: head.size))
            }
            try proof.verify(leafHash: MerkleHash.leaf(entry.span), root: head.root)
            return entry
        } catch let error as TransparencyLogError {
            throw Failure(ExitStatus.negative, "entry \(index) is not proven: \(error.reason)")
        }
    }

    /// Runs `body` again and again, each time with one more of the files that it asks for.
    private func fetching<Value>(_ body: () throws -> Value) async throws -> Value {
        while true {
            do {
                return try body()
            } catch let missing as FetchedFiles.NotFetched {
                files.contents[missing.path] = .some(
                    try await client.logFile(missing.path, upTo: missing.maximumBytes))
            }
        }
    }
}

/// Files of a log that were fetched: what isn't there says so, and is fetched.
private final class FetchedFiles: TileSource {
    struct NotFetched: Error {
        let path: String
        let maximumBytes: Int
    }

    /// Nil for files that the server does not have.
    var contents: [String: [UInt8]?] = [:]

    func bytes(at path: String, upTo maximumBytes: Int) throws -> [UInt8]? {
        guard let known = contents[path] else { throw NotFetched(path: path, maximumBytes: maximumBytes) }
        return known
    }

    /// A bundle, or the beginning of the full one where the partial one is gone.
    func bundle(_ tile: Tile) throws -> EntryBundle {
        if let bytes = try bytes(at: tile.path, upTo: tile.maximumBytes) {
            return try EntryBundle(tile, bytes: bytes.span)
        }
        let full = try Tile(.entries, index: tile.index)
        guard tile.isPartial, let bytes = try bytes(at: full.path, upTo: full.maximumBytes) else {
            throw TransparencyLogError(.missing, "\(tile): there is no such file")
        }
        let whole = try EntryBundle(full, bytes: bytes.span)
        return try EntryBundle(tile, entries: Array(whole.entries.prefix(tile.width)))
    }
}
