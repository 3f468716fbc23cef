// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What an access policy answered to somebody who asked for a certificate.
public struct DecisionRecord: Sendable, Hashable {
    /// The answer.
    public enum Verdict: UInt8, Sendable, CaseIterable {
        /// The issuance is the next entry.
        case allowed = 1
        case denied = 2
        case needsApproval = 3
        case needsLogin = 4

        /// "allowed", "denied", "needs approval" or "needs login".
        public var name: String {
            switch self {
            case .allowed: "allowed"
            case .denied: "denied"
            case .needsApproval: "needs approval"
            case .needsLogin: "needs login"
            }
        }
    }

    public let verdict: Verdict
    /// Whose session asked; its public name.
    public let session: ExactText
    /// The host's id.
    public let host: ExactText
    /// The account.
    public let login: ExactText
    public let keyFingerprint: ExactText
    /// Where the request came from; empty when that isn't known.
    public let sourceAddress: ExactText
    /// SHA-256 of the policy file, 32 bytes.
    public let policyDigest: [UInt8]
    /// The rule that decided; empty when none came near.
    public let rule: ExactText
    /// One line each. A person's own reason for asking is the last, if one was given.
    public let reasons: [ExactText]
    /// The request by whose grant it was allowed; empty where none was needed, nil in entries of version 1, which say it
    /// in the reasons only.
    public let request: ExactText?

    public init(
        verdict: Verdict, session: ExactText, host: ExactText, login: ExactText, keyFingerprint: ExactText,
        sourceAddress: ExactText, policyDigest: [UInt8], rule: ExactText, reasons: [ExactText],
        request: ExactText? = ""
    ) {
        self.verdict = verdict
        self.session = session
        self.host = host
        self.login = login
        self.keyFingerprint = keyFingerprint
        self.sourceAddress = sourceAddress
        self.policyDigest = policyDigest
        self.rule = rule
        self.reasons = reasons
        self.request = request
    }
}

/// The beginning or end of somebody's session with the control plane; the entry's requester is whose it is, or who
/// ended it.
public struct LoginRecord: Sendable, Hashable {
    /// What became of the session.
    public enum Change: UInt8, Sendable, CaseIterable {
        case started = 1
        case ended = 2
        /// Somebody could not prove who they are; there is no session.
        case refused = 3
    }

    public let change: Change
    /// Whose session it is, or who somebody claimed to be.
    public let identity: Identity
    /// Its public name; empty when there is none.
    public let session: ExactText
    /// Who vouched.
    public let provider: ExactText
    /// The fingerprint of the key that the session is bound to.
    public let keyFingerprint: ExactText
    /// Where it was started or ended from.
    public let sourceAddress: ExactText
    /// When it ends by itself.
    public let expires: UnixTime
    /// By which key or claim, or why it was ended or refused.
    public let reason: ExactText

    public init(
        change: Change, identity: Identity, session: ExactText, provider: ExactText,
        keyFingerprint: ExactText, sourceAddress: ExactText, expires: UnixTime, reason: ExactText
    ) {
        self.change = change
        self.identity = identity
        self.session = session
        self.provider = provider
        self.keyFingerprint = keyFingerprint
        self.sourceAddress = sourceAddress
        self.expires = expires
        self.reason = reason
    }
}

/// A change to what the control plane decides by: its policy, its people's keys, its hosts,
/// its workloads' API keys, whose an identity is.
public struct ChangeRecord: Sendable, Hashable {
    /// What was changed.
    public enum Subject: UInt8, Sendable, CaseIterable {
        case policy = 1
        case enrolledKey = 2
        case host = 3
        case apiKey = 4
        case identityBinding = 5
        /// Something by which a host may join.
        case joinToken = 6
        /// The key of a host's agent.
        case hostKey = 7
        /// A host was asked to do something.
        case hostCall = 8
        /// Who may enter an account of a host.
        case principals = 9

        /// What it is called, in a word or two.
        public var name: String {
            switch self {
            case .policy: "policy"
            case .enrolledKey: "enrolled key"
            case .host: "host"
            case .apiKey: "API key"
            case .identityBinding: "identity binding"
            case .joinToken: "join token"
            case .hostKey: "host key"
            case .hostCall: "host call"
            case .principals: "principals"
            }
        }
    }

    public let subject: Subject
    /// False for what was taken away.
    public let isPresent: Bool
    /// Which one: a file's digest, an identity, a host's id.
    public let name: ExactText
    /// What it is now, or was.
    public let detail: ExactText

    /// The longest detail, in bytes; a longer one could be written and never read again.
    static let maximumDetailBytes = 16_384

    public init(subject: Subject, isPresent: Bool, name: ExactText, detail: ExactText) {
        self.subject = subject
        self.isPresent = isPresent
        self.name = name
        self.detail = detail
    }
}
