// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

/// One thing that `inspect` was shown, as programs read it (docs/cli.md has the fields).
struct InspectReport: Encodable {
    let file: String
    let line: Int?
    /// What it is: certificate, public-key, revocation-list, signature; error when it can't be read.
    let kind: String
    var comment: String?
    /// The options of an authorized_keys line.
    var options: String?
    /// Whom a known_hosts or allowed_signers line names.
    var names: String?
    var certificate: CertificateReport?
    var key: KeyReport?
    var revocationList: KRLReport?
    var signature: SSHSignatureReport?
    var revocation: RevocationAnswer?
    var warnings: [InspectWarning] = []
    var judgement: Judgement?
    var error: String?

    /// Whether something is revoked, where that could be looked up.
    struct RevocationAnswer: Encodable {
        let revoked: Bool
        let reason: String?
    }

    /// The answer to what was asked.
    struct Judgement: Encodable {
        struct Reason: Encodable {
            let rule: String
            let reason: String
        }

        let accepted: Bool
        let purpose: String?
        let at: String
        let atUnix: UInt64
        let reasons: [Reason]
    }

    init(failed file: String, line: Int? = nil, _ reason: String) {
        self.file = file
        self.line = line
        kind = "error"
        error = reason
    }

    init(
        _ item: InspectedItem, file: String, _ question: InspectQuestion, _ krl: KRLReport.Bound,
        withRandomart: Bool
    ) throws {
        self.file = file
        line = item.line
        comment = item.comment.isEmpty ? nil : item.comment.string
        (options, names) = (item.options, item.names)
        let refusals: [(rule: String, reason: String)]
        switch item.subject {
        case .certificate(let value):
            kind = "certificate"
            certificate = CertificateReport(value, question)
            warnings = value.inspectWarnings
            revocation = Self.answer(question.revocation(value), question)
            refusals = question.refusals(value)
        case .key(let value):
            kind = "public-key"
            key = KeyReport(value)
            if withRandomart {
                key?.randomart = value.randomart.split(separator: "\n").map(String.init)
            }
            warnings = value.inspectWarnings("key")
            revocation = Self.answer(question.revocation(value), question)
            refusals = question.refusals(value)
        case .revocationList(let value, let bytes):
            kind = "revocation-list"
            revocationList = KRLReport(value, bytes: bytes, krl)
            refusals = [(Refusal.Rule.kind.rawValue, "a revocation list, a certificate or key is needed")]
        case .signature(let value):
            kind = "signature"
            signature = SSHSignatureReport(value)
            refusals = [(Refusal.Rule.kind.rawValue, "a signature, a certificate or key is needed")]
        }
        guard question.isAsked else { return }
        judgement = Judgement(
            accepted: refusals.isEmpty, purpose: question.purpose?.summary, at: "\(question.now)",
            atUnix: question.now.seconds,
            reasons: refusals.map { Judgement.Reason(rule: $0.rule, reason: $0.reason) })
    }

    private static func answer(_ reason: String?, _ question: InspectQuestion) -> RevocationAnswer? {
        guard reason != nil || question.list != nil else { return nil }
        return RevocationAnswer(revoked: reason != nil, reason: reason)
    }
}

/// A signature over a file (SSHSIG) as programs read it. It can't be checked without that file.
struct SSHSignatureReport: Encodable {
    let namespace: String
    let hashAlgorithm: String
    let algorithm: String
    let signer: KeyReport
    /// The key ID and serial when a certificate signed.
    let signerKeyID: String?
    let signerSerial: String?

    init(_ signature: SSHSignature) {
        namespace = signature.namespace.string
        hashAlgorithm = signature.hashAlgorithm.rawValue
        algorithm = signature.signature.algorithm.rawValue
        signer = KeyReport(signature.signer.subject)
        let fields =
            if case .certificate(let certificate) = signature.signer {
                certificate.fields as CertificateFields?
            } else { nil as CertificateFields? }
        signerKeyID = fields?.keyID.string
        signerSerial = fields.map { String($0.serial) }
    }
}

/// A public key as programs read it.
struct KeyReport: Encodable {
    let type: String
    /// The type's name as ssh-keygen shows it.
    let name: String
    let bits: Int
    let fingerprintSHA256: String
    let fingerprintMD5: String
    let hardwareBacked: Bool
    /// The application that a FIDO authenticator made the key for.
    let application: String?
    /// The fingerprint's picture, line by line, when it was asked for.
    var randomart: [String]?

    init(_ key: PublicKey) {
        type = key.keyType.rawValue
        name = key.keyType.displayName
        bits = key.bits
        fingerprintSHA256 = key.fingerprint
        fingerprintMD5 = key.fingerprintMD5
        hardwareBacked = key.keyType.isHardwareBacked
        switch key.material {
        case .skEd25519(_, let name), .skECDSA(_, let name): application = name.string
        default: application = nil
        }
    }
}

/// A certificate as programs read it.
struct CertificateReport: Encodable {
    struct Option: Encodable {
        let name: String
        /// The data when it is one text; neither this nor `data` for a flag.
        let value: String?
        /// The data as it is, base64, when it is something else.
        let data: String?

        init(_ option: CertificateOption) {
            name = option.name.string
            let text = (try? option.value)?.string
            value = text
            data = text == nil && !option.data.isEmpty ? Base64.encode(option.data) : nil
        }
    }

    struct SignatureReport: Encodable {
        let valid: Bool
        let algorithm: String
        let reason: String?
    }

    let type: String
    let kind: String
    let key: KeyReport
    let authority: KeyReport
    /// "user" or "host" when the signer is that key of the CA in the folder.
    let authorityRole: String?
    let signature: SignatureReport
    let keyID: String
    let serial: String
    let principals: [String]
    let validAfter: String
    let validAfterUnix: UInt64?
    let validBefore: String
    let validBeforeUnix: UInt64?
    let validity: Validity
    let criticalOptions: [Option]
    let extensions: [Option]
    /// SHA-256 of the whole certificate, base64.
    let sha256: String

    init(_ certificate: Certificate, _ question: InspectQuestion) {
        let fields = certificate.fields
        type = certificate.typeName
        kind = fields.kind.name
        key = KeyReport(fields.key)
        authority = KeyReport(fields.signatureKey)
        authorityRole = question.own.role(of: fields.signatureKey)?.name
        let reason: String?
        do {
            try certificate.verifySignature()
            reason = nil
        } catch {
            reason = error.reason
        }
        signature = SignatureReport(
            valid: reason == nil, algorithm: certificate.signature.algorithm.rawValue, reason: reason)
        keyID = fields.keyID.string
        serial = String(fields.serial)
        principals = fields.principals.map(\.string)
        validAfter = "\(fields.validAfter)"
        validAfterUnix = fields.validAfter.calendarSeconds
        validBefore = "\(fields.validBefore)"
        validBeforeUnix = fields.validBefore.calendarSeconds
        validity = Validity(from: fields.validAfter, to: fields.validBefore, now: question.now)
        criticalOptions = fields.criticalOptions.map(Option.init)
        extensions = fields.extensions.map(Option.init)
        sha256 = Base64.encode(certificate.sha256)
    }
}

extension UnixTime {
    /// The seconds up to the year 9999; later times are no dates, and many programs can't hold such numbers.
    var calendarSeconds: UInt64? { seconds <= 253_402_300_799 ? seconds : nil }
}
