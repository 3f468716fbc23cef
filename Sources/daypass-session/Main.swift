// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Tells the agent about a session, for pam_exec(8); or answers sshd's `AuthorizedPrincipalsCommand`.
///
/// sshd waits for this program at every login: it has no dependency but the C library, reads what it needs and ends.
/// Exit codes: 0 done, 1 failed, 3 the answer is no, 64 wrong arguments.
@main
struct DaypassSession {
    static func main() {
        // A file at its size limit is an error of write(2).
        _ = signal(SIGXFSZ, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "--version": print("0.1.0")
        case "--help", "-h": print(usage)
        case "authorize": exit(Authorize.run(Array(arguments.dropFirst())))
        default: exit(SessionHook.run(arguments))
        }
    }

    static let usage = """
        USAGE: daypass-session [--socket PATH] [--spool FOLDER] [--timeout MS] [--enforce]
               daypass-session authorize [--socket PATH] [--principals FOLDER] [--timeout MS] ACCOUNT CERTIFICATE

        The first form is for PAM, which says in the environment what happened:
          session optional pam_exec.so type=open_session /usr/local/libexec/daypass/daypass-session
          session optional pam_exec.so type=close_session /usr/local/libexec/daypass/daypass-session
        The second is for sshd:
          AuthorizedPrincipalsCommand /usr/local/libexec/daypass/daypass-session authorize %u %k

        Exit codes: 0 done, 1 failed, 3 the answer is no, 64 wrong arguments.
        """
}
