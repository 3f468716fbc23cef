// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import SSHWire
import Synchronization

/// A host in memory with an sshd that says what it is told to say.
struct TrustHost {
    static let main = "/etc/ssh/sshd_config"
    static let dropIn = "/etc/ssh/sshd_config.d/00-daypass.conf"
    let files: MemoryFiles
    var said = "usepam yes\nhostkey /etc/ssh/ssh_host_ed25519_key\n"
    let layout = HostLayout()

    /// A host with a folder of drop-ins.
    init(
        _ main: String = "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
        _ others: [String: String] = [:]
    ) {
        files = MemoryFiles(others)
        files.put(Self.main, Array(main.utf8))
        files.put("/etc/ssh/sshd_config.d/README", Array("# nothing\n".utf8))
    }

    var sshd: Sshd {
        Sshd(binary: "/usr/sbin/sshd", configuration: Self.main, programs: SaidSettings(output: said))
    }

    func plan(_ settings: TrustSettings) throws(AgentError) -> Plan {
        try TrustPlanner.plan(settings, host: files, sshd: sshd, layout: layout)
    }

    func removal() throws(AgentError) -> Plan {
        try TrustPlanner.removal(host: files, sshd: sshd, layout: layout)
    }

    func install(_ settings: TrustSettings) throws { try files.apply(try plan(settings)) }
    func remove() throws { try files.apply(try removal()) }

    /// Who wins, by our own reading.
    func winner(_ keyword: String) throws -> String? {
        try SshdConfiguration(reading: Self.main, from: files).winner(keyword)?.value
    }
}

extension TrustSettings {
    /// Settings with one new CA and the account deploy.
    static func some(_ change: (inout TrustSettings) throws -> Void = { _ in }) throws -> TrustSettings {
        var settings = try TrustSettings(authorities: [
            AuthorityKey(try PrivateKey.generate(.ed25519, comment: "").publicKey)
        ])
        settings.principals = [
            try AccountPrincipals(
                try AccountName("deploy"), ["deploy", "deploy@web1"], replacesExisting: false)
        ]
        try change(&settings)
        return settings
    }
}

/// A list that revokes these serials of every authority.
func revocations(_ version: UInt64, _ serials: [UInt64] = []) throws -> RevocationFile {
    var builder = KeyRevocationList.Builder(version: version, generatedUnixSeconds: 1)
    for serial in serials { try builder.revoke(serial: serial, of: .everyAuthority) }
    return try RevocationFile(builder.build().checkedEncoding(), name: "list")
}

/// An sshd that is asked once in each look, at which a file of the host has become another one.
final class ChangingHost: ProgramRunner {
    private let host: TrustHost
    private let path: String
    private let contents: Mutex<[[UInt8]]>

    /// - Parameter contents: of the file, look by look.
    init(_ host: TrustHost, _ path: String, _ contents: [[UInt8]]) {
        (self.host, self.path) = (host, path)
        self.contents = Mutex(contents)
    }

    func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
    {
        // A look asks what holds for all first.
        if !arguments.contains("-C"), let next = contents.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            host.files.put(self.path, next)
        }
        return try SaidSettings(output: host.said).run(path, arguments, input: input, seconds: seconds)
    }
}
