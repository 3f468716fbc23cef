// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where the CA is.
struct HomeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The CA's folder (default: $DAYPASS_HOME, else ~/.daypass).", valueName: "DIR"))
    var home: String?

    /// The folder that was asked for, by option, environment or default.
    var folder: CAFolder {
        get throws {
            if let home {
                guard !home.isEmpty else { throw Failure(ExitStatus.usage, "--home: an empty path") }
                return CAFolder(home)
            }
            if let path = environment("DAYPASS_HOME"), !path.isEmpty { return CAFolder(path) }
            guard let path = environment("HOME"), !path.isEmpty else {
                throw Failure(
                    ExitStatus.usage, "neither --home nor DAYPASS_HOME nor HOME is set",
                    hint: "use --home DIR")
            }
            return CAFolder(path + "/.daypass")
        }
    }
}

extension CAHome {
    /// Opens the folder that was asked for.
    init(_ options: HomeOptions) throws { try self.init(options.folder) }

    /// The private keys of `roles`, by the passphrase that the options say where to get.
    func unlock(_ roles: [AuthorityRole], _ passphrase: PassphraseOptions) throws -> Keyring {
        try unlock(roles) { try passphrase.obtain(prompt: $0) }
    }
}

/// Text for people or JSON for programs.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
}

struct FormatOptions: ParsableArguments {
    @Option(help: ArgumentHelp("text for people, json for programs (stable).", valueName: "text|json"))
    var format: OutputFormat = .text
}

/// An environment variable's value.
func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

/// Milliseconds since 1970.
@Sendable func millisecondsNow() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    let seconds = UInt64(clamping: time.tv_sec)
    return seconds &* 1_000 &+ UInt64(clamping: time.tv_nsec / 1_000_000)
}

/// The current second.
func unixTimeNow() -> UnixTime { UnixTime(seconds: millisecondsNow() / 1_000) }

/// Who runs this: the account's name, else its number.
func localRequester() throws -> Identity {
    let number = getuid()
    if let entry = unsafe getpwuid(number), let name = unsafe entry.pointee.pw_name {
        if let identity = try? Identity("local:\(unsafe String(cString: name))", field: "account") {
            return identity
        }
    }
    return try Identity("local:uid=\(number)", field: "account")
}
