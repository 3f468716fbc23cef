// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Makes plans that bring sshd's trust to where it should be, or away. Nothing is changed here.
public enum TrustPlanner {
    /// What `sshd -T` must show once the plan of these settings is applied: keywords in lower case, and values to be
    /// compared without case.
    public static func wantedSettings(_ settings: TrustSettings, _ layout: HostLayout) -> [(
        keyword: String, value: String
    )] {
        lines(settings, layout).filter { $0.keyword != "HostKey" }.map { ($0.keyword.lowercased(), $0.value) }
    }

    /// What is to be done on a host so that its sshd trusts what the settings say, in the order in which it is safe.
    ///
    /// - Throws: `.conflict` for a setting of an administrator that would be overridden or would win, with its file and
    ///   line; `.sshd` when sshd refuses its present configuration; `.file`, `.unsafeFile`.
    public static func plan(
        _ settings: TrustSettings, host files: any HostFiles, sshd: Sshd, layout: HostLayout = HostLayout()
    ) throws(AgentError) -> Plan {
        Plan([])
    }

    /// What is to be done so that everything is as it was before trust was installed.
    ///
    /// - Throws: `.conflict` for a marked block that was taken apart, or a setting of somebody else that needs our
    ///   files; `.damaged` for a record of the originals that cannot be read.
    public static func removal(host files: any HostFiles, sshd: Sshd, layout: HostLayout = HostLayout())
        throws(AgentError) -> Plan
    {
        Plan([])
    }

    /// Our lines of sshd_config(5).
    static func lines(_ settings: TrustSettings, _ layout: HostLayout) -> [(keyword: String, value: String)] {
        var lines = [
            ("TrustedUserCAKeys", layout.userCAKeys), ("RevokedKeys", layout.revokedKeys),
            ("AuthorizedPrincipalsFile", layout.principals + "/%u"), ("ExposeAuthInfo", "yes"),
        ]
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
