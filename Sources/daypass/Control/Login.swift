// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import ControlProtocol
import Foundation
import SSHWire

struct Login: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Log in to a control plane, for as long as its sessions last.",
        discussion: """
            With a server that made its own certificate, give the fingerprint that daypassd init printed: it is \
            checked once and then kept. By an enrolled SSH key: the ssh-agent's, or the one that --key names.
            """)

    @Option(
        help: ArgumentHelp("The control plane, for example https://daypass.example.com.", valueName: "URL"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "The fingerprint of the server's root certificate: SHA256: and 64 digits.",
            valueName: "FINGERPRINT"))
    var fingerprint: String?

    @Option(
        help: ArgumentHelp(
            "Log in by this enrolled key: a private key file, or a .pub file whose key the ssh-agent holds.",
            valueName: "FILE"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "Log in at this identity provider (default: the only one there is, unless --key is given).",
            valueName: "NAME"))
    var provider: String?

    @Flag(help: "How to sign in there (default: the first way of the server's that can be gone here).")
    var way: SignInFlag?

    @Option(
        help: ArgumentHelp(
            "Log a workload in by the token in this file (- for standard input).", valueName: "FILE"))
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "Log a program in by the API key in this file (- for standard input).", valueName: "FILE"))
    var apiKeyFile: String?

    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard key == nil || provider == nil else {
            throw ValidationError("--key and --provider exclude each other")
        }
        guard tokenFile == nil || provider != nil && way == nil else {
            throw ValidationError("--token-file needs --provider, and no browser, page or device")
        }
        guard apiKeyFile == nil || key == nil && provider == nil && tokenFile == nil && way == nil else {
            throw ValidationError("--api-key-file says by itself how to log in")
        }
        guard key == nil || way == nil else {
            throw ValidationError("--key needs no browser, page or device")
        }
    }

    func run() async throws {
        let state = try ClientState()
        let server = try await reach(state)
        try state.save(server)
        let sessionKey = try PrivateKey.generate(.ed25519, comment: "daypass session")
        let (info, loginKey) = try await server.withClient { client in
            if let provider = try chosenProvider(server.info) {
                return (
                    try await signIn(client, server.info, provider, sessionKey.publicKey), String?.none
                )
            }
            return try await logIn(client, server.info, sessionKey, first: state.loginKey)
        }
        try await state.save(ClientState.Session(info: info, key: sessionKey), loginKey: loginKey)
        guard format.format == .text else { return Terminal.say(info.json.text) }
        let left = info.expires - Int64(clamping: unixTimeNow().seconds)
        Terminal.say("logged in to \(server.address) as \(info.identity.escapedForTerminal)")
        Terminal.say("  for \(spell(UInt64(max(left, 0)))), by \(info.provider.escapedForTerminal)")
        if info.isAdministrator { Terminal.say("  you administer it") }
    }

    /// The server, after making sure that it is the one that is meant.
    private func reach(_ state: ClientState) async throws -> ClientState.Server {
        let known = try? state.server()
        guard let text = server ?? known?.address.url else {
            throw Failure(
                ExitStatus.usage, "no control plane is known here",
                hint: "daypass login --server URL --fingerprint SHA256:…")
        }
        let address = try ServerAddress(text)
        var root = known?.address == address ? known?.rootPEM : nil
        if let fingerprint {
            let form = fingerprint.split(separator: ":", maxSplits: 1)
            guard form.count == 2, form[0].uppercased() == "SHA256",
                form[1].filter({ $0 != ":" }).count == 64
            else {
                throw Failure(
                    ExitStatus.usage, "--fingerprint: SHA256: and 64 hexadecimal digits expected")
            }
            root = try await PinnedTrust.rootCertificate(
                host: address.host, port: address.port, fingerprint: fingerprint)
        }
        let client = try ControlClient(address, rootPEM: root, clock: microsecondsNow)
        do {
            let info = try ServerInfo(json: try await client.send("GET", "/v1/server") ?? .null)
            await client.close()
            try checkLogKey(info, known?.address == address ? known?.info : nil)
            return ClientState.Server(address: address, rootPEM: root, info: info)
        } catch {
            await client.close()
            throw error
        }
    }

    /// The log's key is kept from the first login on: by another one, a log that was rewritten would be proven.
    private func checkLogKey(_ info: ServerInfo, _ known: ServerInfo?) throws {
        guard fingerprint == nil, let key = known?.logKey, key != info.logKey else { return }
        throw Failure(
            "the server says another key of its log than when you first logged in",
            hint: "ask its operator; if it was made anew, log in with --fingerprint")
    }

    /// The identity provider to go to; nil for an enrolled key.
    private func chosenProvider(_ server: ServerInfo) throws -> String? {
        if let provider { return provider }
        if apiKeyFile != nil { return Person.apiKeys }
        if key != nil { return nil }
        let providers = server.loginMethods.filter { $0 != Person.enrolledKeys }
        guard providers.count > 1 else { return providers.first }
        throw Failure(
            ExitStatus.usage, "there are several identity providers: \(providers.joined(separator: ", "))",
            hint: "choose one with --provider")
    }

    private func signIn(
        _ client: ControlClient, _ server: ServerInfo, _ provider: String, _ sessionKey: PublicKey
    ) async throws -> SessionInfo {
        let login = ProviderLogin(client: client, provider: provider, sessionKey: sessionKey)
        if let apiKeyFile { return try await login.byToken(try Self.apiKey(apiKeyFile)) }
        guard let tokenFile else {
            return try await login.by(way?.way ?? Self.way(of: server.signIn[provider] ?? []))
        }
        let bytes = try FileIO.read(tokenFile == "-" ? "/dev/stdin" : tokenFile, maximumBytes: 16 << 10)
        let token = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return try await login.byToken(token)
    }

    /// The first of the server's ways that can be gone here: a browser that comes back needs one on this machine.
    private static func way(of offered: [String]) -> SignInWay {
        let ways = offered.compactMap(SignInWay.init(rawValue:))
        return ways.first { $0 != .code || ProviderLogin.hasBrowser } ?? ways.first ?? .page
    }

    /// The API key in a file that nobody else may read. From standard input, who may is not ours to see.
    private static func apiKey(_ path: String) throws -> String {
        let maximumBytes = 1 << 10
        let bytes: [UInt8]
        if path == "-" {
            bytes = try FileIO.read("/dev/stdin", maximumBytes: maximumBytes)
        } else {
            let secret = try FileIO.readSecret(path, maximumBytes: maximumBytes)
            bytes = secret.withSpan { span in span.indices.map { span[$0] } }
        }
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        // Looked at here: what is something else, another secret perhaps, is not sent.
        guard APIKeyToken(text) != nil else {
            throw Failure(
                "\(path == "-" ? "standard input" : path.escapedForTerminal): there is no API key in it",
                hint: "it is the line that daypass api-keys create printed: daypass_…")
        }
        return text
    }

    /// Shows one key after the other, each with its signature: a server that told which keys it knows would tell
    /// anybody.
    ///
    /// - Parameter first: the fingerprint of the key to begin with.
    private func logIn(
        _ client: ControlClient, _ server: ServerInfo, _ sessionKey: PrivateKey, first: String?
    ) async throws -> (SessionInfo, loginKey: String?) {
        guard server.loginMethods.contains("keys") else {
            throw Failure("this control plane takes no enrolled keys")
        }
        let signers = try LoginKey.candidates(key, first: first)
        var refusal: (any Error)?
        for signer in signers {
            let challenge = try LoginChallenge(
                json: try await client.send("POST", "/v1/login/challenge", .object([])) ?? .null)
            let message = LoginChallenge.message(
                challenge: challenge.challenge, origin: server.origin, sessionKey: sessionKey.publicKey)
            let signature = try signer.sign(message, namespace: ExactText(LoginChallenge.namespace))
            let request = KeyLoginRequest(
                challenge: challenge.challenge, sessionKey: sessionKey.publicKey,
                signature: signature.armoured)
            do {
                let answer = try await client.send("POST", "/v1/login/keys", request.json)
                return (try SessionInfo(json: answer ?? .null), signer.publicKey.fingerprint)
            } catch ClientError.problem(let problem) where problem.code == .loginRefused {
                // Another of the agent's keys may be the enrolled one.
                refusal = refusal ?? ClientError.problem(problem)
            }
        }
        if signers.count > 1, case ClientError.problem(let problem)? = refusal {
            throw Failure(
                "none of the ssh-agent's \(signers.count) keys that were tried is enrolled here",
                hint: problem.hint?.escapedForTerminal)
        }
        throw refusal
            ?? Failure(
                "the ssh-agent holds no key", hint: "add one with ssh-add, or name a file with --key")
    }
}

/// How to sign in at an identity provider, as a flag.
enum SignInFlag: String, EnumerableFlag {
    case browser, page, device

    var way: SignInWay {
        switch self {
        case .browser: .code
        case .page: .page
        case .device: .device
        }
    }

    static func help(for value: SignInFlag) -> ArgumentHelp? {
        switch value {
        case .browser: "Use this machine's browser, which comes back here by itself."
        case .page: "Use any browser, by a page of the server and a code that is typed in there."
        case .device: "Use any browser, by a code of the provider's, where the server allows it."
        }
    }
}
