// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import SSHWire

struct IdentitiesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identities",
        abstract: "See which account of an identity provider has which identity (administrators).",
        subcommands: [IdentitiesList.self, IdentitiesFree.self])
}

struct IdentitiesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List identities and the accounts that they belong to.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let items = try await ClientState().list("/v1/identities")
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        let bindings = try items.map { try IdentityBindingInfo(json: $0) }
        Table(
            ["IDENTITY", "PROVIDER", "ACCOUNT", "SINCE"],
            bindings.map { binding in
                [
                    binding.identity.escapedForTerminal, binding.provider.escapedForTerminal,
                    binding.subject.escapedForTerminal,
                    "\(UnixTime(seconds: UInt64(clamping: binding.firstSeen)))",
                ]
            }
        ).print()
    }
}

struct IdentitiesFree: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "free",
        abstract: "Let the next account that comes with an identity have it.",
        discussion: """
            For an address that went to another person, or a person who has a new account. Sessions of the account that \
            had it end. Make sure first that whoever comes next may be known by this name.
            """)

    @Argument(help: ArgumentHelp("For example alice@example.com.", valueName: "IDENTITY"))
    var identity: String

    func run() async throws {
        let name = try Identity(identity)
        let query = name.text.string.utf8.map { byte in
            Self.isUnreserved(byte) ? String(UnicodeScalar(byte)) : "%" + hexadecimal([byte]).uppercased()
        }.joined()
        try await ClientState().ask("DELETE", "/v1/identities?identity=\(query)")
        Terminal.say("\(identity.escapedForTerminal) belongs to whoever comes with it next")
    }

    /// What a query takes as it is (RFC 3986, section 2.3).
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "-._~".utf8.contains(byte)
    }
}
