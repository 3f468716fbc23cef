// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// `daypass-session authorize` as sshd's `AuthorizedPrincipalsCommand`: prints the same principals, unless the agent
/// knows the certificate as bad.
public struct OnlineCheck: Sendable, Hashable {
    /// The absolute path of `daypass-session`; sshd runs it only where root alone may write.
    public let program: String
    /// The account that it runs as, which has no other use.
    public let account: AccountName

    /// - Throws: `.invalidRequest` for a path that sshd_config(5) would need quotes for, and for root.
    public init(program: String, account: AccountName) throws(AgentError) {
        try checkPath(program, "program")
        guard account.text != "root" else {
            throw AgentError(
                .invalidRequest, "the online check does not run as root",
                hint: "make an account for it: packaging/sysusers/daypass.conf")
        }
        self.program = program
        self.account = account
    }

    /// The command with sshd's tokens. Places are named only where they are not those that the program looks at anyhow.
    func command(_ layout: HostLayout) -> String {
        let usual = HostLayout()
        var words = [program, "authorize"]
        if layout.authorizeSocket != usual.authorizeSocket { words += ["--socket", layout.authorizeSocket] }
        if layout.principals != usual.principals { words += ["--principals", layout.principals] }
        return (words + ["%u", "%k"]).joined(separator: " ")
    }

    // MARK: What the program prints

    /// True for a principal that the program prints to sshd: options, quotes and patterns would be sshd's to interpret.
    static func prints(_ principal: some Sequence<UInt8>) -> Bool {
        var count = 0
        for byte in principal {
            count += 1
            let isWord =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            guard isWord || "._-@+=/:$".utf8.contains(byte) else { return false }
        }
        return (1...255).contains(count)
    }

    /// The numbers of a principals file's lines that the program leaves out, though sshd itself would read them.
    static func unprintedLines(of content: [UInt8]) -> [Int] {
        var numbers: [Int] = []
        for (index, line) in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
            let text = line.drop(while: isBlank)
            guard let first = text.first, first != UInt8(ascii: "#"),
                let last = text.lastIndex(where: { !isBlank($0) })
            else { continue }
            if !prints(text[...last]) { numbers.append(index + 1) }
        }
        return numbers
    }

    // MARK: What sshd runs

    /// Why sshd would not run a program as its command: every link in its path followed, it and each folder above it
    /// must be root's, and nobody else may write to it (misc.c, `safe_path`). nil when nothing is wrong.
    static func problem(ofProgram path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else {
            return errno == ENOENT || errno == ENOTDIR ? "it is not there" : "it cannot be found"
        }
        defer { unsafe free(resolved) }
        var place = unsafe String(cString: resolved)
        var status = stat()
        guard unsafe stat(place, &status) == 0 else { return "it is not there" }
        guard status.st_mode & S_IFMT == S_IFREG else { return "it is no file" }
        guard status.st_mode & 0o111 != 0 else { return "it may not be executed" }
        while true {
            guard unsafe stat(place, &status) == 0 else { return "\(place.escapedForTerminal) is not there" }
            guard status.st_uid == 0, status.st_mode & 0o022 == 0 else {
                return
                    "\(place.escapedForTerminal) is not root's alone to write, and sshd runs no such program"
            }
            guard place != "/", let slash = place.lastIndex(of: "/") else { return nil }
            place = slash == place.startIndex ? "/" : String(place[..<slash])
        }
    }

    /// Looks whether sshd would run the program.
    ///
    /// - Throws: `.notFound`, `.unsafeFile` with what is wrong with it.
    public func checkProgram() throws(AgentError) {
        guard let problem = Self.problem(ofProgram: program) else { return }
        throw AgentError(
            problem == "it is not there" ? .notFound : .unsafeFile,
            "the program of the online check, \(program.escapedForTerminal): \(problem)",
            hint: "--session-program names daypass-session")
    }
}
