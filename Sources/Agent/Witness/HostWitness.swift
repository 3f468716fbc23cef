// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TransparencyLog

/// This host as a witness of the control plane's log: it keeps the newest checkpoint that it was shown, takes another
/// one only with the proof that nothing of the log was changed, and says so by a signature (C2SP tlog-witness,
/// tlog-cosignature).
///
/// What it has signed is on its disk before anybody gets the signature: not even a crash makes it vouch for two histories.
public struct HostWitness: Sendable {
    /// What became of a checkpoint that was shown.
    enum Answer: Sendable {
        /// It is kept and cosigned.
        case cosigned(size: UInt64, key: String, line: String)
        /// The proof starts somewhere else: another one is needed, from this size on.
        case needsProof(from: UInt64)
        /// The log was rewritten or cut, as far as it shows itself to this host.
        case refused(size: UInt64, reason: String)
    }

    /// What this host knows of the log.
    public struct Standing: Sendable {
        /// The log's name.
        public let origin: String
        /// How many entries it had when it was last seen.
        public let size: UInt64
        /// This witness's key, as verifiers are configured with it.
        public let key: String
        /// Why a later checkpoint was not taken; nil when all were.
        public let refusal: String?
    }

    private let layout: HostLayout
    private let files: any HostFiles
    private let owner: FileOwner
    private let name: String

    /// - Parameter name: what the host calls itself; its key bears the name from then on.
    public init(
        _ layout: HostLayout, files: any HostFiles = SystemFiles(), owner: FileOwner = FileOwner(),
        name: String
    ) {
        (self.layout, self.files, self.owner, self.name) = (layout, files, owner, name)
    }

    private static let noteBytes = WitnessOrder.maximumBytes

    // MARK: What is kept

    private var folder: String { layout.state + "/witness" }
    private var keyPath: String { folder + "/key" }
    private var logPath: String { folder + "/log" }
    private var checkpointPath: String { folder + "/checkpoint" }
    var refusalPath: String { folder + "/refused" }

