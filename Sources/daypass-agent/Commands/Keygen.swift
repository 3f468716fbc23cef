// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen", abstract: "Makes the key by which this host is known to its control plane.",
        discussion: """
            ECDSA on P-384, for ES384 tokens: jwk.private.json, mode 0600 from its first byte on, and jwk.public.json. \
            The public half is printed, to be registered.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(
        help: ArgumentHelp(
            "The folder to write to; the configuration's, or \(AgentConfiguration.defaultKeyFolder).",
            valueName: "folder"))
    var keyPath: String?
    @Option(help: .hidden) var path: String?
    @Flag(help: "Gives an existing key up; the server must be told the new one.")
    var force = false

    func run() throws {
        var layer = SettingLayer()
        layer.set(.keyFolder, (keyPath ?? path).map(absolutePath))
        let folder = KeyFolder(try configuration.load(layer).keyFolder())
        let key = try folder.generate(replacing: force)
        Terminal.note("key \(key.publicKey.thumbprint) in \(folder.path.escapedForTerminal)")
        Terminal.say(key.publicKey.fileText)
    }
}
