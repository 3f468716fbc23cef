// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import Glibc
import SSHWire

/// Where the host's sshd and our own files are: what every command of trust takes.
struct HostOptions: ParsableArguments {
    @Option(help: ArgumentHelp("sshd's configuration.", valueName: "file"))
    var sshdConfig = "/etc/ssh/sshd_config"
    @Option(help: ArgumentHelp("sshd itself.", valueName: "file"))
    var sshdBinary = "/usr/sbin/sshd"
    @Option(help: ArgumentHelp("What sshd reads of ours.", valueName: "folder"))
    var configFolder = "/etc/daypass"
    @Option(help: ArgumentHelp("What must survive a restart.", valueName: "folder"))
    var stateFolder = "/var/lib/daypass"
    @Option(help: ArgumentHelp("The session hook's socket.", valueName: "folder"))
    var runtimeFolder = "/run/daypass"

    var sshd: Sshd { Sshd(binary: sshdBinary, configuration: sshdConfig) }
    var layout: HostLayout {
        HostLayout(configuration: configFolder, state: stateFolder, runtime: runtimeFolder)
    }

    /// The options that say the same to another run of this program.
    var arguments: [String] {
        [
            "--sshd-config", sshdConfig, "--sshd-binary", sshdBinary, "--config-folder", configFolder,
            "--state-folder", stateFolder, "--runtime-folder", runtimeFolder,
        ]
    }

    func validate() throws {
        for path in [sshdConfig, sshdBinary, configFolder, stateFolder, runtimeFolder] {
            guard path.hasPrefix("/") else {
                throw ValidationError("\(path.escapedForTerminal): an absolute path expected")
            }
        }
    }
}

/// How commands answer.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// What this host is called in principals.
struct HostNameOptions: ParsableArguments {
    @Option(help: ArgumentHelp("This host's name in principals; by default its own name.", valueName: "name"))
    var hostID: String?
    @Option(
        name: .customLong("label"), parsing: .singleValue,
        help: ArgumentHelp(
            "A group that this host is in, as team=infra; may be repeated.", valueName: "key=value"))
    var labels: [String] = []

    func names() throws(AgentError) -> HostNames {
        try HostNames(id: hostID ?? HostNames.systemID(), labels: labels)
    }
}

/// What sshd is to trust.
struct TrustOptions: ParsableArguments {
    @OptionGroup(title: "The host") var host: HostOptions
    @OptionGroup(title: "Names of the host") var names: HostNameOptions

