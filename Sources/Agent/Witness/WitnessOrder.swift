// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
public import TransparencyLog

/// A checkpoint of the log that this host is shown, with the proof that it only appends to the one before.
public struct WitnessOrder: Sendable, Hashable {
    /// An update, in bytes: a proof of 63 hashes, and a checkpoint with the signatures of a log's old and new keys.
    static let maximumBytes = 64 << 10

    /// The log's key as verifiers are configured with it. It counts at the first checkpoint only.
    public let logKey: String
    public let update: CheckpointUpdate

    /// Reads `logKey` and `update`, whose form is C2SP tlog-witness' (docs/formats/checkpoint.md).
    ///
    /// - Throws: `.invalidRequest`.
    init(_ fields: inout OperationFields) throws(AgentError) {
        guard let logKey = try fields.text("logKey", upTo: 4 << 10) else {
            throw OperationFields.missing("logKey")
        }
        guard let text = try fields.text("update", upTo: Self.maximumBytes) else {
            throw OperationFields.missing("update")
        }
        do throws(TransparencyLogError) {
            _ = try NoteVerifier(vkey: logKey, verify: isValidEd25519)
            update = try CheckpointUpdate(Array(text.utf8).span)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
        self.logKey = logKey
    }
}
