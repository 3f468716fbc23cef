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
            The public half is printed, to be registered. With --rotate, a host that has joined gets another key: its control \
            plane takes it by the word of the one before, which opens nothing from then on. Broken off, it is said again.
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
    @Flag(help: "Has the control plane take a new key in the place of this host's.")
    var rotate = false

    func validate() throws {
        guard !rotate || !force else { throw ValidationError("one of --force and --rotate") }
        guard !rotate || keyPath ?? path == nil else {
            throw ValidationError("--rotate: the configuration says where the key is")
        }
    }

    func run() throws {
        guard !rotate else { return try change() }
        var layer = SettingLayer()
        layer.set(.keyFolder, (keyPath ?? path).map(absolutePath))
        let folder = KeyFolder(try configuration.load(layer).keyFolder())
        let key = try folder.generate(replacing: force)
        Terminal.note("key \(key.publicKey.thumbprint) in \(folder.path.escapedForTerminal)")
        Terminal.say(key.publicKey.fileText)
    }

    private func change() throws {
        let settings = try configuration.load()
        let folder = KeyFolder(try settings.keyFolder())
        let tunnel = try settings.tunnelSettings(machine: hostName())
        guard tunnel.dialect == .daypass else {
            throw Failure("the control plane speaks P0's protocol, in which a host's key does not change")
        }
        // On disk before the server hears of it: whatever dies, one of the two keys is the server's and here.
        let next = try folder.prepareNext()
        let exchange = try HTTPExchange(
            TunnelURL("\(tunnel.url.origin)/v1/hosts/key"), trust: tunnel.trust, proxies: tunnel.proxies,
            userAgent: "daypass-agent/\(agentVersion)",
            allowingInsecureTransport: try settings.allowsInsecureTransport())
        func ask(by key: HostKey) throws -> HTTPExchange.Response {
            let change = HostKeyChange(key: next.publicKey, proof: try token(tunnel, next))
            return try exchange.post(change.json, bearer: try token(tunnel, key))
        }
        var response = try ask(by: tunnel.key)
        // It may have been taken before, and nobody have heard so.
        if response.status == 401 { response = try ask(by: next) }
        guard response.status == 200 else {
            throw Failure(
                "\(tunnel.url.origin): \(response.refusal)", hint: "the key is as it was; say it again later")
        }
        try folder.adoptNext()
        Terminal.note("key \(next.publicKey.thumbprint) in \(folder.path.escapedForTerminal)")
        Terminal.say(next.publicKey.fileText)
    }

    private func token(_ tunnel: TunnelSettings, _ key: HostKey) throws -> String {
        var random = SystemRandomNumberGenerator()
        return try HostToken.sign(
            subject: tunnel.clientID, audience: tunnel.url.origin,
            tokenID: HostToken.tokenID(using: &random), now: unixTimeNow(), by: key)
    }
}
