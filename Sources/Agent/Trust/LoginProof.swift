// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// Shows by real logins that sshd takes certificates as it should: one that must succeed, and three that must not.
///
/// No CA key is on the host. So a throw-away CA, whose private half never leaves this process' memory, stands in
/// the file of CA keys while the logins last, and one of its serials in the list of revocations. sshd reads both files
/// at each login. Its certificates are valid for two minutes, from this host's own address, for no session.
struct LoginProof {
    /// The files that have another content while the logins last; the authority comes last and goes first.
    let temporaries: [ChangeJournal.Temporary]
    /// What was shown, for people; true when ``run(_:)`` has returned.
    let shown: [String]
    private let subject: Subject
    private let ssh: String
    private let folder: String
    /// What ssh takes the host for.
    private let alias: String
    private let content: [(name: String, bytes: [UInt8])]
    /// The certificates that must be refused, by their keys' file names.
    private let refused: [String]
    private let files: any HostFiles
    private let programs: any ProgramRunner

    private static let good = "good"

    /// Makes keys and certificates, and the contents of files. Writes nothing.
    ///
    /// - Parameters:
    ///   - folder: where ssh finds what it needs; made and removed here.
    ///   - now: Unix seconds.
    ///   - hostCertificate: what sshd must prove itself by; nil for its plain keys.
    /// - Throws: `.conflict` when sshd's files are such that nothing can be proven with them.
    init(
        _ subject: Subject, ssh: String, folder: String, now: UInt64,
        hostCertificate: HostCertificate? = nil, files: any HostFiles, programs: any ProgramRunner
    ) throws(AgentError) {
        (self.subject, self.ssh, self.folder) = (subject, ssh, folder)
        (self.files, self.programs) = (files, programs)
        // Without the plain keys, sshd is known by a certificate of that CA for that name, or not at all.
        let provenName = hostCertificate?.certificate.fields.principals.first?.string
        let host: [UInt8]
        if let fields = hostCertificate?.certificate.fields, let provenName {
            host = Array("@cert-authority \(provenName) \(fields.signatureKey.text)\n".utf8)
        } else {
            host = try Self.knownHosts(subject.settings, files)
        }
        alias = provenName ?? Self.hostAlias
        let credentials: Credentials
        let entrance: Entrance
        let authority, revocation: ChangeJournal.Temporary?
        do throws(SSHWireError) {
            credentials = try Credentials(subject)
        } catch {
            throw AgentError(.program, "no throw-away keys: \(error.reason)")
        }
        entrance = try Entrance(subject, files)
        authority = try Self.authority(credentials, subject.settings, files)
        revocation = try Self.revocation(credentials, subject.settings, files)
        temporaries = [entrance.temporary, revocation, authority].compactMap { $0 }
        let moment = UnixTime(seconds: now)
        do throws(SSHWireError) {
            var certificates = [
                (Self.good, try credentials.certificate(.good, for: entrance.principal, now: moment)),
                (
                    "principal",
                    try credentials.certificate(
                        .good, for: "daypass-proof-" + randomIdentifier(), now: moment)
                ),
                ("expired", try credentials.certificate(.expired, for: entrance.principal, now: moment)),
            ]
            if revocation != nil {
                certificates.append(
                    ("revoked", try credentials.certificate(.revoked, for: entrance.principal, now: moment)))
            }
            // ssh finds the private key of a certificate beside it, if plain keys are not to be offered.
            let key = try credentials.privateKeyFile()
            content =
                [("known_hosts", host)] + certificates.flatMap { [($0.0, key), ($0.0 + "-cert.pub", $0.1)] }
            refused = certificates.map(\.0).filter { $0 != Self.good }
        } catch {
            throw AgentError(.program, "no throw-away certificate: \(error.reason)")
        }
        let place = "\(subject.account)@\(subject.connection.localAddress)"
        shown =
            [
                "a login as \(place) by certificate succeeded",
                "certificates with \(revocation == nil ? "" : "a revoked serial, ")a wrong principal and an old date "
                    + "were refused",
            ] + (provenName.map { ["sshd proved by its certificate that it is \($0)"] } ?? [])
    }

    /// Writes what ssh reads.
    func writeFolder() throws(AgentError) {
        try Self.removeFolder(folder, files)
        if let slash = folder.lastIndex(of: "/") { try HostLock.prepare(String(folder[..<slash]), files) }
        let (owner, group) = (geteuid(), getegid())
        try files.makeFolder(folder, FileAttributes(mode: 0o700, owner: owner, group: group))
        for (name, bytes) in content {
            try files.create(
                "\(folder)/\(name)",
                FileContent(bytes, FileAttributes(mode: 0o600, owner: owner, group: group)))
        }
    }

    func removeFolder() throws(AgentError) { try Self.removeFolder(folder, files) }

    /// Removes a proof's folder with what is in it; nothing happens when there is none.
    static func removeFolder(_ path: String, _ files: any HostFiles) throws(AgentError) {
        for name in try files.list(path) ?? [] { try files.remove("\(path)/\(name)") }
        try files.removeFolder(path)
    }

