// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

extension LoginProof {
    /// Whose login is tried, and where.
    struct Subject: Sendable {
        let account: String
        let connection: Sshd.Connection
        /// What holds for this connection with the staged configuration.
        let settings: SshdSettings
        /// The folder of principals files, which the online check reads.
        let principals: String
        /// Every port that sshd listens on.
        let ports: [UInt16]
    }

    static func endpoints(_ settings: SshdSettings) -> [LoginEndpoint] {
        settings.all("listenaddress").compactMap { LoginEndpoint($0) }
    }

    /// The ports that sshd listens on.
    static func ports(_ settings: SshdSettings) -> [UInt16] { endpoints(settings).map(\.port) }
}

extension LoginProof.Subject {
    /// Chooses the account and the address. Changes nothing.
    ///
    /// - Parameter file: the staged configuration.
    /// - Throws: `.sshd` when no account could log in by a certificate.
    static func find(
        _ change: RunningChange, file: String, layout: HostLayout, files: any HostFiles,
        programs: any ProgramRunner
    ) throws(AgentError) -> LoginProof.Subject {
        let settings = try change.sshd.settings(for: nil, file: file)
        let endpoints = LoginProof.endpoints(settings)
        let endpoint =
            change.options.proof.place ?? endpoints.first { $0.address == "127.0.0.1" } ?? endpoints.first(
                where: \.isLoopback)
            ?? endpoints.first
        func subject(_ account: String) throws(AgentError) -> LoginProof.Subject {
            let address = endpoint?.address ?? "127.0.0.1"
            let connection = Sshd.Connection(
                user: account, host: "localhost", address: address, localAddress: address,
                localPort: endpoint?.port ?? 22)
            return LoginProof.Subject(
                account: account, connection: connection,
                settings: try change.sshd.settings(for: connection, file: file),
                principals: layout.principals, ports: endpoints.map(\.port))
        }
        guard case .login(let wanted, _) = change.options.proof else { return try subject("root") }
        guard endpoint != nil else {
            throw AgentError(
                .sshd, "sshd names no address that a login could go to",
                hint: "--prove-at names one, --no-login-proof is content with what sshd -T says")
        }
        var reasons: [String] = []
        let accounts =
            if let wanted { [wanted] } else { try candidates(layout, files) }
        for account in accounts {
            let subject = try subject(account)
            guard let reason = try subject.refusal(files) else { return subject }
            reasons.append("\(account.escapedForTerminal): \(reason)")
        }
        throw AgentError(
            .sshd,
            "no account that a certificate could log in to (\(reasons.joined(separator: "; ")))",
            hint: "--prove-as names one, --no-login-proof is content with what sshd -T says")
    }

    /// root, and then every account that has principals.
    private static func candidates(
        _ layout: HostLayout, _ files: any HostFiles
    ) throws(AgentError) -> [String] {
        let mapped = try files.list(layout.principals) ?? []
        return ["root"] + mapped.filter { $0 != "root" && !$0.hasPrefix(".") }.prefix(maximumCandidates)
    }

    /// Each costs a start of sshd.
    private static var maximumCandidates: Int { 32 }

    /// Why sshd would not let this account in, however good its certificate (auth.c, `allowed_user`; auth2.c); nil
    /// when nothing of what is looked at stands in the way.
    func refusal(_ files: any HostFiles) throws(AgentError) -> String? {
        guard let entry = Account(account) else { return "no such account" }
        if settings.says("pubkeyauthentication", "no") { return "no login by key" }
        if entry.id == 0, settings.says("permitrootlogin", "no") { return "PermitRootLogin no" }
        if settings.says("usepam", "no"), try isLocked(files) { return "locked, and sshd runs without PAM" }
        if let shell = entry.shell, unsafe access(shell, X_OK) != 0 { return "its shell does not exist" }
        if listed("denyusers", [account], mayNameHost: true) { return "DenyUsers" }
        if !settings.all("allowusers").isEmpty, !listed("allowusers", [account], mayNameHost: true) {
            return "not in AllowUsers"
        }
        if listed("denygroups", entry.groups, mayNameHost: false) { return "DenyGroups" }
        if !settings.all("allowgroups").isEmpty, !listed("allowgroups", entry.groups, mayNameHost: false) {
            return "not in AllowGroups"
        }
        return nil
    }

    private func listed(_ keyword: String, _ names: [String], mayNameHost: Bool) -> Bool {
        for text in settings.all(keyword).flatMap({ $0.split(separator: " ").map(String.init) }) {
            var pattern = text[...]
            if mayNameHost, let at = text.lastIndex(of: "@") {
                let host = text[text.index(after: at)...]
                guard Self.matches(host, connection.address) || Self.matches(host, connection.host) else {
                    continue
                }
                pattern = text[..<at]
            }
            if names.contains(where: { Self.matches(pattern, $0) }) { return true }
        }
        return false
    }

    private static func matches(_ pattern: Substring, _ name: String) -> Bool {
        guard let list = try? PatternList([ExactText(String(pattern))], "pattern") else { return false }
        return list.matches(ExactText(name))
    }

    private func isLocked(_ files: any HostFiles) throws(AgentError) -> Bool {
        guard let shadow = try files.read("/etc/shadow") else { return false }
        let wanted = Array("\(account):!".utf8)
        return shadow.bytes.split(separator: UInt8(ascii: "\n")).contains { $0.starts(with: wanted) }
    }
}

/// What the system knows of an account (passwd(5), group(5), or a directory).
private struct Account {
    let id: UInt32
    let shell: String?
    let groups: [String]

    private static let maximumGroups = 65_536

    init?(_ name: String) {
        guard let entry = unsafe getpwnam(name) else { return nil }
        id = unsafe entry.pointee.pw_uid
        let shell = unsafe entry.pointee.pw_shell.map { unsafe String(cString: $0) }
        self.shell = shell?.isEmpty == false ? shell : nil
        var count = Int32(64)
        var numbers = [gid_t](repeating: 0, count: Int(count))
        let first = unsafe entry.pointee.pw_gid
        while unsafe getgrouplist(name, first, &numbers, &count) < 0 {
            guard numbers.count < Self.maximumGroups else { break }
            numbers = [gid_t](repeating: 0, count: numbers.count * 2)
            count = Int32(numbers.count)
        }
        groups = numbers.prefix(Int(max(0, count))).compactMap { number in
            guard let group = unsafe getgrgid(number), let name = unsafe group.pointee.gr_name else {
                return nil
            }
            return unsafe String(cString: name)
        }
    }
}
