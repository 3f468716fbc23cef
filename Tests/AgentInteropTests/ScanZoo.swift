// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TestSupport

/// A host with authorized_keys of every kind that people leave behind, in a folder: accounts, homes, an sshd_config.
///
/// `expected` is made by hand beside each file: what a scan must find, and nothing else.
struct ScanZoo {
    /// A key that a scan must find.
    struct Expected: Hashable, Comparable, CustomStringConvertible {
        var account: String
        var file: String
        var line: Int64
        var fingerprint: String
        var description: String { "\(account) \(file):\(line) \(fingerprint)" }
        static func < (one: Self, other: Self) -> Bool { one.description < other.description }
    }

    let folder: TemporaryFolder
    private(set) var expected: Set<Expected> = []
    /// Files that must be complained about, by account.
    private(set) var unreadableFiles: Set<String> = []
    /// Lines that must be named as no keys: "account file:line".
    private(set) var junkLines: Set<String> = []
    private var passwd = ""
    private var group = "root:x:0:\nnogroup:x:65534:\nsshd:x:60999:\n"
    private var shadow = ""
    private var nextID = 61_000

    init() throws {
        folder = try TemporaryFolder()
        try folder.setMode(0o755, of: ".")
        for name in ["homes", "keys", "special", "ids"] { try folder.makeFolder(name, mode: 0o755) }
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", folder.path("host_key")]).orThrow(
            "key")
        passwd = "sshd:x:60999:60999::/run/sshd:/usr/sbin/nologin\n"
        shadow = "sshd:*:20000:0:99999:7:::\n"
        try folder.write(
            """
            HostKey \(folder.path("host_key"))
            AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 \(folder.path("keys"))/%u \
            \(folder.path("ids"))/%U-100%%
            TrustedUserCAKeys \(folder.path("user_ca"))
            AuthorizedPrincipalsFile \(folder.path("principals"))/%u
            PermitRootLogin forced-commands-only
            PasswordAuthentication yes
            KbdInteractiveAuthentication no
            Match User elsewhere
                AuthorizedKeysFile \(folder.path("special"))/%u.%u %h/other/keys
            Match User keyless
                AuthorizedKeysFile none
                PasswordAuthentication no
            """, to: "sshd_config")
        try folder.makeFolder("principals", mode: 0o755)
        try folder.write("\(PublicKey.sample(.ed25519, 250).text) ca\n", to: "user_ca", mode: 0o644)
    }

    /// Adds an account and its home; a password is "set" for names that end in "-pw".
    @discardableResult
    mutating func account(_ name: String, id: Int? = nil, password: String = "*") throws -> Int {
        let id = id ?? nextID
        nextID += 1
        let home = try folder.makeFolder("homes/\(name)", mode: 0o755)
        try folder.makeFolder("homes/\(name)/.ssh")
        passwd += "\(name):x:\(id):\(id)::\(home):/bin/sh\n"
        if id != 0 { group += "\(name):x:\(id):\n" }
        shadow += "\(name):\(password):20000:0:99999:7:::\n"
        return id
    }

    /// Writes a file below the folder and notes the keys that it holds by their lines.
    mutating func file(
        _ account: String, _ name: String, _ content: [UInt8], keys: [(line: Int64, key: String)],
        junk: [Int] = [], mode: UInt32 = 0o600
    ) throws {
        try folder.write(content, to: name, mode: mode)
        expect(account, name, keys)
        for line in junk { junkLines.insert("\(account) \(folder.path(name)):\(line)") }
    }

    mutating func expect(_ account: String, _ name: String, _ keys: [(line: Int64, key: String)]) {
        for key in keys {
            expected.insert(
                Expected(account: account, file: folder.path(name), line: key.line, fingerprint: key.key))
        }
    }

    mutating func expectRefusal(_ account: String) { unreadableFiles.insert(account) }

    /// Gives homes to their accounts, and writes the account files.
    func finish() throws {
        for line in passwd.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields[5].hasPrefix(folder.path) else { continue }
            try Tool.run("chown", ["-R", "-h", "\(fields[2]):\(fields[3])", String(fields[5])]).orThrow(
                "chown")
        }
        try folder.write(passwd, to: "passwd", mode: 0o644)
        try folder.write(group, to: "group", mode: 0o644)
        try folder.write(shadow, to: "shadow", mode: 0o600)
    }

    /// Runs the built program in a mount namespace of its own, where the account files are the zoo's.
    func scan(_ arguments: [String]) throws -> ToolResult {
        try Tool.run(
            "unshare",
            [
                "-m", "sh", "-c",
                """
                set -e
                mount --bind "$1" /etc/passwd
                mount --bind "$2" /etc/group
                mount --bind "$3" /etc/shadow
                shift 3
                exec "$@"
                """, "sh", folder.path("passwd"), folder.path("group"), folder.path("shadow"),
                try BuiltProduct.path("daypass-agent"), "scan", "--sshd-config", folder.path("sshd_config"),
                "--sshd-binary", try Tool.find("sshd"),
            ] + arguments)
    }
}

extension PublicKey {
    /// A key of a type that nobody holds the private half of, another one for each number.
    static func sample(_ type: KeyType, _ number: UInt8, bits: Int = 3_072) -> PublicKey {
        let bytes = (0..<32).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) ^ number }
        // Tests' own data: a mistake in it may end them.
        do {
            switch type {
            case .rsa:
                var modulus = (0..<bits / 8).map { UInt8(truncatingIfNeeded: $0 * 31) ^ number }
                modulus[0] |= 0x80
                modulus[modulus.count - 1] |= 1
                return try PublicKey(.rsa(modulus: modulus, exponent: [1, 0, 1]))
            case .skEd25519: return try PublicKey(.skEd25519(bytes, application: "ssh:"))
            default: return try PublicKey(.ed25519(bytes))
            }
        } catch {
            fatalError("\(error)")
        }
    }
}
