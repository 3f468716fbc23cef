// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A known weakness of an sshd, and whether this one has it.
public struct SshdIncident: Sendable, Hashable {
    /// How sure it is.
    public enum Certainty: String, Sendable {
        /// The version has it, and nothing says that it was fixed.
        case affected
        /// The version has it; distributors mend old versions without a new number, and this build doesn't tell.
        case checkDistribution = "check-distribution"
    }

    /// "CVE-2024-6387".
    public let identifier: String
    /// What it is, one line.
    public let summary: String
    public let certainty: Certainty
    /// What to do, one line.
    public let advice: String
}

/// What the settings of a host decide about weaknesses that need them.
public struct SshdExposure: Sendable, Hashable {
    /// An `AuthorizedKeysCommand` or `AuthorizedPrincipalsCommand` is set.
    public var hasCommand = false
    /// An authorized_keys file has a line with `cert-authority`.
    public var hasAuthorityLine = false
    /// A key or a setting relies on `restrict`, `DisableForwarding` or the like.
    public var hasRestriction = false
    /// Passwords are taken.
    public var takesPasswords = false

    public init(
        hasCommand: Bool = false, hasAuthorityLine: Bool = false, hasRestriction: Bool = false,
        takesPasswords: Bool = false
    ) {
        self.hasCommand = hasCommand
        self.hasAuthorityLine = hasAuthorityLine
        self.hasRestriction = hasRestriction
        self.takesPasswords = takesPasswords
    }
}

/// One row of the table of what is known.
private struct KnownWeakness: Sendable {
    let identifier: String
    let summary: String
    /// The first release that has it, and the first that hasn't any more.
    let from: (Int, Int)
    let fixed: (major: Int, minor: Int, portable: Int)
    /// Builds of distributors that have the fix under the old number: the release's number, the distributor's name
    /// in front, and the first revision with it.
    var builds: [(release: String, distributor: String, revision: String)] = []
    var onMusl: Bool?
    var applies: @Sendable (SshdExposure) -> Bool = { _ in true }
}

extension SshdIncident {
    /// What is known of a release, newest first.
    ///
    /// The list is of what lets somebody in, gives more than was meant, or stops sshd; it is not complete, and no such
    /// list is.
    public static func known(of release: SshdRelease, exposure: SshdExposure) -> [SshdIncident] {
        table.compactMap { known in
            guard !release.precedes(known.from.0, known.from.1, portable: 0),
                release.precedes(known.fixed.major, known.fixed.minor, portable: known.fixed.portable),
                known.onMusl == nil || known.onMusl == release.usesMusl, known.applies(exposure)
            else { return nil }
            let fix =
                known.fixed.portable > 1
                ? "\(known.fixed.major).\(known.fixed.minor)p\(known.fixed.portable)"
                : "\(known.fixed.major).\(known.fixed.minor)"
            switch known.state(of: release) {
            case .mended: return nil
            case .unmended(let revision):
                return SshdIncident(
                    identifier: known.identifier, summary: known.summary, certainty: .affected,
                    advice: "update: \(revision) has the fix")
            case .unknown:
                return SshdIncident(
                    identifier: known.identifier, summary: known.summary, certainty: .checkDistribution,
                    advice: "fixed in \(fix); check your distribution's fixes for \(known.identifier)")
            }
        }
    }

    private static let table: [KnownWeakness] = [
        KnownWeakness(
            identifier: "CVE-2026-123158",
            summary: "a password is not needed on hosts with musl; it is being used",
            from: (0, 0), fixed: (10, 6, 2), onMusl: true, applies: \.takesPasswords),
        KnownWeakness(
            identifier: "openssh d322f2ccf",
            summary: "restrict in authorized_keys leaves tunnels (tun) allowed",
            from: (7, 2), fixed: (10, 5, 1), applies: \.hasRestriction),
        KnownWeakness(
            identifier: "openssh 8dfe7ed6e", summary: "DisableForwarding leaves tunnels (tun) allowed",
            from: (7, 4), fixed: (10, 4, 1), applies: \.hasRestriction),
        KnownWeakness(
            identifier: "CVE-2026-35414",
            summary:
                "a comma in a certificate's principal counts as two in principals=\"…\" of authorized_keys",
            from: (5, 6), fixed: (10, 3, 1), applies: \.hasAuthorityLine),
        KnownWeakness(
            identifier: "openssh 5166b6cbf",
            summary:
                "a certificate without principals opens every account that has the CA in authorized_keys",
            from: (5, 6), fixed: (10, 3, 1), applies: \.hasAuthorityLine),
        KnownWeakness(
            identifier: "CVE-2025-26466",
            summary: "anybody can make sshd use up memory and time before a login",
            from: (9, 5), fixed: (9, 9, 2), builds: [("9.6p1", "Ubuntu", "3ubuntu13.8")]),
        KnownWeakness(
            identifier: "CVE-2024-6387",
            summary: "regreSSHion: anybody can run code as root on hosts with glibc",
            from: (8, 5), fixed: (9, 8, 1),
            builds: [
                ("9.2p1", "Debian", "2+deb12u3"), ("8.9p1", "Ubuntu", "3ubuntu0.10"),
                ("9.3p1", "Ubuntu", "1ubuntu3.6"), ("9.6p1", "Ubuntu", "3ubuntu13.3"),
            ], onMusl: false),
        KnownWeakness(
            identifier: "CVE-2023-48795",
            summary: "Terrapin: somebody on the way can take messages out of a connection's beginning",
            from: (0, 0), fixed: (9, 6, 1),
            builds: [
                ("9.2p1", "Debian", "2+deb12u2"), ("8.4p1", "Debian", "5+deb11u3"),
                ("8.9p1", "Ubuntu", "3ubuntu0.6"),
            ]),
        KnownWeakness(
            identifier: "CVE-2021-41617",
            summary: "AuthorizedKeysCommand and AuthorizedPrincipalsCommand run with sshd's own groups",
            from: (6, 2), fixed: (8, 8, 1), builds: [("8.4p1", "Debian", "5+deb11u3")],
            applies: \.hasCommand),
    ]
}

extension KnownWeakness {
    enum State {
        case mended
        /// With the first revision that has the fix.
        case unmended(String)
        case unknown
    }

    func state(of release: SshdRelease) -> State {
        guard let build = release.build, let hyphen = build.firstIndex(of: "-") else { return .unknown }
        let distributor = build[..<hyphen]
        let revision = String(build[build.index(after: hyphen)...])
        let number = "\(release.major).\(release.minor)p\(release.portable)"
        for known in builds where known.release == number && distributor == known.distributor {
            return DebianRevision(text: revision) < DebianRevision(text: known.revision)
                ? .unmended("\(number)-\(known.revision)") : .mended
        }
        return .unknown
    }
}
