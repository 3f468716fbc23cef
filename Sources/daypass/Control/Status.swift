// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show who you are, what you hold, and what you may reach.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let state = try ClientState()
        let server = try state.server()
        let session = try state.openSession()
        let info = try SessionInfo(json: try await state.ask("GET", "/v1/session"))
        let reachable = try await state.list("/v1/access").map { try HostInfo(json: $0) }
        let now = unixTimeNow().seconds
        let held = Identities(state).all().map(\.certificate)
        if format.format == .json {
            Terminal.say(
                JSONValue.object([
                    .init("server", .string(server.address.url)), .init("session", info.json),
                    .init(
                        "certificates",
                        .array(
                            held.map { certificate in
                                .object([
                                    .init("keyID", .string(certificate.fields.keyID.string)),
                                    .init(
                                        "principals",
                                        .array(certificate.fields.principals.map { .string($0.string) })),
                                    .init(
                                        "validBefore",
                                        .number(Int64(clamping: certificate.fields.validBefore.seconds))),
                                ])
                            })),
                    .init("hosts", .array(reachable.map(\.json))),
                ]).text)
            return
        }
        let left = UInt64(max(info.expires - Int64(clamping: now), 0))
        Terminal.say("\(info.identity.escapedForTerminal) at \(server.address)")
        Terminal.say(
            "  session \(info.id.prefix(8)), \(spell(left)) left, key \(session.key.publicKey.fingerprint)")
        if !info.groups.isEmpty {
            Terminal.say("  groups \(info.groups.map(\.escapedForTerminal).joined(separator: ", "))")
        }
        if info.isAdministrator { Terminal.say("  administrator") }
        let rows = held.filter { now < $0.fields.validBefore.seconds }.map { certificate in
            [
                certificate.fields.principals.map(\.string.escapedForTerminal).joined(separator: ","),
                spell(certificate.fields.validBefore.seconds - now),
                certificate.fields.keyID.string.escapedForTerminal,
            ]
        }
        if !rows.isEmpty {
            Terminal.say("")
            Table(["CERTIFICATE FOR", "LEFT", "KEY ID"], rows).print()
        }
        Terminal.say("")
        guard !reachable.isEmpty else { return Terminal.say("there is no host that you may reach") }
        let hosts = reachable.map { host in
            [
                host.id.escapedForTerminal, host.names.map(\.escapedForTerminal).joined(separator: ","),
                ((host.logins ?? []) + (host.loginsOnApproval ?? []).map { "\($0) (on approval)" })
                    .map(\.escapedForTerminal).joined(separator: ", "),
            ]
        }
        Table(["HOST", "NAMES", "LOGINS"], hosts).print()
    }
}
