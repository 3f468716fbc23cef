// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A value that sshd must say it has, once a change is made (`sshd -T`).
public struct ExpectedSetting: Sendable, Hashable {
    public let keyword: String
    /// Compared without regard to case: sshd spells some values its own way.
    public let value: String

    public init(_ keyword: String, _ value: String) {
        self.keyword = keyword
        self.value = value
    }
}

/// How a change is made.
public struct ChangeOptions: Sendable {
    /// What shows that the change does what it should.
    public enum Proof: Sendable, Hashable {
        /// Logins with throw-away certificates, as this account or as one that is found, to this address of the host or
        /// to one that sshd names, loopback first.
        case login(account: String?, at: LoginEndpoint? = nil)
        /// What sshd says that it would do, and no login.
        case settings
        /// The same for an sshd that doesn't run and isn't told: an image that is being built.
        case offline

        /// Where the logins go, if that was said.
        var place: LoginEndpoint? {
            if case .login(_, let place) = self { place } else { nil }
        }
    }

    public var action: ChangeJournal.Action
    public var proof: Proof
    /// What sshd must say afterwards, for every account.
    public var expected: [ExpectedSetting]
    /// How long everything may take, from the first change to the last proof.
    public var seconds: Int
    /// How long somebody else may be changing this host's trust.
    public var lockSeconds: Int
    /// The program that makes sshd read again, with its arguments.
    public var reloadCommand: [String]?
    /// The client that logs in, an absolute path.
    public var ssh: String
    /// What undoes the change when this process dies; nil where only the next start of the agent does.
    public var deadMan: DeadManTimer?
    /// A certificate that sshd must prove itself by when the login is tried; nil for its plain keys.
    public var hostCertificate: HostCertificate?

    public init(
        action: ChangeJournal.Action, proof: Proof = .login(account: nil), expected: [ExpectedSetting] = [],
        seconds: Int = 60, lockSeconds: Int = 10, reloadCommand: [String]? = nil,
        ssh: String = "/usr/bin/ssh",
        deadMan: DeadManTimer? = nil, hostCertificate: HostCertificate? = nil
    ) {
        self.action = action
        self.proof = proof
        self.expected = expected
        self.seconds = seconds
        self.lockSeconds = lockSeconds
        self.reloadCommand = reloadCommand
        self.ssh = ssh
        self.deadMan = deadMan
        self.hostCertificate = hostCertificate
    }
}

/// What was done.
public struct ChangeReport: Sendable, Hashable {
    /// How the host is now.
    public enum Outcome: String, Sendable, CaseIterable {
        /// The change is in force.
        case done
        /// Nothing was to be done.
        case unchanged
        /// What was begun was taken back.
        case undone
        /// What was begun and proven was brought to its end.
        case completed
    }

    public let outcome: Outcome
    /// What was shown, one line each.
    public var proofs: [String]
    /// What people should know, one line each, escaped.
    public var notes: [String]

    public init(_ outcome: Outcome, proofs: [String] = [], notes: [String] = []) {
        self.outcome = outcome
        self.proofs = proofs
        self.notes = notes
    }
}
