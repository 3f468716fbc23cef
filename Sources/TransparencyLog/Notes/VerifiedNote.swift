// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A note's text, signed by at least one key that the caller trusts.
///
/// Only ``SignedNote/verified(by:)`` makes one.
public struct VerifiedNote: Sendable {
    /// A verified signature.
    public struct Signature: Hashable, Sendable {
        /// The key's name.
        public let name: KeyName
        /// The key's ID.
        public let keyID: UInt32
        /// What the signature is made over.
        public let algorithm: NoteAlgorithm
        /// When a witness signed, in seconds since 1970, by its own clock; nil for other signatures.
        public let timestamp: UInt64?
    }

    /// The text with its final newline: UTF-8 without control characters other than newline.
    public let text: [UInt8]
    /// What verified: one for each trusted key that signed, in the note's order; never empty.
    public let signatures: [Signature]
    /// Signatures of keys that the caller did not name: nothing is known of them.
    public let unknownSignatures: [NoteSignature]

    fileprivate init(text: [UInt8], signatures: [Signature], unknownSignatures: [NoteSignature]) {
        self.text = text
        self.signatures = signatures
        self.unknownSignatures = unknownSignatures
    }

    /// True when this key's signature is among those that verified.
    public func isSigned(by verifier: NoteVerifier) -> Bool {
        signatures.contains {
            $0.name == verifier.name && $0.keyID == verifier.keyID && $0.algorithm == verifier.algorithm
        }
    }
}

extension SignedNote {
    /// Verifies every signature of the given keys; signatures of other keys are set apart.
    ///
    /// Throws `.invalidSignature` when one of a given key does not verify, even beside others that do;
    /// `.noTrustedSignature` when there is none; `.ambiguousKey` when two different keys share a name and ID.
    public func verified(by verifiers: [NoteVerifier]) throws(TransparencyLogError) -> VerifiedNote {
        var verified: [VerifiedNote.Signature] = []
        var unknown: [NoteSignature] = []
        for signature in signatures {
            let candidates = verifiers.filter {
                $0.name == signature.name && $0.keyID == signature.keyID
            }
            guard let verifier = candidates.first else {
                unknown.append(signature)
                continue
            }
            guard
                candidates.allSatisfy({
                    $0.publicKey == verifier.publicKey && $0.algorithm == verifier.algorithm
                })
            else {
                throw TransparencyLogError(
                    .ambiguousKey,
                    "note: two trusted keys are both \(quoted(verifier.name.string.utf8)) with ID "
                        + hexadecimal(UInt64(verifier.keyID), digits: 8))
            }
            let timestamp = try verifier.check(signature, over: unverifiedText)
            // A key that signed twice counts once: whoever asks for a number of witnesses counts these.
            guard !verified.contains(where: { $0.name == verifier.name && $0.keyID == verifier.keyID })
            else { continue }
            verified.append(
                VerifiedNote.Signature(
                    name: verifier.name, keyID: verifier.keyID, algorithm: verifier.algorithm,
                    timestamp: timestamp))
        }
        guard !verified.isEmpty else {
            throw TransparencyLogError(
                .noTrustedSignature,
                "note: none of its \(signatures.count) signatures is by a trusted key")
        }
        return VerifiedNote(text: unverifiedText, signatures: verified, unknownSignatures: unknown)
    }
}