    /// What is known; nil before the first checkpoint.
    public func standing() throws(AgentError) -> Standing? {
        guard try files.folder(folder) != nil, let log = try logKey(), let known = try checkpoint(of: log),
            let key = try signer()
        else { return nil }
        let refusal = try files.read(refusalPath, maximumBytes: 3 * Self.noteBytes)
        return Standing(
            origin: log.name.string, size: known.head.size, key: key.vkey,
            refusal: refusal.map {
                String(decoding: $0.bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            }
        )
    }

    private func logKey() throws(AgentError) -> NoteVerifier? {
        guard let text = try line(logPath) else { return nil }
        return try understand(logPath) { () throws(TransparencyLogError) in
            try NoteVerifier(vkey: text, verify: isValidEd25519)
        }
    }

    /// A checkpoint, as it came and as it was verified.
    private struct Seen {
        let note: SignedNote
        let verified: VerifiedCheckpoint
        var head: TreeHead { verified.head }

        init(_ note: SignedNote, of log: NoteVerifier) throws(TransparencyLogError) {
            self.note = note
            verified = try VerifiedCheckpoint(note, origin: log.name.string, logKeys: [log])
        }
    }

    private func checkpoint(of log: NoteVerifier) throws(AgentError) -> Seen? {
        guard let bytes = try readOwn(checkpointPath, files, owner, maximumBytes: Self.noteBytes) else {
            return nil
        }
        return try understand(checkpointPath) { () throws(TransparencyLogError) in
            try Seen(try SignedNote(bytes.span), of: log)
        }
    }

    private func line(_ path: String) throws(AgentError) -> String? {
        guard let bytes = try readOwn(path, files, owner, maximumBytes: 4 << 10) else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    private func understand<Value>(
        _ path: String, _ body: () throws(TransparencyLogError) -> Value
    ) throws(AgentError) -> Value {
        do throws(TransparencyLogError) {
            return try body()
        } catch {
            throw AgentError(
                .damaged, "\(path.escapedForTerminal): \(error.reason)",
                hint: "put the file back; without it, this host vouches for nothing")
        }
    }

    // MARK: The key

    /// The key that is there.
    private func signer() throws(AgentError) -> WitnessSigner? {
        guard let file = try files.read(keyPath, maximumBytes: 16 << 10) else { return nil }
        guard file.attributes.owner == owner.user, file.attributes.mode & 0o077 == 0 else {
            throw AgentError(
                .unsafeFile,
                "\(keyPath.escapedForTerminal): others than its owner may read it, or it is somebody else's")
        }
        do throws(SSHWireError) {
            let contents = try unsafe SecretBytes(count: file.bytes.count) { buffer in
                unsafe buffer.copyBytes(from: file.bytes)
            }
            return try signer(try PrivateKey(fileContents: contents))
        } catch {
            throw AgentError(.damaged, "\(keyPath.escapedForTerminal): \(error.reason)")
        }
    }

    private func signer(_ key: PrivateKey) throws(SSHWireError) -> WitnessSigner {
        guard case .ed25519(let bytes) = key.publicKey.material else {
            throw SSHWireError(.unsupportedType, "witness key: an Ed25519 key expected")
        }
        do throws(TransparencyLogError) {
            return try WitnessSigner(name: try KeyName(key.comment), publicKey: bytes) { message in
                try key.sign(message.span).blob
            }
        } catch {
            throw SSHWireError(.invalidValue, "witness key: \(error.reason)")
        }
    }

    /// Makes a key; its name is the host's.
    private func makeSigner() throws(AgentError) -> WitnessSigner {
        let (signer, secret): (WitnessSigner, SecretBytes)
        do throws(SSHWireError) {
            let key = try PrivateKey.generate(.ed25519, comment: name + "/witness")
            (signer, secret) = (try self.signer(key), try key.openSSHFile(passphrase: nil))
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
        try put(keyPath, secret.withSpan { span in span.indices.map { span[$0] } }, mode: 0o600)
        return signer
    }

    // MARK: What is shown

    /// Takes a checkpoint, or says why not. The caller holds the host's lock for it.
    ///
    /// - Parameter now: seconds since 1970, of which the signature speaks.
    /// - Throws: what cannot be read or written, and what is no checkpoint of the log.
    func see(_ order: WitnessOrder, at now: UInt64) throws(AgentError) -> Answer {
        let update = order.update
        guard let log = try logKey() else { return try seeFirst(order, at: now) }
        guard let known = try checkpoint(of: log) else {
            throw AgentError(
                .damaged, "\(checkpointPath.escapedForTerminal): it is missing",
                hint: "put it back; to begin anew, remove \(folder.escapedForTerminal)")
        }
        let size = known.head.size
        let new = try understandOrder { () throws(TransparencyLogError) in
            try Seen(update.checkpoint, of: log)
        }
        guard new.head.size >= size else {
            return try refuse(
                "the log has \(new.head.size) entries now, and had \(size) before", known, update)
        }
        guard update.oldSize == size else { return .needsProof(from: size) }
        do throws(TransparencyLogError) {
            _ = try update.verified(since: known.verified, logKeys: [log])
        } catch {
            return try refuse(
                "the log of \(new.head.size) entries does not go on from the \(size) that were seen before",
                known, update)
        }
        guard let signer = try signer() else {
            throw AgentError(.notFound, "\(keyPath.escapedForTerminal): the witness's key is missing")
        }
        return try cosign(new, signer, replacing: known, at: now)
    }

    /// The log's key and its history are those of the first checkpoint from here on.
    private func seeFirst(_ order: WitnessOrder, at now: UInt64) throws(AgentError) -> Answer {
        guard order.update.oldSize == 0, order.update.hashes.isEmpty else { return .needsProof(from: 0) }
        let (log, first) = try understandOrder { () throws(TransparencyLogError) in
            let log = try NoteVerifier(vkey: order.logKey, verify: isValidEd25519)
            return (log, try Seen(order.update.checkpoint, of: log))
        }
        try HostLock.prepare(layout.state, files)
        if try files.folder(folder) == nil { try files.makeFolder(folder, owner.attributes(mode: 0o700)) }
        let signer: WitnessSigner
        if let own = try self.signer() { signer = own } else { signer = try makeSigner() }
        // The log's key last: without it, the rest is nothing yet.
        let answer = try cosign(first, signer, replacing: nil, at: now)
        try put(logPath, Array("\(log.vkey)\n".utf8), mode: 0o644)
        return answer
    }

    private func understandOrder<Value>(
        _ body: () throws(TransparencyLogError) -> Value
    ) throws(AgentError) -> Value {
        do throws(TransparencyLogError) {
            return try body()
        } catch {
            throw AgentError(.invalidRequest, "update: \(error.reason)")
        }
    }

    private func cosign(
        _ checkpoint: Seen, _ signer: WitnessSigner, replacing known: Seen?, at now: UInt64
    ) throws(AgentError) -> Answer {
        if checkpoint.head != known?.head { try put(checkpointPath, checkpoint.note.bytes, mode: 0o644) }
        do {
            let cosignature = try signer.cosignature(of: checkpoint.verified, time: now)
            return .cosigned(size: checkpoint.head.size, key: signer.vkey, line: cosignature.line)
        } catch {
            throw AgentError(.damaged, "\(keyPath.escapedForTerminal): it does not sign: \(error)")
        }
    }

    /// Keeps both checkpoints: each bears the log's own signature, and together they are the proof.
    private func refuse(
        _ reason: String, _ known: Seen, _ update: CheckpointUpdate
    ) throws(AgentError) -> Answer {
        if try files.kind(refusalPath) == nil {
            try put(
                refusalPath,
                Array("\(reason)\n\nbefore\n\n".utf8) + known.note.bytes + Array("\nnow\n\n".utf8)
                    + update.checkpoint.bytes, mode: 0o644)
        }
        return .refused(size: known.head.size, reason: reason)
    }

    private func put(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(AgentError) {
        try files.replace(path, FileContent(bytes, owner.attributes(mode: mode)))
    }
}
