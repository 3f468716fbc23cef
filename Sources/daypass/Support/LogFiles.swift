// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire
import TransparencyLog

/// Signed checkpoints in files.
enum CheckpointFile {
    static func read(
        _ path: String, _ key: NoteVerifier, witnesses: [NoteVerifier] = []
    ) throws -> VerifiedCheckpoint {
        let bytes = try FileIO.read(path, maximumBytes: CAHome.maximumCheckpointBytes)
        do {
            return try VerifiedCheckpoint(
                try SignedNote(bytes.span), origin: key.name.string, logKeys: [key], witnesses: witnesses)
        } catch {
            throw CertAuthorityError(.logInconsistent, "\(path.escapedForTerminal): \(error.reason)")
        }
    }
}

/// The keys of witnesses, one a line; empty lines and those that begin with # are passed over.
enum WitnessKeys {
    private static let maximumBytes = 1 << 20

    static func read(_ path: String) throws -> [NoteVerifier] {
        let text = String(decoding: try FileIO.read(path, maximumBytes: maximumBytes), as: UTF8.self)
        var keys: [NoteVerifier] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty && !line.hasPrefix("#") {
            let key: NoteVerifier
            do {
                key = try NoteVerifier(vkey: String(line), verify: isValidEd25519)
            } catch {
                throw Failure("\(path.escapedForTerminal), line \(number + 1): \(error.reason)")
            }
            guard key.algorithm == .timestampedCosignature else {
                throw Failure("\(path.escapedForTerminal), line \(number + 1): not a witness's key")
            }
            // One host that is listed twice is one witness.
            if !keys.contains(where: { $0.name == key.name && $0.publicKey == key.publicKey }) {
                keys.append(key)
            }
        }
        return keys
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
