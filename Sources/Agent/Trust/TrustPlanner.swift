// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Makes plans that bring sshd's trust to where it should be, or away. Nothing is changed here.
public enum TrustPlanner {
    /// What `sshd -T` must show once the plan of these settings is applied: keywords in lower case, and values to be
    /// compared without case.
    public static func wantedSettings(_ settings: TrustSettings, _ layout: HostLayout) -> [(
        keyword: String, value: String
    )] {
        lines(settings, layout).map { ($0.keyword.lowercased(), $0.value) }
    }

    /// What is to be done on a host so that its sshd trusts what the settings say.
    ///
    /// What the configuration names comes before the configuration. The folder of the agent's state must be there.
    ///
    /// - Throws: `.conflict` for a setting of an administrator that would be overridden or would win, with its file and
    ///   line; `.sshd` when sshd refuses its present configuration; `.damaged` when the record of an earlier install
    ///   cannot be read; `.invalidRequest` for paths that sshd_config(5) would need quotes for; `.file`, `.unsafeFile`.
    public static func plan(
        _ settings: TrustSettings, host files: any HostFiles, sshd: Sshd, layout: HostLayout = HostLayout()
    ) throws(AgentError) -> Plan {
        var work = try TrustInstallation(settings, files, sshd, layout)
        return try work.plan()
    }

    /// What is to be done so that everything is as it was before trust was installed.
    ///
    /// - Throws: `.conflict` for a marked block that was taken apart, or a setting of somebody else that needs our
    ///   files; `.damaged` for a record of the originals that cannot be read.
    public static func removal(host files: any HostFiles, sshd: Sshd, layout: HostLayout = HostLayout())
        throws(AgentError) -> Plan
    {
        try TrustRemoval(files: files, sshd: sshd, layout: layout).plan()
    }

    /// The files of `AuthorizedKeysFile` as an administrator has them, and behind them the one of the grants.
    ///
    /// sshd takes the first such line whole, so ours must name what every key that works today needs.
    ///
    /// - Throws: `.conflict` for a path that sshd_config(5) would need quotes for.
    public static func keyFiles(
        withGrantsOf layout: HostLayout, host files: any HostFiles, sshd: Sshd
    ) throws(AgentError) -> [String] {
        let configuration = try SshdConfiguration(reading: sshd.configuration, from: files)
        let own = try OwnLines(configuration)
        let given = configuration.all("AuthorizedKeysFile").first {
            $0.conditions.isEmpty && !own.contain($0)
        }
        let ours = layout.grantKeys + "/%u"
        var present = given?.arguments ?? []
        if given == nil {
            let said = try sshd.settings(for: nil)["authorizedkeysfile"] ?? ""
            present = said.split(separator: " ").map(String.init)
        }
        let others = present.filter { $0 != ours && $0.lowercased() != "none" }
        for path in others
        where !path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"\"'#\\".utf8.contains($0) }) {
            throw AgentError(
                .conflict, "AuthorizedKeysFile \(path.escapedForTerminal): a path that would need quotes",
                hint: "name it in plain ASCII without blanks")
        }
        return others + [ours]
    }

    /// Our lines of sshd_config(5), but for those with `HostKey`.
    static func lines(_ settings: TrustSettings, _ layout: HostLayout) -> [(keyword: String, value: String)] {
        var lines = [("TrustedUserCAKeys", layout.userCAKeys), ("RevokedKeys", layout.revokedKeys)]
        if let check = settings.onlineCheck {
            // Both would be an "or": sshd takes whoever either of them lets in.
            lines += [
                ("AuthorizedPrincipalsFile", "none"),
                ("AuthorizedPrincipalsCommand", check.command(layout)),
                ("AuthorizedPrincipalsCommandUser", check.account.text),
            ]
        } else {
            lines.append(("AuthorizedPrincipalsFile", layout.principals + "/%u"))
        }
        lines.append(("ExposeAuthInfo", "yes"))
        if !settings.keyFiles.isEmpty {
            lines.append(("AuthorizedKeysFile", settings.keyFiles.joined(separator: " ")))
        }
        lines += settings.restrictions.map { ($0.keyword, $0.value) }
        if settings.hostIdentity?.certificate != nil {
            lines.append(("HostCertificate", layout.hostCertificate))
        }
        return lines
    }
}

extension HostLayout {
    /// `HostCertificate`.
    public var hostCertificate: String { configuration + "/host_certificate" }
}
