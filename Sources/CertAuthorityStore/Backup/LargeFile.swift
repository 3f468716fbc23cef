// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import CertAuthority
import Foundation
import SSHWire

/// Files that may be larger than memory: read in pieces, hashed as they pass.
enum LargeFile {
    private static let pieceBytes = 1 << 20

    /// The SHA-256 of a file, in hexadecimal.
    static func sum(_ path: String) throws -> String {
        try hash(path) { _ in }
    }

    /// Copies a file to where nothing is, and syncs it.
    ///
    /// - Returns: the SHA-256 of what was copied, in hexadecimal.
    static func copy(_ source: String, to target: String, mode: Int) throws -> String {
        guard !FileIO.exists(target),
            FileManager.default.createFile(
                atPath: target, contents: nil, attributes: [.posixPermissions: mode])
        else { throw CertAuthorityError(.file, "cannot create \(target.escapedForTerminal)") }
        let output = try FileHandle(forWritingTo: URL(filePath: target))
        defer { try? output.close() }
        let sum = try hash(source) { piece in
            do {
                try output.write(contentsOf: piece)
            } catch {
                throw CertAuthorityError(
                    .file, "cannot write \(target.escapedForTerminal): \("\(error)".escapedForTerminal)")
            }
        }
        try output.synchronize()
        return sum
    }

    private static func hash(_ path: String, _ body: (Data) throws -> Void) throws -> String {
        guard let input = FileHandle(forReadingAtPath: path) else {
            throw CertAuthorityError(.file, "cannot open \(path.escapedForTerminal)")
        }
        defer { try? input.close() }
        var state = crypto_hash_sha256_state()
        unsafe crypto_hash_sha256_init(&state)
        while let piece = try input.read(upToCount: pieceBytes), !piece.isEmpty {
            let bytes = [UInt8](piece)
            unsafe crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count))
            try body(piece)
        }
        var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_bytes()))
        unsafe crypto_hash_sha256_final(&state, &digest)
        return hexadecimal(digest)
    }
}
