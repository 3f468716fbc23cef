// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TransparencyLog

/// Signed checkpoints in files.
enum CheckpointFile {
    static func read(_ path: String, _ key: NoteVerifier) throws -> VerifiedCheckpoint {
        let bytes = try FileIO.read(path, maximumBytes: CAHome.maximumCheckpointBytes)
        do {
            return try VerifiedCheckpoint(try SignedNote(bytes.span), origin: key.name.string, logKeys: [key])
        } catch {
            throw CertAuthorityError(.logInconsistent, "\(path.escapedForTerminal): \(error.reason)")
        }
    }
}

/// An exported log's files.
struct TileFolder: TileSource {
    private let path: String

    init(_ path: String) { self.path = path }

    func bytes(at name: String, upTo maximumBytes: Int) throws -> [UInt8]? {
        let file = "\(path)/\(name)"
        guard FileIO.exists(file) else { return nil }
        return try FileIO.read(file, maximumBytes: maximumBytes)
    }
}
