// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The making of one plan of `trust install`.
struct TrustInstallation {
    let settings: TrustSettings
    let files: any HostFiles
    let sshd: Sshd
    let layout: HostLayout
    let effective: SshdSettings
    let configuration: SshdConfiguration
    let own: OwnLines
    let lines: [(keyword: String, value: String)]
    /// The installed certificate stays.
    private let keepsHostCertificate: Bool
    let conflicts: TrustConflicts
    let recorded: TrustRecord?
    var record: TrustRecord
    var folders: [Plan.Step] = []
    var steps: [Plan.Step] = []
    var wanted: Set<String> = []
    var notes: [String] = []

    init(_ settings: TrustSettings, _ files: any HostFiles, _ sshd: Sshd, _ layout: HostLayout)
        throws(AgentError)
    {
        try checkPath(layout.configuration, "folder")
        try checkPath(layout.state, "folder")
        if settings.onlineCheck != nil { try checkPath(layout.runtime, "folder") }
        self.settings = settings
        self.files = files
        self.sshd = sshd
        self.layout = layout
        configuration = try SshdConfiguration(reading: sshd.configuration, from: files)
        effective = try sshd.settings(for: nil)
        own = try OwnLines(configuration)
        recorded = try TrustRecord.read(files, layout)
        // Whoever installs trust anew and says nothing of it does not mean to take the host's certificate away.
        let isInstalled = try files.kind(layout.hostCertificate) == .file
        keepsHostCertificate =
            isInstalled && settings.hostIdentity == nil && recorded?[layout.hostCertificate] != nil
        lines =
            TrustPlanner.lines(settings, layout)
            + (keepsHostCertificate ? [("HostCertificate", layout.hostCertificate)] : [])
        conflicts = try TrustConflicts(configuration, own, settings, layout, lines)
        record = recorded ?? TrustRecord()
    }

    mutating func plan() throws(AgentError) -> Plan {
        notes = conflicts.notes
        try makeFolders()
        try wantWhole(layout.userCAKeys, try authorityFile(), "the CAs whose user certificates sshd takes")
        let revocations = try revocationFile()
        try wantWhole(
            layout.revokedKeys, revocations.bytes,
            "what is revoked: version \(revocations.list.version)\(revocations.list.isEmpty ? ", nothing" : "")"
        )
        record.revocationVersion = revocations.list.version
        if let certificate = settings.hostIdentity?.certificate {
            try wantWhole(
                layout.hostCertificate, try text(of: certificate), "the certificate of the host key")
        }
        if keepsHostCertificate { wanted.insert(layout.hostCertificate) }
        try wantPrincipals()
        try noteOnlineCheck()
        if settings.keyFiles.isEmpty,
            recorded?.settings.contains(where: { $0.keyword == "authorizedkeysfile" }) ?? false
        {
            notes.append("--grants is not given: sshd will not read the keys of grants any more")
        }
        try wantConfiguration()
        try wantSessionHook()
        try undoOthers()
        record.settings = lines.map { TrustRecord.Setting(keyword: $0.keyword.lowercased(), value: $0.value) }
        let all = folders + (try recordStep()) + steps
        try checkWinners(all)
        return Plan(all, notes: notes)
    }
}

/// True when owner and mode are the same.
func hasSameRights(_ one: FileAttributes, _ other: FileAttributes) -> Bool {
    one.mode == other.mode && one.owner == other.owner && one.group == other.group
}
