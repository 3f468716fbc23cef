// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

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
    init(_ options: HomeOptions) throws {
        do {
            try self.init(options.folder)
        } catch let error as CertAuthorityError where error.code == .notFound && options.home == nil {
            // The folder that is meant without --home is made without it too.
            throw CertAuthorityError(.notFound, error.reason, hint: "make one with: daypass ca init")
        }
    }

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

/// The account that runs this, as the log names it.
func localRequester() throws -> Identity { try Identity.localAccount }
