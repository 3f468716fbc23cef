// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What sshd says about a login when it opens or closes a session: the one message of `pam_daypass.so` and
/// `daypass-session` to the agent (docs/formats/session-report.md).
///
/// It is a list of `name=value` fields, each ended by a NUL byte, the first of which is `daypass-session=1`. It comes
/// from root's own sshd, but what it quotes (account names that do not exist, certificates) comes from strangers.
public struct SessionReport: Sendable, Hashable {
    /// What happened.
    public enum Event: String, Sendable {
        case open
        case close
    }

    /// The most that a report may have, in bytes: a certificate's line of 350 KB is possible, no sshd sends one (its
    /// packets end at 256 KiB).
    public static let maximumBytes = 384 << 10
    /// The first field.
    static let mark = "daypass-session"

    public let event: Event
    /// `PAM_SERVICE`, "sshd" as a rule.
    public let service: String
    /// `PAM_USER`.
    public let account: String
    /// `PAM_RHOST`: an address, or a name where sshd resolves them.
    public let remoteHost: String
    /// `PAM_TTY`, "ssh" without a terminal.
    public let terminal: String
    /// sshd's `SSH_CONNECTION`: remote address and port, local address and port; empty before OpenSSH 7.
    public let connection: String
    /// sshd's `SSH_AUTH_INFO_0`: a line for each method that succeeded, with the key or certificate behind it.
    public let authentication: String
    /// The process of sshd that holds the session (its monitor).
    public let pid: Int32
    /// When that process began, in clock ticks since the machine started (`/proc/PID/stat`, field 22): with the boot
    /// ID it names the process for ever.
    public let processStart: UInt64
    /// `/proc/sys/kernel/random/boot_id`.
    public let bootID: String
    /// When it happened, in nanoseconds since 1970.
    public let wallNanoseconds: UInt64
    /// When it happened, in nanoseconds since the machine started (`CLOCK_BOOTTIME`).
    public let bootNanoseconds: UInt64

    public init(
        event: Event, service: String, account: String, remoteHost: String, terminal: String,
        connection: String, authentication: String, pid: Int32, processStart: UInt64, bootID: String,
        wallNanoseconds: UInt64, bootNanoseconds: UInt64
    ) {
        self.event = event
        self.service = service
        self.account = account
        self.remoteHost = remoteHost
        self.terminal = terminal
        self.connection = connection
        self.authentication = authentication
        self.pid = pid
        self.processStart = processStart
        self.bootID = bootID
        self.wallNanoseconds = wallNanoseconds
        self.bootNanoseconds = bootNanoseconds
    }
}

extension SessionReport {
    /// Parses a report to its last byte. Fields may come in any order; unknown ones are refused, for there is one
    /// sender and it belongs to the same installation.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        var fields = try ReportFields(bytes, Self.mark, maximumBytes: Self.maximumBytes)
        let name = try fields.take("event", upTo: 16)
        guard let event = Event(rawValue: name) else {
            throw ControlProtocolError(.invalidValue, "event: open or close expected")
        }
        self.event = event
        service = try fields.take("service", upTo: 256)
        account = try fields.take("account", upTo: 1_024)
        remoteHost = try fields.take("rhost", upTo: 1_024)
        terminal = try fields.take("tty", upTo: 256)
        connection = try fields.take("connection", upTo: 256)
        authentication = try fields.take("auth", upTo: Self.maximumBytes)
        pid = try fields.takeNumber("pid")
        processStart = try fields.takeNumber("start")
        bootID = try fields.take("boot", upTo: 64)
        wallNanoseconds = try fields.takeNumber("wall")
        bootNanoseconds = try fields.takeNumber("uptime")
        try fields.finish()
        guard pid > 0 else { throw ControlProtocolError(.invalidValue, "pid: a process's number expected") }
        // Records are JSON, whose numbers have 63 bits; no machine has run for 292 years.
        guard processStart <= UInt64(Int64.max), bootNanoseconds <= UInt64(Int64.max) else {
            throw ControlProtocolError(.invalidValue, "start or uptime: longer than any machine runs")
        }
    }

    /// The session's name.
    public var sessionID: String { SessionID.make(boot: bootID, pid: pid, processStart: processStart) }

    /// The report as it is sent.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        func add(_ name: String, _ value: String) {
            bytes += Array(name.utf8) + [UInt8(ascii: "=")] + value.utf8.filter { $0 != 0 } + [0]
        }
        add(Self.mark, "1")
        add("event", event.rawValue)
        add("service", service)
        add("account", account)
        add("rhost", remoteHost)
        add("tty", terminal)
        add("connection", connection)
        add("auth", authentication)
        add("pid", String(pid))
        add("start", String(processStart))
        add("boot", bootID)
        add("wall", String(wallNanoseconds))
        add("uptime", String(bootNanoseconds))
        return bytes
    }
}
