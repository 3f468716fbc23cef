// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)

    import Foundation

    /// A PAM service of one test's own: a file in /etc/pam.d that goes with the last reference, and an sshd that uses it.
    ///
    /// Only root can make one. Everybody is let in whom sshd lets in by a key; the machine's own services are not touched.
    public final class PAMService: Sendable {
        /// The service's name, which no other one has.
        public let name: String
        /// The absolute path of an sshd that asks this service, for ``PrivateSSHD/Options/program``.
        public let sshd: String
        private let folder: TemporaryFolder

        /// Where PAM looks for services.
        private static let services = "/etc/pam.d"

        /// - Parameter session: the session lines, such as `session optional /path/pam_daypass.so enforce`.
        public init(session: [String]) throws {
            let name = "daypass-test-\(UInt64.random(in: .min ... .max))"
            let folder = try TemporaryFolder()
            self.name = name
            self.folder = folder
            // sshd's service is the name that it was started by.
            sshd = folder.path(name)
            try FileManager.default.createSymbolicLink(
                atPath: sshd, withDestinationPath: Tool.find("sshd"))
            let lines =
                [
                    "auth required pam_permit.so", "account required pam_permit.so",
                    "password required pam_deny.so",
                ]
                + session + ["session required pam_permit.so"]
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(
                to: URL(fileURLWithPath: "\(Self.services)/\(name)"))
        }

        deinit { try? FileManager.default.removeItem(atPath: "\(Self.services)/\(name)") }

        /// Lines for ``PrivateSSHD/Options/extraLines``: PAM is on, under this service's name also where sshd's own name
        /// no longer says it (9.8 and later).
        public var configuration: [String] {
            var lines = ["UsePAM yes"]
            if let version = PrivateSSHD.version(of: sshd), version >= (9, 8) {
                lines.append("PAMServiceName \(name)")
            }
            return lines
        }
    }
#endif
