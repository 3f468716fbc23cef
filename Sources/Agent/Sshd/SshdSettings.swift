// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What sshd would do for one connection: the output of `sshd -T -C …` (servconf.c, `dump_config`).
///
/// Names are lower case there, and values have their own spelling: but for paths, they are compared without case.
public struct SshdSettings: Sendable {
    private var values: [String: [String]] = [:]

    /// Parses what `sshd -T` printed.
    public init(parsing text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard let name = parts.first else { continue }
            values[name.lowercased(), default: []].append(parts.count > 1 ? String(parts[1]) : "")
        }
    }

    /// A keyword's value; nil when this sshd does not know it. The first one where there are several.
    public subscript(_ keyword: String) -> String? { values[keyword.lowercased()]?.first }

    /// All values of a keyword that may stand several times (`hostkey`, `listenaddress`, `acceptenv`, …).
    public func all(_ keyword: String) -> [String] { values[keyword.lowercased()] ?? [] }

    /// True when a keyword has this value, without regard to case; to the letter where it names a file, a program or an
    /// account.
    public func says(_ keyword: String, _ value: String) -> Bool {
        guard let found = self[keyword] else { return false }
        return Self.isExact(keyword) ? found == value : found.lowercased() == value.lowercased()
    }

    /// True for a keyword of ours whose value is a path or an account: another case is another file.
    static func isExact(_ keyword: String) -> Bool {
        [
            "trustedusercakeys", "revokedkeys", "authorizedprincipalsfile", "authorizedprincipalscommand",
            "authorizedprincipalscommanduser", "hostcertificate", "authorizedkeysfile",
        ].contains(keyword.lowercased())
    }
}

/// The host's sshd: where it is, what it reads, and how it is told to read again.
public struct Sshd: Sendable {
    /// The program, an absolute path.
    public let binary: String
    /// Its configuration, an absolute path.
    public let configuration: String
    private let programs: any ProgramRunner

    public init(binary: String, configuration: String, programs: any ProgramRunner = SystemPrograms()) {
        self.binary = binary
        self.configuration = configuration
        self.programs = programs
    }

    /// A connection that a `Match` block may ask about.
    public struct Connection: Sendable, Hashable {
        public var user: String
        public var host: String
        public var address: String
        /// The local address and port.
        public var localAddress: String
        public var localPort: UInt16

        public init(
            user: String, host: String = "localhost", address: String = "127.0.0.1",
            localAddress: String = "127.0.0.1", localPort: UInt16 = 22
        ) {
            self.user = user
            self.host = host
            self.address = address
            self.localAddress = localAddress
            self.localPort = localPort
        }
    }

    /// What would hold for a connection; for none in particular when it is nil.
    ///
    /// - Parameter file: another configuration than the live one.
    /// - Throws: `.sshd` with sshd's own words when it refuses the configuration.
    public func settings(for connection: Connection?, file: String? = nil) throws(AgentError) -> SshdSettings
    {
        var arguments = ["-T", "-f", file ?? configuration]
        if let connection {
            // sshd parts the specification at commas.
            for part in [connection.user, connection.host, connection.address]
            where part.utf8.contains(where: { $0 == UInt8(ascii: ",") || $0 < 0x20 }) {
                throw AgentError(
                    .invalidRequest, "\"\(part.escapedForTerminal)\": no name that sshd -C can be asked about"
                )
            }
            arguments += [
                "-C",
                "user=\(connection.user),host=\(connection.host),addr=\(connection.address),"
                    + "laddr=\(connection.localAddress),lport=\(connection.localPort)",
            ]
        }
        let result = try programs.run(binary, arguments)
        guard result.succeeded else {
            throw AgentError(.sshd, "sshd refuses \(file ?? configuration): \(result.complaint)")
        }
        return SshdSettings(parsing: result.outputText)
    }

    /// Asks sshd whether it would load a configuration (`sshd -t`).
    ///
    /// - Throws: `.sshd` with sshd's own words when it would not.
    public func check(file: String? = nil) throws(AgentError) {
        let result = try programs.run(binary, ["-t", "-f", file ?? configuration])
        guard result.succeeded else {
            throw AgentError(.sshd, "sshd refuses \(file ?? configuration): \(result.complaint)")
        }
    }
}
