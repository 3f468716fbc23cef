// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import SSHWire

// Rules of what our programs say:
// - Results go to standard output; everything else goes to standard error.
// - Errors, warnings and hints are lines of their own: lower case, no full stop, the kind before a colon.
// - Text that came from a certificate, a file name or a log is escaped before a terminal sees it.
// - Colour and progress only where a person watches: never in a pipe, and no colour when NO_COLOR is set.
// - A passphrase is asked for on the terminal itself, never read from a pipe by accident.
public enum Terminal {
    /// Writes a line of result.
    public static func say(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// Writes result bytes as they are.
    public static func write(_ bytes: [UInt8]) {
        if !writeAll(bytes, to: STDOUT_FILENO) { failOnOutput(errno) }
    }

    /// Writes a line about what is going on.
    public static func note(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// Writes an `error:`, `warning:` or `hint:` line.
    public static func complain(_ kind: String, _ text: String) {
        let colour = kind == "error" ? "31" : kind == "warning" ? "33" : "36"
        write("\(paint(kind + ":", colour, STDERR_FILENO)) \(text)\n", to: STDERR_FILENO)
    }

    /// The text in a colour (SGR code) where that can be seen.
    public static func paint(_ text: String, _ colour: String, _ descriptor: Int32 = 1) -> String {
        isWatched(descriptor) && !hasVariable("NO_COLOR") ? "\u{1b}[\(colour)m\(text)\u{1b}[0m" : text
    }

    /// True when a person sees what is written there.
    public static func isWatched(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// True for a variable with content: an empty one counts as none (no-color.org).
    private static func hasVariable(_ name: String) -> Bool {
        guard let value = unsafe getenv(name) else { return false }
        return unsafe value.pointee != 0
    }

    /// Writes text to a descriptor that is a terminal, standard output or standard error.
    public static func write(_ text: String, to descriptor: Int32) {
        if !writeAll(Array(text.utf8), to: descriptor), descriptor == STDOUT_FILENO { failOnOutput(errno) }
    }

    private static func failOnOutput(_ number: Int32) -> Never {
        // Whoever closed the pipe (head, a pager) has seen enough, and knows.
        if number != EPIPE {
            let words = unsafe String(cString: strerror(number)).lowercased()
            complain("error", "cannot write to standard output: \(words)")
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
}
