// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A host as provisioning sees it: every way to look at it or to change it.
public struct ProvisioningHost: Sendable {
    /// Where the system's own files are.
    public struct Places: Sendable, Hashable {
        public var sudoers = "/etc/sudoers"
        public var sudoersFolder = "/etc/sudoers.d"
        public var loginDefinitions = "/etc/login.defs"
        public var visudo = "/usr/sbin/visudo"
        public var useradd = "/usr/sbin/useradd"
        public var usermod = "/usr/sbin/usermod"
        public var userdel = "/usr/sbin/userdel"
        public var gpasswd = "/usr/bin/gpasswd"
        public var tar = "/bin/tar"

        public init() {}
    }

    public let layout: HostLayout
    /// What the host calls itself.
    public var name: String
    public let sshd: Sshd
    public let files: any HostFiles
    public let programs: any ProgramRunner
    public let accounts: any AccountBook
    public let sessions: any HostSessions
    public let places: Places
    /// Who owns what is made: root, but in tests.
    public let owner: FileOwner
    /// The machine's start.
    public let boot: String
    /// How a change of the trusted CAs is made and proven.
    public var trustChange = ChangeOptions(action: .install)
    /// `daypass-agent` itself.
    public var agentProgram = "/proc/self/exe"

    /// - Parameter host: the host's name in session records, for those who end sessions while no agent runs, and of its
    ///   key as a witness.
    public init(
        layout: HostLayout, sshd: Sshd, host: String, files: any HostFiles = SystemFiles(),
        programs: any ProgramRunner = SystemPrograms(), accounts: any AccountBook = SystemAccountBook(),
        sessions: (any HostSessions)? = nil, places: Places = Places(), owner: FileOwner = FileOwner(),
        boot: String = ProcessTable.bootID()
    ) {
        self.layout = layout
        name = host
        self.sshd = sshd
        self.files = files
        self.programs = programs
        self.accounts = accounts
        self.sessions = sessions ?? SystemSessions(layout: layout, host: host)
        self.places = places
        self.owner = owner
        self.boot = boot
    }

    var store: GrantStore { GrantStore(files: files, layout: layout, owner: owner) }

    func settings() throws(AgentError) -> ProvisioningSettings {
        try ProvisioningSettings.read(files, layout, owner: owner)
    }

    func protectedAccounts() throws(AgentError) -> ProtectedAccounts {
        try ProtectedAccounts(try settings(), self)
    }
}

/// The sessions of a host: which are open, and their ends.
public protocol HostSessions: Sendable {
    /// Sessions that are open.
    func live() throws(AgentError) -> [SessionSummary]

    /// Ends sessions, all of them although one would not; who asked and why is recorded first.
    ///
    /// - Throws: what kept one of them from ending.
    func end(_ sessions: [(session: SessionSummary, reason: String)]) throws(AgentError)
}
