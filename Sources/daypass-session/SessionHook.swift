// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Reports what PAM says in the environment: to the agent, or into the spool.
enum SessionHook {
    /// A report's limits, which its reader checks (docs/formats/session-report.md).
    private static let (short, name, authentication) = (256, 1_024, (384 << 10) - 4_096)

    static func run(_ arguments: [String]) -> Int32 {
        guard
            let options = Options(
                arguments, flags: ["--socket", "--spool", "--timeout", "--enforce"],
                socket: "/run/daypass/session.sock")
        else { return wrong("a wrong argument; see --help") }
        let event: String
        switch variable("PAM_TYPE", upTo: 64) {
        case Array("open_session".utf8): event = "open"
        case Array("close_session".utf8): event = "close"
        case []: return wrong("PAM_TYPE is not set: pam_exec starts this; see --help")
        default: return 0
        }

        let wall = nanoseconds(CLOCK_REALTIME)
        let report = report(event, wall)
        let answer = Exchange.ask(options.socket, report, milliseconds: options.milliseconds, room: 1)
        let agent: String
        switch answer {
        case .success([UInt8(ascii: "1")]): return 0
        case .success: agent = describe(EPROTO)
        case .failure(let error): agent = error.text
        }
        switch Spool.write(
            report, "\(padded(wall))-\(getppid())-\(event)", to: options.spool, synced: options.enforces)
        {
        case .success:
            say(LOG_NOTICE, "\(event): no agent (\(agent)); the report is in the spool")
            return 0
        case .failure(let error):
            say(LOG_ERR, "\(event): NOT RECORDED: no agent (\(agent)), no spool (\(error.text))")
            return options.enforces && event == "open" ? 1 : 0
        }
    }

    /// The session's process is sshd's, which is this program's parent.
    private static func report(_ event: String, _ wall: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8_192)
        func add(_ name: String, _ value: some Collection<UInt8>) {
            bytes += name.utf8
            bytes.append(UInt8(ascii: "="))
            bytes += value
            bytes.append(0)
        }
        let process = getppid()
        add("daypass-session", "1".utf8)
        add("event", event.utf8)
        add("service", variable("PAM_SERVICE", upTo: short))
        add("account", variable("PAM_USER", upTo: name))
        add("rhost", variable("PAM_RHOST", upTo: name))
        add("tty", variable("PAM_TTY", upTo: short))
        add("connection", variable("SSH_CONNECTION", upTo: short))
        add("pid", String(process).utf8)
        add("start", start(of: process))
        add("boot", readStart("/proc/sys/kernel/random/boot_id", upTo: 64).prefix { $0 > 0x20 })
        add("wall", String(wall).utf8)
        add("uptime", String(nanoseconds(CLOCK_BOOTTIME)).utf8)
        add("auth", variable("SSH_AUTH_INFO_0", upTo: authentication))
        return bytes
    }

    /// Field 22 of /proc/PID/stat. The program's name, field 2, may hold blanks and brackets: it is looked for from
    /// behind.
    private static func start(of process: pid_t) -> [UInt8] {
        let text = readStart("/proc/\(process)/stat", upTo: 1_024)
        guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return [UInt8(ascii: "0")] }
        let fields = text[end...].split(separator: 0x20, maxSplits: 21)
        guard fields.count > 20, fields[20].allSatisfy({ (0x30...0x39).contains($0) }) else {
            return [UInt8(ascii: "0")]
        }
        return Array(fields[20])
    }

    /// An environment variable's bytes; too long a value is cut, so that the login is recorded all the same. Each byte
    /// that may not be UTF-8 becomes a replacement character of three bytes at the reader's.
    private static func variable(_ name: String, upTo limit: Int) -> [UInt8] {
        guard let value = unsafe getenv(name) else { return [] }
        var bytes: [UInt8] = []
        var cost = 0
        var at = unsafe UnsafePointer(value)
        while unsafe at.pointee != 0 {
            let byte = unsafe UInt8(bitPattern: at.pointee)
            cost += byte < 0x80 ? 1 : 3
            guard cost <= limit else { break }
            bytes.append(byte)
            unsafe at += 1
        }
        return bytes
    }

    private static func wrong(_ text: String) -> Int32 {
        say(LOG_ERR, text)
        return 64
    }
}

/// Twenty digits.
private func padded(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 20 - digits.utf8.count)) + digits
}

/// The beginning of a file of /proc; empty when it cannot be read.
func readStart(_ path: String, upTo limit: Int) -> [UInt8] {
    let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return [] }
    defer { close(number) }
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = unsafe read(number, &bytes, limit)
    return count > 0 ? Array(bytes[..<count]) : []
}
