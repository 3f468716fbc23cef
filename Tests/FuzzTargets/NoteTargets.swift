// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TransparencyLog

extension FuzzTarget {
    /// A signed note, and the checkpoint that may be in it.
    static let signedNote = FuzzTarget("signed-note") { input throws(BrokenProperty) in
        guard let note = try attempt({ try SignedNote(input.span) }) else { return .refused }
        try require(note.bytes == input, "a note has one form")
        try require(
            try attempt { try SignedNote(text: note.unverifiedText, signatures: note.signatures) } == note,
            "a note's parts make the note")
        for signature in note.signatures {
            try require(
                try attempt { try NoteSignature(line: signature.line) } == signature,
                "a signature line is read back")
        }
        try require(try attempt { try note.verified(by: []) } == nil, "nobody's word is taken for nothing")
        try require(
            try attempt { try note.verified(by: verifiers(false)) } == nil, "a false signature is refused")
        if let verified = try attempt({ try note.verified(by: verifiers(true)) }) {
            try require(verified.text == note.unverifiedText, "what verifies is the text")
            try require(!verified.signatures.isEmpty, "what verifies is signed")
        }
        if let checkpoint = try attempt({ try Checkpoint(text: note.unverifiedText) }) {
            let verified = try attempt {
                try VerifiedCheckpoint(
                    note, origin: checkpoint.origin, logKeys: verifiers(true), witnesses: verifiers(true))
            }
            try require(verified == nil || verified?.head == checkpoint.head, "a checkpoint has one head")
        }
        return .accepted
    }

    /// A verifier key, as C2SP signed-note writes it.
    static let verifierKey = FuzzTarget("verifier-key", maximumBytes: 512) { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self),
            let verifier = try attempt({ try NoteVerifier(vkey: text) { _, _, _ in false } })
        else { return .refused }
        try require(verifier.vkey.utf8.elementsEqual(input), "a verifier key has one form")
        return .accepted
    }

    /// The text of a checkpoint.
    static let checkpoint = FuzzTarget("checkpoint", maximumBytes: 1 << 10) { input throws(BrokenProperty) in
        guard let checkpoint = try attempt({ try Checkpoint(text: input) }) else { return .refused }
        try require(checkpoint.text == input, "a checkpoint has one form")
        try requireOneLine(checkpoint.origin + "\(checkpoint.head)", "an origin")
        return .accepted
    }

    /// An entry's proof with its checkpoint.
    static let loggedProof = FuzzTarget("logged-proof") { input throws(BrokenProperty) in
        guard let proof = try attempt({ try LoggedProof(input.span) }) else { return .refused }
        try require(proof.bytes == input, "a proof has one form")
        let size = try attempt { try Checkpoint(text: proof.checkpoint.unverifiedText).head.size } ?? 1
        if let inclusion = try attempt({
            try InclusionProof(index: proof.index, size: size, hashes: proof.hashes)
        }) {
            let leaf = MerkleHash.leaf(input.span)
            let isProven = try attempt { try inclusion.verify(leafHash: leaf, root: leaf) } != nil
            try require(!isProven || proof.hashes.isEmpty, "no hashes lead back to where they start")
        }
        _ = try attempt {
            try proof.verified(
                leafHash: MerkleHash.leaf(Array("bob".utf8).span), origin: "ca.example.com/daypass",
                logKeys: verifiers(true))
        }
        return .accepted
    }

    /// A checkpoint with the proof that it only appends.
    static let checkpointUpdate = FuzzTarget("checkpoint-update") { input throws(BrokenProperty) in
        guard let update = try attempt({ try CheckpointUpdate(input.span) }) else { return .refused }
        try require(update.bytes == input, "an update has one form")
        guard let head = try attempt({ try Checkpoint(text: update.checkpoint.unverifiedText).head }) else {
            return .accepted
        }
        let proof = try attempt {
            try ConsistencyProof(oldSize: update.oldSize, newSize: head.size, hashes: update.hashes)
        }
        if let proof, let root = update.hashes.first {
            _ = try attempt { try proof.verify(oldRoot: root, newRoot: head.root) }
            _ = try attempt { try proof.verify(oldRoot: head.root, newRoot: head.root) }
        }
        return .accepted
    }

    /// The keys of the log and the witness in the corpus; all of their signatures verify, or none.
    private static func verifiers(_ verdict: Bool) -> [NoteVerifier] {
        [
            "ca.example.com/daypass+e430cbc6+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
            "witness.example.org/w1+f3c080b6+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X",
        ].compactMap { try? NoteVerifier(vkey: $0) { _, _, _ in verdict } }
    }
}
