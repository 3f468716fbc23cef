// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What static access is left on a host.
public struct ScanReport: Sendable {
    /// One key in one file of one account.
    public struct Key: Sendable {
        public let account: String
        public let file: String
        /// When the file last changed.
        public let fileModified: UnixTime
        public let key: ScannedKey
        /// The last login with it that the session records know.
        public let lastUse: UnixTime?
        /// Other accounts that the same key opens.
        public let otherAccounts: [String]
        public let suggestion: ScanSuggestion
    }

    /// A file of keys, and what is wrong with it.
    public struct File: Sendable {
        public let path: String
        /// Where it leads by symbolic links.
        public let realPath: String?
        public let owner: UInt32
        public let mode: UInt32
        public let modified: UnixTime
        /// Lines that are neither keys nor comments, with the reason.
        public let unreadable: [(line: Int, reason: String)]
        /// Who else may change it; sshd with `StrictModes` refuses the whole file then.
        public let looseness: String?
        public let keys: [Key]
    }

    /// One account, all that sshd would take for it.
    public struct Account: Sendable {
        public let account: HostAccount
        public let settings: ScanSettings
        public let files: [File]
        /// Files that could not be read, with the reason.
        public let problems: [String]
        public let passwordLogin: ScanAnswer
        /// Why no key will do, whatever the files say; nil when keys may.
        public let keysAreUseless: String?
        /// How many names a certificate may have one of; nil when certificates do not open the account.
        public let principals: Int?

        public var keys: [Key] { files.flatMap(\.keys) }
    }

    /// A CA that sshd trusts for every account.
    public struct Authority: Sendable, Hashable {
        public let file: String
        public let line: Int
        public let identity: ScannedKey.Identity
        public let comment: String
    }

    public let hostName: String
    public let time: UnixTime
    public let sshd: String
    public let configuration: String
    /// nil when the program does not tell.
    public let release: SshdRelease?
    public let incidents: [SshdIncident]
    public let authorities: [Authority]
    /// When the session records begin; nil when there are none.
    public let recordsBegin: UnixTime?
    public let accounts: [Account]
    /// What could not be looked at, and what the result depends on.
    public let notes: [String]

    public var keys: [Key] { accounts.flatMap(\.keys) }
    public var files: Set<String> { Set(accounts.flatMap { $0.files.map(\.path) }) }
    /// True when somebody can still log in without a certificate.
    public var hasStaticAccess: Bool {
        accounts.contains {
            $0.passwordLogin.isPossible || !$0.keys.isEmpty || $0.settings.keysCommand != nil
        }
    }
}

/// What to do with a key, and why.
public struct ScanSuggestion: Sendable, Hashable {
    public enum Kind: String, Sendable {
        /// Nobody needs it.
        case remove
        /// It is being used, and there is no other way yet, or it was used within 30 days.
        case keep
        /// Somebody who knows must decide.
        case look
    }

    public let kind: Kind
    /// One line.
    public let reason: String

    /// A key that was not used for so long, in seconds, is not needed: 30 days, a month's work included.
    static let unusedSeconds: UInt64 = 30 * 86_400

    /// - Parameter hasCertificates: whether certificates open the account.
    static func make(
        _ key: ScannedKey, lastUse: UnixTime?, recordsBegin: UnixTime?, hasCertificates: Bool, now: UnixTime
    ) -> ScanSuggestion {
        if let refusal = key.refusal { return ScanSuggestion(kind: .remove, reason: refusal) }
        if key.isCertAuthority {
            return ScanSuggestion(
                kind: .look,
                reason: "a CA: every certificate that it signs opens the account"
                    + (key.principals.map { " for \($0.joined(separator: ", ").escapedForTerminal)" } ?? ""))
        }
        if let doubt = key.doubt { return ScanSuggestion(kind: .look, reason: doubt) }
        let limit = now.subtractingOrEpoch(unusedSeconds)
        if let lastUse, lastUse >= limit { return ScanSuggestion(kind: .keep, reason: "used \(lastUse)") }
        let unused: String
        if let lastUse {
            unused = "not used since \(lastUse)"
        } else if let recordsBegin, recordsBegin <= limit {
            unused = "never used since records began \(recordsBegin)"
        } else if let recordsBegin {
            return ScanSuggestion(
                kind: .look, reason: "not used since records began \(recordsBegin), under 30 days ago")
        } else {
            return ScanSuggestion(kind: .look, reason: "no session records say whether it is used")
        }
        return hasCertificates
            ? ScanSuggestion(kind: .remove, reason: "\(unused); certificates open the account")
            : ScanSuggestion(kind: .look, reason: "\(unused), but certificates do not open the account yet")
    }
}
