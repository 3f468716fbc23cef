// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An allowed-signers file, and whom it lets sign (`check_allowed_keys_line` in OpenSSH's sshsig.c).
public struct AllowedSigners: Sendable {
    /// The file's lines. Lines that can't be read allow nobody.
    public var file: TextFile<AllowedSigner>

    /// Allows nobody.
    public init() { file = TextFile() }

    /// Takes a file's content.
    public init(_ content: [UInt8]) throws(SSHWireError) { file = try TextFile(content) }

    /// Whether somebody may have made a signature.
    public enum Verdict: Sendable, Hashable {
        /// That line allows it, if the signing key was attended by what `presence` says when it is a FIDO key.
        case allowed(line: Int, presence: UserPresence)
        /// Why each line that names the key or its CA does not allow it; empty when none names it.
        case refused([Refusal])
    }

    /// Why a line does not allow a signature.
    public struct Refusal: Sendable, Hashable, CustomStringConvertible {
        public let line: Int
        /// For people, escaped for terminals.
        public let reason: String

        public var description: String { "line \(line): \(reason)" }
    }

    /// What is asked about a signature.
    public struct Question: Sendable {
        /// Who is said to have signed.
        public var principal: ExactText
        /// For what.
        public var namespace: ExactText
        /// When it was signed, or now when that isn't known.
        public var time: UnixTime
        /// For times in the file without `Z`; without an offset such lines allow nobody.
        public var zoneOffset: Int?

        public init(principal: ExactText, namespace: ExactText, time: UnixTime, zoneOffset: Int? = nil) {
            self.principal = principal
            self.namespace = namespace
            self.time = time
            self.zoneOffset = zoneOffset
        }
    }

    /// Verifies a signature over a message and decides whether the signer may have made it.
    ///
    /// - Returns: a refusal also for a signature that does not verify; its line is then the line that would allow it.
    public func judge(
        _ signature: SSHSignature, over message: [UInt8], _ question: Question
    ) -> Verdict {
        judge(signature, digest: signature.hashAlgorithm.digest(message.span), question)
    }

    /// Verifies a signature over a message's digest and decides whether the signer may have made it.
    public func judge(_ signature: SSHSignature, digest: [UInt8], _ question: Question) -> Verdict {
        let verdict = judge(signature.signer, question)
        guard case .allowed(let line, let presence) = verdict else { return verdict }
        do throws(SSHWireError) {
            try signature.verify(digest: digest, namespace: question.namespace, presence: presence)
            return verdict
        } catch {
            return .refused([Refusal(line: line, reason: error.reason)])
        }
    }

    /// Decides whether a key or certificate may sign, without a signature.
    public func judge(_ signer: KeyOrCertificate, _ question: Question) -> Verdict {
        var refusals: [Refusal] = []
        for (number, entry) in file.entries where entry.names(signer) {
            switch entry.answer(signer, question) {
            case .refused(let reason): refusals.append(Refusal(line: number, reason: reason))
            case .allowed(let presence): return .allowed(line: number, presence: presence)
            }
        }
        return .refused(refusals)
    }

    /// The patterns of the first line that lets a key, or the principals of the certificate that it lets, sign at a
    /// time, whatever the namespace: `ssh-keygen -Y find-principals`.
    public func principals(
        of signer: KeyOrCertificate, at time: UnixTime, zoneOffset: Int? = nil
    ) -> [ExactText] {
        for (_, entry) in file.entries where entry.names(signer) {
            guard entry.isValid(at: time, zoneOffset) else { continue }
            guard case .certificate(let certificate) = signer else { return entry.principals.patterns }
            let names = certificate.fields.principals.filter { name in
                let question = Question(principal: name, namespace: "", time: time, zoneOffset: zoneOffset)
                guard case .allowed = entry.certificateAnswer(certificate, question) else { return false }
                return entry.principals.matches(name)
            }
            if !names.isEmpty { return names }
        }
        return []
    }
}

extension AllowedSigner {
    fileprivate enum Answer {
        case allowed(UserPresence)
        case refused(String)
    }

    /// True when the line is about the key, or about the CA of the certificate.
    fileprivate func names(_ signer: KeyOrCertificate) -> Bool {
        switch signer {
        case .key(let key): !isCertAuthority && key == self.key
        case .certificate(let certificate): isCertAuthority && certificate.fields.signatureKey == key
        }
    }

    fileprivate func answer(_ signer: KeyOrCertificate, _ question: AllowedSigners.Question) -> Answer {
        guard principals.matches(question.principal) else {
            return .refused(
                "for \(principals.text.escapedForTerminal), not "
                    + "\"\(question.principal.string.escapedForTerminal)\"")
        }
        if let namespaces, !namespaces.matches(question.namespace) {
            return .refused(
                "for the namespaces \(namespaces.text.escapedForTerminal), not "
                    + "\"\(question.namespace.string.escapedForTerminal)\"")
        }
        do throws(SSHWireError) {
            if let reason = try timeRefusal(question.time, question.zoneOffset) { return .refused(reason) }
        } catch {
            return .refused(error.reason)
        }
        guard case .certificate(let certificate) = signer else { return .allowed(.touch) }
        return certificateAnswer(certificate, question)
    }

    /// False also when a time depends on a zone that isn't known.
    fileprivate func isValid(at time: UnixTime, _ zoneOffset: Int?) -> Bool {
        do throws(SSHWireError) {
            return try timeRefusal(time, zoneOffset) == nil
        } catch {
            return false
        }
    }

    private func timeRefusal(_ time: UnixTime, _ zoneOffset: Int?) throws(SSHWireError) -> String? {
        if let after = try validAfter?.time(zoneOffset: zoneOffset), time < after {
            return "valid from \(after), the time is \(time)"
        }
        if let before = try validBefore?.time(zoneOffset: zoneOffset), time > before {
            return "valid until \(before), the time is \(time)"
        }
        return nil
    }

    /// The certificate's own rules: as a user certificate for this very principal, at this time, by this CA. OpenSSH
    /// looks at no critical option here; one that nobody obeys is refused, an address among them.
    fileprivate func certificateAnswer(
        _ certificate: Certificate, _ question: AllowedSigners.Question
    ) -> Answer {
        let judge = CertificateJudge(
            authorities: [key], signatureAlgorithms: Set(SignatureAlgorithm.allCases))
        let purpose = CertificateJudge.Purpose.login(principal: question.principal, address: nil)
        return switch judge.judge(certificate, for: purpose, at: question.time) {
        case .accepted(let accepted): .allowed(accepted.requiredPresence)
        case .refused(let refusals): .refused(refusals.map(\.description).joined(separator: "; "))
        }
    }
}
