// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import Glibc
import SSHWire

struct RegisterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Makes this host known to a control plane.",
        discussion: """
            With --server, it joins a Daypass control plane by a one-time token, and writes the configuration. With --url \
            and --auth, it registers with P0's backend, or with a control plane as P0's agent does, and does the same. With \
            neither, it prints the request; an administrator hands it in by daypass hosts enroll, and what that answers in \
            JSON is taken by --answer.

            The host's key is made if there is none; its private half stays here. What the server names as the fleet's root \
            and as the signer of revocation lists is pinned: from then on no answer of a server's changes it. With \
            --fleet-root, only what an administrator says is pinned.
            """)

    enum Form: String, ExpressibleByArgument, CaseIterable { case json, yaml }

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("The Daypass control plane to join.", valueName: "https://…")) var server:
        String?
    @Option(
        help: ArgumentHelp(
            "The certificate that the control plane is known by; without it the system's roots decide.",
            valueName: "SHA256:…"))
    var fingerprint: String?
    @Option(help: ArgumentHelp("The file of the one-time token; - is standard input.", valueName: "file"))
    var joinTokenFile: String?
    @Option(
        help: ArgumentHelp(
            "The fleet's root, by its fingerprint or public key file; a server that names another one is refused.",
            valueName: "SHA256:…|file"))
    var fleetRoot: String?
    @Option(help: ArgumentHelp("P0's registration URL.", valueName: "https://…")) var url: String?
    @Option(
        help: ArgumentHelp(
            "P0's token. Everybody on this machine can read it: --auth-file is better.", valueName: "token"))
    var auth: String?
    @Option(help: ArgumentHelp("The file of P0's token; - is standard input.", valueName: "file"))
    var authFile: String?
    @Option(help: ArgumentHelp("How the request is printed.", valueName: "json|yaml")) var output = Form.json
    @Option(
        help: ArgumentHelp(
            "What daypass hosts enroll answered to the printed request; - is standard input.",
            valueName: "file"))
    var answer: String?
    @Option(name: .customLong("hostname"), help: ArgumentHelp("This host's name.", valueName: "name"))
    var name: String?
    @Option(
        name: .customLong("label"), parsing: .singleValue,
        help: ArgumentHelp("A label of the host; may be repeated.", valueName: "key=value"))
    var labels: [String] = []
    @Option(help: ArgumentHelp("The address at which people reach the host.", valueName: "address"))
    var publicIP = ""
    @Option(help: ArgumentHelp("The folder of the host's key.", valueName: "folder")) var keyPath: String?
    @Option(help: ArgumentHelp("Where sshd's public host keys are.", valueName: "folder")) var hostKeys =
        "/etc/ssh"
    @Option(help: ArgumentHelp("Where keys go that this host is to trust.", valueName: "folder"))
    var configFolder =
        "/etc/daypass"
    @Flag(help: "Replaces a configuration that is there.") var force = false
    @Flag(help: "Allows http:// to other machines.") var insecureTransport = false
    // Taken so that P0's instructions work: we are root, and the unit is the package's.
    @Flag(help: .hidden) var allowRoot = false
    @Option(help: .hidden) var serviceName = "p0-ssh-agent"

    func validate() throws {
        guard [server, url, answer].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("one of --server, --url and --answer")
        }
        guard (server == nil) == (joinTokenFile == nil) else {
            throw ValidationError("--server and --join-token-file belong together")
        }
        guard fleetRoot == nil || server != nil || answer != nil else {
            throw ValidationError("--fleet-root goes with --server or --answer")
        }
        guard url == nil || (auth == nil) != (authFile == nil) else {
            throw ValidationError("--url: one of --auth and --auth-file expected")
        }
        for label in labels {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !label.holdsControlCharacters else {
                throw ValidationError("--label \(label.escapedForTerminal): key=value expected")
            }
        }
    }

    func run() throws {
        var layer = SettingLayer()
        layer.set(.hostName, name)
        layer.set(.keyFolder, keyPath.map(absolutePath))
        layer.set(.labels, labels.isEmpty ? nil : labels)
        layer.set(.fingerprint, fingerprint)
        layer.set(.insecureTransport, insecureTransport ? "true" : nil)
        let settings = try configuration.load(layer, mayBeMissing: true)
        let isConfigured = server != nil || url != nil || answer != nil
        if isConfigured, !force, try SystemFiles().kind(configuration.path) != nil {
            throw Failure(
                "\(configuration.path.escapedForTerminal): there is a configuration already",
                hint: "--force replaces it; --config names another file")
        }
        let folder = KeyFolder(try settings.keyFolder())
        // What was answered is about a key that is there.
        let key =
            try answer == nil && SystemFiles().kind(folder.privatePath) == nil
            ? folder.generate(replacing: false) : folder.load()
        var registration = try HostRegistration(
            hostName: try settings.hostName() ?? hostName(), key: key.publicKey,
            labels: try settings.labels(),
            hostKeyFolder: hostKeys)
        registration.publicAddress = publicIP
        guard isConfigured else { return try show(registration, settings) }
        let told =
            try answer.map { try RegistrationAnswer(joined: try input($0, "answer")) }
            ?? post(registration, settings)
        try write(told, registration, settings, folder)
    }

    /// Prints the request, as P0's agent of the seed did.
    private func show(_ registration: HostRegistration, _ settings: AgentConfiguration) throws {
        guard case .object(var members) = registration.value(at: unixTimeNow()) else { return }
        members.append(.init("environmentId", .string(try settings.environmentID())))
        // What the agent calls itself, where that is settled: the server must know it by the same name.
        for (name, value) in try settings.statedIdentity() {
            members.append(.init(name, .string(value)))
        }
        switch output {
        case .json:
            Terminal.say(
                "{\n"
                    + members.map { "  \(JSONValue.string($0.name).text): \($0.value.text)" }.joined(
                        separator: ",\n") + "\n}")
        // JSON's values are YAML's too.
        case .yaml: for member in members { Terminal.say("\(member.name): \(member.value.text)") }
        }
    }

    private func post(_ registration: HostRegistration, _ settings: AgentConfiguration) throws
        -> RegistrationAnswer
    {
        let target =
            server.map { $0.hasSuffix("/") ? "\($0)v1/hosts/join" : "\($0)/v1/hosts/join" } ?? url ?? ""
        let address: TunnelURL
        do {
            address = try TunnelURL(target)
        } catch {
            throw Failure(ExitStatus.usage, error.reason)
        }
        let exchange = try HTTPExchange(
            address, trust: try settings.trust(), proxies: try ProxySettings(environment),
            userAgent: "daypass-agent/\(agentVersion)",
            allowingInsecureTransport: try settings.allowsInsecureTransport())
        configuration.debug("POST \(address)")
        let response: HTTPExchange.Response
        if let joinTokenFile {
            response = try exchange.post(registration.joinBody(token: try secret(joinTokenFile)))
        } else {
            let token = try auth ?? secret(authFile ?? "")
            response = try exchange.post(registration.p0Body(at: unixTimeNow()), bearer: token)
        }
        configuration.debug("status \(response.status)")
        guard (200...201).contains(response.status) else {
            throw Failure("\(address): \(response.refusal)", hint: Self.hint(response.status))
        }
        return try server == nil
            ? RegistrationAnswer(p0: response.body) : RegistrationAnswer(joined: response.body)
    }

    private static func hint(_ status: Int) -> String? {
        status == 401 || status == 403
            ? "the token may be spent, over, or for another host; ask for a new one" : nil
    }

    /// A file of at most 64 KiB, or standard input.
    private func input(_ path: String, _ what: String, isSecret: Bool = false) throws -> [UInt8] {
        let maximumBytes = 64 << 10
        guard path != "-" else {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 8 << 10)
            while true {
                let count = unsafe read(STDIN_FILENO, &buffer, buffer.count)
                guard count > 0 else { return bytes }
                bytes += buffer.prefix(count)
                guard bytes.count <= maximumBytes else {
                    throw Failure("standard input: over \(maximumBytes) bytes")
                }
            }
        }
        guard let file = try SystemFiles().read(absolutePath(path), maximumBytes: maximumBytes) else {
            throw Failure("\(path.escapedForTerminal): there is no such file")
        }
        if isSecret, file.attributes.mode & 0o077 != 0 {
            Terminal.complain(
                "warning", "\(path.escapedForTerminal): others than its owner may read the \(what)")
        }
        return file.bytes
    }

    /// A token of one line out of a file that only its owner reads, or of standard input.
    private func secret(_ path: String) throws -> String {
        let bytes = try input(path, "token", isSecret: true)
        let text = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).first.map(
            String.init)
        guard let text, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Failure("\(path.escapedForTerminal): a token of one line expected")
        }
        return text
    }

    private func write(
        _ answer: RegistrationAnswer, _ registration: HostRegistration, _ settings: AgentConfiguration,
        _ keys: KeyFolder
    ) throws {
        var lines = answer.settings
        lines.append((.hostName, registration.hostName))
        lines.append((.keyFolder, keys.path))
        if try url == nil || isSameServer(answer), let fingerprint = try settings.trust().fingerprint {
            lines.append((.fingerprint, fingerprint))
        }
        let files = SystemFiles()
        let path = configuration.path
        let attributes = FileAttributes(mode: 0o644, owner: geteuid(), group: getegid())
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex,
            try files.folder(String(path[..<slash])) == nil
        {
            try files.makeFolder(
                String(path[..<slash]), FileAttributes(mode: 0o755, owner: geteuid(), group: getegid()))
        }
        try pin(answer)
        let text = ConfigurationFile.text(lines, labels: registration.labels)
        try files.replace(path, FileContent(Array(text.utf8), attributes))
        Terminal.note(
            "registered as \(answer.clientID.escapedForTerminal); settings in \(path.escapedForTerminal)"
        )
        Terminal.complain(
            "hint",
            "systemctl enable --now daypass-agent-tunnel, or daypass-agent start --config \(path.escapedForTerminal)"
        )
    }

    /// Whether the tunnel goes to the server that was registered with: another one has another certificate.
    private func isSameServer(_ answer: RegistrationAnswer) throws -> Bool {
        guard let registered = try? TunnelURL(url ?? ""),
            let tunnel = answer.settings.first(where: { $0.name == .tunnel }).flatMap({
                try? TunnelURL($0.value)
            })
        else { return false }
        return registered.host == tunnel.host && registered.port == tunnel.port
    }

    /// Keeps keys: from here on, only who has them changes whom this host trusts, and what it refuses.
    private func pin(_ answer: RegistrationAnswer) throws {
        let layout = HostLayout(configuration: absolutePath(configFolder))
        let roots = try expectedRoot()?.pinned(answer.fleetRoots) ?? answer.fleetRoots
        let files = SystemFiles()
        let all = [
            PinnedKeys(roots, what: "fleet root", path: layout.fleetRoot),
            PinnedKeys(
                answer.revocationKey.map { [$0] } ?? [], what: "signer of revocation lists",
                path: layout.revocationSigners),
        ]
        // All are looked at before the first is written.
        let missing = try all.filter { try $0.mustBeWritten(files) }
        for pinned in missing {
            try pinned.write(files, owner: FileOwner(user: geteuid(), group: getegid()))
        }
        for pinned in all {
            for key in pinned.keys {
                Terminal.note(
                    "pinned the \(pinned.what) \(key.fingerprint) in \(pinned.path.escapedForTerminal)")
            }
        }
        if url == nil, roots.isEmpty, try files.kind(layout.fleetRoot) == nil {
            Terminal.complain(
                "warning",
                "the server names no root of the fleet: no change of the trusted CAs is taken until "
                    + "\(layout.fleetRoot.escapedForTerminal) is there"
            )
        }
    }

    private func expectedRoot() throws -> ExpectedRoot? {
        guard let fleetRoot else { return nil }
        if fleetRoot.hasPrefix("SHA256:") { return .fingerprint(fleetRoot) }
        guard let content = try SystemFiles().read(absolutePath(fleetRoot), maximumBytes: 64 << 10) else {
            throw Failure("\(fleetRoot.escapedForTerminal): there is no such file")
        }
        return .keys(try TrustSettings.AuthorityKey.parse(content.bytes, name: fleetRoot).map(\.key))
    }
}
