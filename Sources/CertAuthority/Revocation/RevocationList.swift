// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Builds what sshd reads (`RevokedKeys`) from what the log says is revoked.
public enum RevocationList {
    /// The list, and how many revocations it leaves out.
    public struct Build: Sendable {
        public let list: KeyRevocationList
        public let included: Int
        /// Revocations of certificates that have expired anyway.
        public let expired: Int
    }

    /// - Parameters:
    ///   - milliseconds: now, since 1970. It is the list's version too, which so grows from list to list also after an
    ///     older database was put back.
    ///   - includesExpired: also revokes what no sshd would accept any more. sshd reads the whole list several times a
    ///     login (0.1 s for 100,000 serials), so leaving them out is the rule.
    public static func build(
        _ revocations: [RevocationRecord], at milliseconds: UInt64, includesExpired: Bool
    ) throws(CertAuthorityError) -> Build {
        let now = UnixTime(seconds: milliseconds / 1_000)
        var builder = KeyRevocationList.Builder(version: milliseconds, generatedUnixSeconds: now.seconds)
        var included = 0
        do {
            for record in revocations where includesExpired || (record.expires ?? .forever) > now {
                included += 1
                switch record.target {
                case .serial(let serial, let authority):
                    try builder.revoke(serial: serial, of: .authority(authority))
                case .keyID(let keyID, let authority):
                    try builder.revoke(keyID: keyID, of: .authority(authority))
                case .key(let key): try builder.revoke(key)
                }
            }
        } catch {
            throw CertAuthorityError(.logInconsistent, "revocation list: \(error.reason)")
        }
        return Build(list: builder.build(), included: included, expired: revocations.count - included)
    }
}
