// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Answers sshd's `AuthorizedPrincipalsCommand`: the account's principals, unless the agent knows the certificate as bad.
///
/// Both arguments come from whoever connects. Nothing of them is printed: what is, stands in a file of root's.
enum Authorize {
    /// An argument of Linux ends at 128 KiB (MAX_ARG_STRLEN), so no certificate here is longer.
    private static let maximumCertificateBytes = 128 << 10
    /// "deny", NUL, a reason and NUL.
    private static let maximumAnswerBytes = 512

    static func run(_ arguments: [String]) -> Int32 {
        // The last two are never taken for options.
        guard arguments.count >= 2,
            let options = Options(
                arguments.dropLast(2), flags: ["--socket", "--principals", "--timeout"],
                socket: "/run/daypass-authorize/socket")
        else { return failed(64, "authorize: options, an account and a certificate expected; see --help") }
        let (account, certificate) = (arguments[arguments.count - 2], arguments[arguments.count - 1])
        guard getuid() != 0, geteuid() != 0 else {
            return failed(
                1, "authorize: this runs as root; AuthorizedPrincipalsCommandUser names an account of its own"
            )
        }
        // sshd 6.2 to 8.7 leaves its own groups to the command (CVE-2021-41617).
        guard OwnGroups.dropOthers() else {
            return failed(
                1,
                "authorize: this runs with groups that its account has not, which sshd before 8.8 leaves to it"
            )
        }
        guard isAccount(account) else { return failed(1, "authorize: no account's name") }
        guard isBase64(certificate) else { return failed(1, "authorize: no certificate in base64") }
        let (folder, name) = (options.principals, account)

        let request = Array("daypass-authorize=1\0user=\(account)\0certificate=\(certificate)\0".utf8)
        let answer = Exchange.ask(
            options.socket, request, milliseconds: options.milliseconds, room: maximumAnswerBytes)
        switch answer {
        case .success(Array("allow\0".utf8)): break
        case .success(let bytes) where bytes.starts(with: Array("deny\0".utf8)):
            // The agent's log has the reason.
            return failed(3, "authorize: the agent knows this certificate as bad")
        case .success:
            say(LOG_WARNING, "authorize: the agent's answer makes no sense; the file alone decides")
        case .failure(let error):
            say(LOG_WARNING, "authorize: no agent (\(error.text)); the file alone decides")
        }
        guard let principals = PrincipalsFile.read(folder, name) else { return 1 }
        return unsafe write(STDOUT_FILENO, principals, principals.count) == principals.count ? 0 : 1
    }

    /// As `daypass-agent principals` takes them: no path, no option, nothing that a terminal or a shell acts on.
    private static func isAccount(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let name = bytes.last == UInt8(ascii: "$") ? bytes.dropLast() : bytes[...]
        guard let first = name.first, isWord(first) || first == UInt8(ascii: "_") else { return false }
        return bytes.count <= 255 && name.allSatisfy { isWord($0) || "._-@+".utf8.contains($0) }
    }

    private static func isBase64(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return (1...maximumCertificateBytes).contains(bytes.count)
            && bytes.allSatisfy { isWord($0) || "+/=".utf8.contains($0) }
    }

    private static func failed(_ status: Int32, _ text: String) -> Int32 {
        say(LOG_ERR, text)
        return status
    }
}

/// True for letters and digits of ASCII.
func isWord(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}