    @Option(
        name: .customLong("ca-keys"), parsing: .singleValue,
        help: ArgumentHelp(
            "Public keys of CAs whose user certificates are taken, one a line; may be repeated.",
            valueName: "file"))
    var authorityFiles: [String] = []
    @Option(
        help: ArgumentHelp(
            "A key revocation list; without it the installed one stays, or one that revokes nothing.",
            valueName: "file"))
    var krl: String?
    @Option(
        name: .customLong("account"), parsing: .singleValue,
        help: ArgumentHelp(
            "An account that gets the default principals; may be repeated. By default every account with a login shell.",
            valueName: "name"))
    var accounts: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Exactly these principals enter the account, as deploy=alice,bob; may be repeated.",
            valueName: "account=principal,…"))
    var principals: [String] = []
    @Option(help: ArgumentHelp("A host key of this host, its .pub file beside it.", valueName: "file"))
    var hostKey: String?
    @Option(help: ArgumentHelp("A certificate for the host key.", valueName: "file"))
    var hostCertificate: String?
    @Flag(help: "Forbids every kind of forwarding and tunnels.")
    var noForwarding = false
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "One setting of forwarding, as AllowTcpForwarding=local; may be repeated.",
            valueName: "keyword=value"))
    var forwarding: [String] = []
    @Option(help: ArgumentHelp("sshd's PAM service file, which gets the session hook.", valueName: "file"))
    var pamServiceFile = "/etc/pam.d/sshd"
    @Option(
        help: ArgumentHelp(
            "The PAM module of the session hook; by default it is looked for.", valueName: "file"))
    var pamModule: String?
    @Flag(help: "Leaves PAM alone: logins are read from sshd's messages.")
    var noSessionHook = false
    @Flag(
        help:
            "Makes sshd ask daypass-session for principals, and so the agent whether it knows a certificate as bad."
    )
    var onlineCheck = false
    @Option(help: ArgumentHelp("daypass-session, for --online-check.", valueName: "file"))
    var sessionProgram = "/usr/local/libexec/daypass/daypass-session"
    @Option(help: ArgumentHelp("The account that --online-check runs as.", valueName: "name"))
    var authorizeAccount = "daypass-authorize"
    @Flag(help: "Makes sshd read the keys of grants too, beside those that it reads today.")
    var grants = false
    @Flag(help: "Takes the keys of an administrator's own TrustedUserCAKeys into ours.")
    var adoptCAKeys = false
    @Flag(help: "Takes what an administrator's own RevokedKeys revokes into our list.")
    var adoptRevocations = false

    var sshd: Sshd { host.sshd }
    var layout: HostLayout { host.layout }

    /// Reads the files that the options name.
    ///
    /// - Throws: `.invalidRequest`, `.damaged`, `.file`, `.unsafeFile`, with the file's name.
    func settings(_ files: any HostFiles = SystemFiles()) throws(AgentError) -> TrustSettings {
        var authorities: [TrustSettings.AuthorityKey] = []
        for name in authorityFiles {
            authorities += try TrustSettings.AuthorityKey.parse(try content(name, files), name: name)
        }
        var settings = try TrustSettings(authorities: authorities)
        if let krl {
            settings.revocations = .given(
                try RevocationFile(try content(krl, files, upTo: Limits.krlBytes), name: krl))
        }
        settings.principals = try accountPrincipals(files)
        settings.restrictions = try restrictions()
        settings.hostIdentity = try hostIdentity(files)
        if !noSessionHook {
            if let module = pamModule ?? SessionModule.find() {
                settings.sessionHook = .pam(serviceFile: pamServiceFile, module: module)
            } else {
                settings.sessionHook = .missingModule
            }
        }
        if onlineCheck {
            let check = try OnlineCheck(
                program: sessionProgram, account: try authorizeAccount(LoginAccounts(files)))
            try check.checkProgram()
            settings.onlineCheck = check
        }
        if grants {
            settings.keyFiles = try TrustPlanner.keyFiles(withGrantsOf: layout, host: files, sshd: sshd)
        }
        settings.adoptsAuthorities = adoptCAKeys
        settings.adoptsRevocations = adoptRevocations
        settings.unixSeconds = UInt64(clamping: time(nil))
        return settings
    }

    private func accountPrincipals(_ files: any HostFiles) throws(AgentError) -> [AccountPrincipals] {
        let known = LoginAccounts(files)
        let names = try names.names()
        var result: [AccountPrincipals] = []
        for text in principals {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw AgentError(
                    .invalidRequest, "--principals \(text.escapedForTerminal): account=principal,… expected")
            }
            let account = try existing(String(parts[0]), known)
            result.append(
                try AccountPrincipals(
                    account,
                    parts[1].split(separator: ",", omittingEmptySubsequences: false).map {
                        ExactText(String($0))
                    },
                    replacesExisting: true))
        }
        var defaults: [AccountName] = []
        for name in accounts { defaults.append(try existing(name, known)) }
        if accounts.isEmpty {
            defaults = try known.withLoginShell().filter { !$0.text.utf8.contains(UInt8(ascii: "@")) }
        }
        for account in defaults where !result.contains(where: { $0.account == account }) {
            result.append(
                try AccountPrincipals(
                    account, try names.defaultPrincipals(of: account), replacesExisting: !accounts.isEmpty))
        }
        return result.sorted { $0.account < $1.account }
    }

    private func existing(_ name: String, _ known: LoginAccounts) throws(AgentError) -> AccountName {
        let account = try AccountName(name)
        guard try known.contains(account) else {
            throw AgentError(.notFound, "account \(account): this host has no such account")
        }
        return account
    }

    private func authorizeAccount(_ known: LoginAccounts) throws(AgentError) -> AccountName {
        let account = try AccountName(authorizeAccount)
        // The agent looks for it in the same place.
        guard try known.localNumber(of: account) != nil else {
            throw AgentError(
                .notFound,
                "account \(account), which --online-check runs as: this host has no such account of its own",
                hint: "packaging/sysusers/daypass.conf makes it; --authorize-account names another one")
        }
        return account
    }

    private func restrictions() throws(AgentError) -> [ForwardingRestriction] {
        var result = noForwarding ? ForwardingRestriction.all : []
        for text in forwarding {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw AgentError(
                    .invalidRequest, "--forwarding \(text.escapedForTerminal): keyword=value expected")
            }
            let restriction = try ForwardingRestriction(String(parts[0]), String(parts[1]))
            result.removeAll { $0.keyword == restriction.keyword }
            result.append(restriction)
        }
        return result
    }

    private func hostIdentity(_ files: any HostFiles) throws(AgentError) -> TrustSettings.HostIdentity? {
        guard let hostKey else {
            guard hostCertificate == nil else {
                throw AgentError(
                    .invalidRequest, "--host-certificate needs the key that it is for", hint: "add --host-key"
                )
            }
            return nil
        }
        let key = try line(hostKey + ".pub", files)
        let certificate: Certificate? =
            if let hostCertificate { try certificate(hostCertificate, files) } else { nil }
        return try TrustSettings.HostIdentity(keyPath: hostKey, key: key.subject, certificate: certificate)
    }

    private func certificate(_ name: String, _ files: any HostFiles) throws(AgentError) -> Certificate {
        guard case .certificate(let certificate) = try line(name, files) else {
            throw AgentError(.invalidRequest, "\(name.escapedForTerminal): a plain key, not a certificate")
        }
        return certificate
    }

    private func line(_ name: String, _ files: any HostFiles) throws(AgentError) -> KeyOrCertificate {
        let bytes = try content(name, files)
        do throws(SSHWireError) {
            return try PublicKeyLine(file: bytes).content
        } catch {
            throw AgentError(.invalidRequest, "\(name.escapedForTerminal): \(error.reason)")
        }
    }

    private func content(_ name: String, _ files: any HostFiles, upTo maximum: Int = 1 << 20)
        throws(AgentError)
        -> [UInt8]
    {
        guard let content = try files.read(absolutePath(name), maximumBytes: maximum) else {
            throw AgentError(.file, "\(name.escapedForTerminal) does not exist")
        }
        return content.bytes
    }
}

/// A path as it was typed, from the current folder on when it is relative.
func absolutePath(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let folder = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(folder) }
    return unsafe String(cString: folder) + "/" + path
}
