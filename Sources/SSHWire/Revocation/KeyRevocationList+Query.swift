// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension KeyRevocationList {
    /// The first rule that revokes a plain key, nil when none does; in sshd's order (`is_key_revoked` in krl.c).
    public func revocation(of key: PublicKey) -> Revocation? { revocation(of: key, as: .key) }

    /// The first rule that revokes a certificate, nil when none does; in sshd's order (`ssh_krl_check_key`).
    ///
    /// A certificate is revoked by the plain key in it, by its key ID, by its serial unless that is 0, and by its
    /// authority's key. Rules for its authority come before those for every authority.
    ///
    /// - Parameters:
    ///   - key: the plain key that the certificate is for.
    ///   - authority: the plain key that signed it.
    public func revocation(
        ofCertificateFor key: PublicKey, serial: UInt64, keyID: ExactText, signedBy authority: PublicKey
    ) -> Revocation? {
        if let revocation = revocation(of: key, as: .key) { return revocation }
        for scope in [Scope.authority(authority), .everyAuthority] {
            guard let section = certificates.first(where: { $0.scope == scope }) else { continue }
            if let revocation = section.revocation(serial: serial, keyID: keyID) { return revocation }
        }
        return revocation(of: authority, as: .authority)
    }

    /// The first rule that revokes a certificate, nil when none does.
    public func revocation(of certificate: Certificate) -> Revocation? {
        let fields = certificate.fields
        return revocation(
            ofCertificateFor: fields.key, serial: fields.serial, keyID: fields.keyID,
            signedBy: fields.signatureKey)
    }

    private func revocation(of key: PublicKey, as subject: Revocation.Subject) -> Revocation? {
        if !sha1Digests.isEmpty, isPresent(Digest.insecureSHA1(key.encoded), in: sha1Digests) {
            return .sha1(subject)
        }
        if !sha256Digests.isEmpty, isPresent(Digest.sha256(key.encoded), in: sha256Digests) {
            return .sha256(subject)
        }
        let index = lowerBound(keys.count) { keys[$0].encoded.lexicographicallyPrecedes(key.encoded) }
        return index < keys.count && keys[index].encoded == key.encoded ? .key(subject) : nil
    }
}

extension KeyRevocationList.RevokedCertificates {
    fileprivate func revocation(serial: UInt64, keyID: ExactText) -> Revocation? {
        let index = lowerBound(keyIDs.count) { keyIDs[$0] < keyID }
        if index < keyIDs.count, keyIDs[index] == keyID { return .keyID(keyID, scope) }
        return serials.range(holding: serial).map { .serial(serial, in: $0, scope) }
    }
}

/// True when ascending `digests` hold `digest`.
private func isPresent(_ digest: [UInt8], in digests: [[UInt8]]) -> Bool {
    let index = lowerBound(digests.count) { digests[$0].lexicographicallyPrecedes(digest) }
    return index < digests.count && digests[index] == digest
}

/// The first index below `count` that does not come before what is looked for, or `count`.
private func lowerBound(_ count: Int, isBefore: (Int) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
        let middle = low + (high - low) / 2
        if isBefore(middle) { low = middle + 1 } else { high = middle }
    }
    return low
}
