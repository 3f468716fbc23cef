// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

struct JWTCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jwt", abstract: "Prints a token of this host, which is a secret while it holds.",
        discussion:
            "P0's kind, unless --audience names a Daypass server: then one that holds for five minutes.")

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("The folder of the host's key.", valueName: "folder")) var keyPath: String?
    @Option(
        help: ArgumentHelp("The client id; by default of organization and host.", valueName: "org:host:ssh"))
    var clientID: String?
    @Option(help: ArgumentHelp("The organization's identifier.", valueName: "name")) var orgID: String?
    @Option(help: ArgumentHelp("The host's identifier.", valueName: "name")) var hostID: String?
    @Option(help: ArgumentHelp("The tunnel's identifier, in P0's kind.", valueName: "name"))
    var tunnelID = "my-tunnel-id"
    @Option(help: ArgumentHelp("How long P0's kind holds: 168h, 7d.", valueName: "time")) var expiration =
        "168h"
    @Option(help: ArgumentHelp("The Daypass server that the token is for.", valueName: "https://…"))
    var audience: String?

    func run() throws {
        var layer = SettingLayer()
        layer.set(.keyFolder, keyPath.map(absolutePath))
        layer.set(.organisation, orgID)
        layer.set(.host, hostID)
        layer.set(.clientID, clientID)
        let settings = try configuration.load(layer)
        let (key, subject) = (try KeyFolder(try settings.keyFolder()).load(), try settings.clientIdentity())
        if let audience {
            let origin = try TunnelURL(audience).origin
            var random = SystemRandomNumberGenerator()
            Terminal.say(
                try HostToken.sign(
                    subject: subject, audience: origin, tokenID: HostToken.tokenID(using: &random),
                    now: unixTimeNow(), by: key))
        } else {
            Terminal.say(
                try HostToken.signP0(
                    subject: subject, tunnelID: tunnelID, lifetimeSeconds: try parseSeconds(expiration),
                    now: unixTimeNow(), by: key))
        }
    }
}
