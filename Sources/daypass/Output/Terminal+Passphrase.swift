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
import CertAuthorityStore
import CommandSupport
import SSHWire

extension Terminal {
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
