// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A copy of this machine's /etc and an empty /home, which only programs that are started ``inside(_:)`` see: accounts are
/// made, sudo is given and sshd is configured there with the real programs, and the machine stays as it is. Needs root.
public final class PrivateSystem: Sendable {
    public let folder: TemporaryFolder
    private let launcher: [String]

    /// What accounts, sudo, PAM, sshd and the name service read.
    private static let copied = [
        "passwd", "group", "shadow", "gshadow", "subuid", "subgid", "login.defs", "default", "skel", "shells",
        "sudoers",
        "sudoers.d", "pam.d", "security", "nsswitch.conf", "hosts", "host.conf", "localtime", "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d", "ssl", "environment", "profile", "bash.bashrc", "selinux", "sudo.conf",
    ]

    public init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        try folder.setMode(0o755, of: ".")
        for name in ["etc", "home"] { try folder.makeFolder(name, mode: 0o755) }
        for name in ["state", "run"] { try folder.makeFolder(name) }
        let script = """
            #!/bin/sh
            set -e
            mount --make-rprivate /
            mount --bind "\(folder.path)/etc" /etc
            mount --bind "\(folder.path)/home" /home
            exec "$@"
            """
        try folder.write(script + "\n", to: "inside", mode: 0o755)
        launcher = [try Tool.find("unshare"), "-m", folder.path("inside")]
        try reset()
    }

    /// Makes everything as it was at first.
    public func reset() throws {
        let script = """
            set -e
            cd "\(folder.path)"
            rm -rf etc/* home/* state/* run/*
            for name in \(Self.copied.joined(separator: " ")); do
                [ ! -e "/etc/$name" ] || cp -a "/etc/$name" etc/
            done
            rm -f etc/sudoers.d/daypass-*
            mkdir -p etc/ssh etc/daypass
            chmod 755 etc/ssh etc/daypass
            """
        try Tool.run("sh", ["-c", script]).orThrow("copy /etc")
    }

    public func path(_ name: String) -> String { folder.path(name) }

    /// Runs a program where the copies are /etc and /home.
    public func run(_ command: [String]) throws -> ToolResult {
        let all = inside(command)
        return try Tool.run(all[0], Array(all.dropFirst()))
    }

    /// A program and its arguments, as they are started there.
    public func inside(_ command: [String]) -> [String] { launcher + command }
}
