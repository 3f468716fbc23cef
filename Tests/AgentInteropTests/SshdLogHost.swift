// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import Foundation
import TestSupport

/// A private sshd without PAM, in a mount namespace whose /dev/log is a private daemon's, with accounts, a CA and
/// certificates of its own.
struct SshdLogHost {
    /// Who takes sshd's messages.
    enum Daemon { case rsyslog, journald }

    static let withRsyslog = (try? Tool.find("rsyslogd")) != nil
    static let journald = "/lib/systemd/systemd-journald"
    static let withJournald =
        (try? Tool.find("journalctl")) != nil && FileManager.default.isExecutableFile(atPath: journald)

    let folder: TemporaryFolder
    let sshd: PrivateSSHD
    private let daemon: ChildProcess?
    /// The account beside root.
    static let account = "daypasslog"

    init(_ kind: Daemon, logLevel: String) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        try folder.setMode(0o755, of: ".")
        for name in ["dev", "journal", "home", "principals"] { try folder.makeFolder(name, mode: 0o755) }
        for name in ["ca", "other_ca", "static", "user"] {
            try Tool.run(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder.path(name)]
            )
            .orThrow("ssh-keygen")
        }
        try Tool.run("chown", ["61234:61234", folder.path("home")]).orThrow("chown")
        try folder.write(
            "root:x:0:0::/root:/bin/sh\nsshd:x:60999:60999::/run/sshd:/usr/sbin/nologin\n"
                + "\(Self.account):x:61234:61234::\(folder.path("home")):/bin/sh\n", to: "passwd", mode: 0o644
        )
        try folder.write("root:x:0:\nsshd:x:60999:\n\(Self.account):x:61234:\n", to: "group", mode: 0o644)
        try folder.write(
            "root:*:20000::::::\nsshd:*:20000::::::\n\(Self.account):*:20000::::::\n", to: "shadow")
        try folder.write(try folder.read("static.pub"), to: "authorized_keys", mode: 0o644)
        try folder.write("root\n", to: "principals/root", mode: 0o644)
        try folder.write("\(Self.account)\n", to: "principals/\(Self.account)", mode: 0o644)
        try folder.write(Self.script(kind), to: "start.sh")
        switch kind {
        case .journald: daemon = nil
        case .rsyslog:
            try folder.write(
                """
                module(load="imuxsock" SysSock.Use="off")
                input(type="imuxsock" Socket="\(folder.path("log"))")
                $MaxMessageSize 8k
                *.* action(type="omfile" file="\(folder.path("traditional.log"))" template="RSYSLOG_TraditionalFileFormat")
                *.* action(type="omfile" file="\(folder.path("iso.log"))" template="RSYSLOG_FileFormat")

                """, to: "rsyslog.conf")
            daemon = try ChildProcess(
                try Tool.find("rsyslogd"),
                ["-n", "-f", folder.path("rsyslog.conf"), "-i", folder.path("rsyslog.pid")],
                log: folder.path("rsyslog.out"))
            try Self.wait { folder.contains("log") }
        }
        // Revoked by its key.
        let revoked = try Self.certificate(folder, "revoked", ["-n", "root", "-z", "99", "-I", "revoked"])
        try Tool.run("ssh-keygen", ["-q", "-k", "-f", folder.path("krl"), revoked]).orThrow("ssh-keygen -k")
        sshd = try PrivateSSHD(
            {
                var options = PrivateSSHD.Options(
                    trustedUserCAKeys: folder.path("ca.pub"), revokedKeys: folder.path("krl"),
                    authorizedPrincipalsFile: folder.path("principals") + "/%u",
                    authorizedKeysFile: folder.path("authorized_keys"),
                    extraLines: ["LogLevel \(logLevel)", "UsePAM no", "SyslogFacility AUTH"])
                options.launcher = [
                    try Tool.find("unshare"), "-m", "sh", folder.path("start.sh"), folder.path,
                ]
                return options
            }())
    }

    /// Makes the namespace: the account files are ours, and /dev is a small one with another /dev/log.
    private static func script(_ kind: Daemon) -> String {
        let dev = """
            set -e
            T=$1
            shift
            for file in passwd group shadow; do mount --bind "$T/$file" "/etc/$file"; done
            mount -t tmpfs tmpfs "$T/dev"
            for name in null zero full random urandom tty; do
                touch "$T/dev/$name"
                mount --bind "/dev/$name" "$T/dev/$name"
            done
            mkdir "$T/dev/pts"
            mount --rbind /dev/pts "$T/dev/pts"
            ln -s pts/ptmx "$T/dev/ptmx"
            ln -s /proc/self/fd "$T/dev/fd"

            """
        switch kind {
        case .rsyslog:
            return dev + """
                ln -s "$T/log" "$T/dev/log"
                mount --rbind "$T/dev" /dev
                exec "$@"

                """
        case .journald:
            return dev + """
                ln -s /run/systemd/journal/dev-log "$T/dev/log"
                mount --rbind "$T/dev" /dev
                mount -t tmpfs tmpfs /run
                mkdir -p /run/systemd/journal /run/log/journal /run/sshd
                mount --bind "$T/journal" /run/log/journal
                \(journald) &
                while [ ! -S /run/systemd/journal/dev-log ]; do sleep 0.05; done
                exec "$@"

                """
        }
    }

    /// A certificate for a new key, by the CA unless `arguments` name another one; returns the certificate's path.
    @discardableResult
    static func certificate(
        _ folder: TemporaryFolder, _ name: String, _ arguments: [String], authority: String = "ca"
    ) throws -> String {
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder.path(name)])
            .orThrow("ssh-keygen")
        try Tool.run(
            "ssh-keygen", ["-q", "-s", folder.path(authority)] + arguments + [folder.path("\(name).pub")]
        ).orThrow("ssh-keygen -s")
        return folder.path("\(name)-cert.pub")
    }

    /// Logs in with a key of the folder.
    @discardableResult
    func login(_ name: String, as user: String = "root") throws -> Bool {
        try sshd.login(user: user, identity: folder.path(name), extraOptions: ["-o", "HashKnownHosts=no"])
            .succeeded
    }

    /// Waits for something in short steps.
    static func wait(_ seconds: Int = 20, for condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < end else { throw TestSupportError("waited \(seconds) s for nothing") }
            _ = poll(nil, 0, 5)
        }
    }
}