    /// Logs in. The files must be in their form for the proof.
    ///
    /// A refused login counts against its source where sshd knows penalties (9.8 and later: 5 s for each connection,
    /// in force from 15 s on), and that source is everybody's loopback address. So the three that must fail share one
    /// connection where sshd tries as many keys, and the one that must succeed is not tried again in haste.
    ///
    /// - Parameter secondsLeft: throws when the time is over.
    func run(_ secondsLeft: () throws(AgentError) -> Int) throws(AgentError) {
        var wait: Int32 = 100
        var complaint = "not tried"
        while true {
            let seconds: Int
            do throws(AgentError) {
                seconds = try secondsLeft()
            } catch {
                throw AgentError(
                    .sshd,
                    "no login as \(subject.account.escapedForTerminal) by a good certificate: \(complaint)",
                    hint: "sshd's log says why; --prove-as names another account")
            }
            let attempt = try attempt([Self.good], seconds: seconds)
            if attempt.isAuthenticated { break }
            complaint = attempt.complaint
            pause(milliseconds: wait)
            wait = min(wait * 2, 4_000)
        }
        // sshd ends the connection at the last try that it allows.
        let tries = subject.settings["maxauthtries"].flatMap { Int($0) } ?? 6
        for group in tries > refused.count ? [refused] : refused.map({ [$0] }) {
            let attempt = try attempt(group, seconds: try secondsLeft())
            guard !attempt.isAuthenticated else {
                throw AgentError(
                    .sshd,
                    "sshd let a certificate in that it must refuse (\(attempt.accepted ?? group.joined(separator: ", ")))",
                    hint: "another setting or file of this host lets it in")
            }
            guard attempt.isRefused, attempt.offered == group.count else {
                throw AgentError(
                    .sshd,
                    "that sshd refuses bad certificates could not be shown: \(attempt.complaint)")
            }
        }
    }

    private func attempt(_ certificates: [String], seconds: Int) throws(AgentError) -> Attempt {
        let endpoint = subject.connection
        var options = [
            // The certificates are good from there alone, and another address of the host may be the kernel's choice.
            "BindAddress=\(endpoint.localAddress)",
            "BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=\(folder)/known_hosts",
            "GlobalKnownHostsFile=none", "HostKeyAlias=\(alias)", "CheckHostIP=no",
            "UpdateHostKeys=no", "IdentitiesOnly=yes", "IdentityAgent=none",
            // The plain key, which would be tried too, is nobody's.
            "PubkeyAcceptedAlgorithms=*-cert-v01@openssh.com",
            "PreferredAuthentications=publickey", "ControlPath=none", "ProxyCommand=none", "ProxyJump=none",
            "PermitLocalCommand=no", "ForwardAgent=no", "ForwardX11=no", "AddKeysToAgent=no",
            "CanonicalizeHostname=no", "ConnectionAttempts=1", "ConnectTimeout=\(seconds)",
        ]
        options += certificates.map { "IdentityFile=\(folder)/\($0)" }
        let result = try programs.run(
            ssh,
            // No session is opened, so that no shell starts, which some accounts haven't, and nothing of the account's
            // own runs. What is asked for instead is forwarding, which these certificates don't allow: the answer,
            // whatever it is, ends the connection.
            ["-v", "-F", "none", "-W", "127.0.0.1:1"] + options.flatMap { ["-o", $0] }
                + ["-p", "\(endpoint.localPort)", "-l", subject.account, "--", endpoint.localAddress],
            seconds: seconds)
        return Attempt(result)
    }

    static let hostAlias = "daypass-proof"
}

/// What ssh said about one connection.
///
/// Its exit status does not tell a login that was refused from one that had nothing to do; its messages do, in the same
/// words from OpenSSH 7 to 10 (sshconnect2.c, `ssh_userauth2`, `input_userauth_failure`, `send_pubkey_test`).
struct Attempt: Sendable {
    let isAuthenticated: Bool
    let isRefused: Bool
    /// How many certificates were offered.
    let offered: Int
    /// The line about the one that sshd would take.
    let accepted: String?
    let complaint: String

    init(_ result: ProgramResult) {
        let lines = String(decoding: result.errors, as: UTF8.self).split(whereSeparator: \.isNewline)
        // Where policy asks for a second method, a certificate is half of the way: more cannot be shown here.
        isAuthenticated = lines.contains {
            $0.hasPrefix("Authenticated to ")
                || $0.hasPrefix("Authenticated using \"publickey\" with partial success")
        }
        isRefused = lines.contains {
            $0.contains(": Permission denied (") || $0.contains("Too many authentication failures")
        }
        offered = lines.count { $0.hasPrefix("debug1: Offering public key: ") && $0.contains("-CERT ") }
        accepted = lines.last { $0.hasPrefix("debug1: Server accepts key: ") }?.description.escapedForTerminal
        let said = lines.filter { !$0.hasPrefix("debug1: ") && !$0.hasPrefix("OpenSSH_") }
        complaint =
            said.isEmpty
            ? "ssh ended with status \(result.status) and said nothing"
            : said.joined(separator: "; ").escapedForTerminal
    }
}
