// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import CertAuthority
import SSHWire

// Rules of what daypass says:
// - Results go to standard output; everything else goes to standard error.
// - Errors, warnings and hints are lines of their own: lower case, no full stop, the kind before a colon.
// - Text that came from a certificate, a file name or a log is escaped before a terminal sees it.
// - Colour and progress only where a person watches: never in a pipe, and no colour when NO_COLOR is set.
// - A passphrase is asked for on the terminal itself, never read from a pipe by accident.
enum Terminal {
    /// Writes a line of result.
    static func say(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// Writes result bytes as they are.
    static func write(_ bytes: [UInt8]) {
        if !writeAll(bytes, to: STDOUT_FILENO) { failOnOutput(errno) }
    }

    /// Writes a line about what is going on.
    static func note(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// Writes an `error:`, `warning:` or `hint:` line.
    static func complain(_ kind: String, _ text: String) {
        let colour = kind == "error" ? "31" : kind == "warning" ? "33" : "36"
        write("\(paint(kind + ":", colour, STDERR_FILENO)) \(text)\n", to: STDERR_FILENO)
    }

    /// The text in a colour (SGR code) where that can be seen.
    static func paint(_ text: String, _ colour: String, _ descriptor: Int32 = STDOUT_FILENO) -> String {
        isWatched(descriptor) && !hasVariable("NO_COLOR") ? "\u{1b}[\(colour)m\(text)\u{1b}[0m" : text
    }

    /// True when a person sees what is written there.
    static func isWatched(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// True for a variable with content: an empty one counts as none (no-color.org).
    private static func hasVariable(_ name: String) -> Bool {
        guard let value = unsafe getenv(name) else { return false }
        return unsafe value.pointee != 0
    }

    private static func write(_ text: String, to descriptor: Int32) {
        if !writeAll(Array(text.utf8), to: descriptor), descriptor == STDOUT_FILENO { failOnOutput(errno) }
    }

    private static func failOnOutput(_ number: Int32) -> Never {
        // Whoever closed the pipe (head, a pager) has seen enough, and knows.
        if number != EPIPE {
            complain("error", "cannot write to standard output: \(describeSystemError(number))")
        }
        exit(ExitStatus.failed)
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { buffer in
                #if canImport(Darwin)
                    unsafe Darwin.write(descriptor, buffer.baseAddress, buffer.count)
                #else
                    unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count)
                #endif
            }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return false }
        }
        return true
    }

    /// Asks for a passphrase without showing it.
    ///
    /// - Throws: when there is no terminal to ask on, or the passphrase is empty or over 1,024 bytes.
    static func askPassphrase(_ prompt: String) throws -> SecretBytes {
        let descriptor = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure("no terminal to ask for a passphrase on", hint: "use --passphrase-file FILE")
        }
        defer { close(descriptor) }
        var original = termios()
        guard unsafe tcgetattr(descriptor, &original) == 0 else {
            throw Failure("cannot ask for a passphrase: \(describeSystemError(errno))")
        }
        var quiet = original
        quiet.c_lflag &= ~tcflag_t(ECHO)
        // The key that interrupts ends the line instead: the signal would end this process while the terminal is quiet.
        quiet.c_lflag &= ~tcflag_t(ISIG)
        let interrupt = unsafe withUnsafeMutableBytes(of: &quiet.c_cc) { keys in
            unsafe keys[Int(VEOL)] = unsafe keys[Int(VINTR)]
            return unsafe keys[Int(VINTR)]
        }
        // Before the prompt: who answers at once is neither seen nor lost.
        guard unsafe tcsetattr(descriptor, TCSAFLUSH, &quiet) == 0 else {
            throw Failure("cannot ask for a passphrase: \(describeSystemError(errno))")
        }
        write(prompt, to: descriptor)
        let answer = Result { try Passphrase.readLine(from: descriptor, interrupt: interrupt) }
        unsafe tcsetattr(descriptor, TCSAFLUSH, &original)
        write("\n", to: descriptor)
        guard let passphrase = try answer.get() else {
            // The threads of Swift's runtime have all signals blocked.
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe sigaddset(&signals, SIGINT)
            unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            raise(SIGINT)
            // Where the signal is ignored.
            throw Failure("interrupted")
        }
        return passphrase
    }
}
