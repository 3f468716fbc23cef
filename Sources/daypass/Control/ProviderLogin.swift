// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import ControlClient
import ControlProtocol
import Foundation
import SSHWire

/// Logins by an identity provider, which the control plane asks.
struct ProviderLogin {
    let client: ControlClient
    let provider: String
    let sessionKey: PublicKey

    /// How long somebody may take in a browser, in seconds.
    private static let patience: Int64 = 600

    // MARK: By any browser

    /// Shows where to go and which code to type, and waits.
    func byDevice() async throws -> SessionInfo {
        let request = SignInRequest(provider: provider, sessionKey: sessionKey)
        let pending = try PendingSignIn(
            json: try await client.send("POST", "/v1/login/device", request.json) ?? .null)
        let link = (pending.urlWithCode ?? pending.url).escapedForTerminal
        Terminal.note("go to  \(pending.url.escapedForTerminal)")
        Terminal.note("type   \((pending.userCode ?? "").escapedForTerminal)")
        Terminal.note("this login is for the key \(sessionKey.fingerprint)")
        if pending.urlWithCode != nil { Terminal.note("or open \(link)") }
        Self.showQRCode(pending.urlWithCode ?? pending.url)
        var interval = max(pending.interval ?? 5, 1)
        while Int64(clamping: unixTimeNow().seconds) < pending.expires {
            try await Task.sleep(for: .seconds(interval))
            do {
                let answer = try await client.send(
                    "POST", "/v1/login/device/poll", .object([.init("id", .string(pending.id))]))
                return try SessionInfo(json: answer ?? .null)
            } catch ClientError.problem(let problem) where problem.code == .loginPending {
                continue
            } catch ClientError.problem(let problem) where problem.code == .tooManyRequests {
                interval += 1
            }
        }
        throw Failure("nobody signed in in time", hint: "log in again: daypass login")
    }

    // MARK: By the browser of this machine

    /// Opens a browser, and waits for it to come back.
    func byBrowser() async throws -> SessionInfo {
        let callback = try await LoopbackCallback()
        let request = SignInRequest(
            provider: provider, sessionKey: sessionKey, redirectURI: callback.redirectURI)
        let pending = try PendingSignIn(
            json: try await client.send("POST", "/v1/login/code", request.json) ?? .null)
        if !Self.open(pending.url) { Terminal.note("open \(pending.url.escapedForTerminal)") }
        Terminal.note("this login is for the key \(sessionKey.fingerprint)")
        let answer = try await callback.answer(within: Self.patience)
        let completion = CodeCompletion(
            id: pending.id, code: answer.code, state: answer.state, issuer: answer.issuer, error: answer.error)
        return try SessionInfo(
            json: try await client.send("POST", "/v1/login/code/complete", completion.json) ?? .null)
    }

    // MARK: Workloads

    /// Logs a workload in by a token from its surroundings.
    func byToken(_ token: String) async throws -> SessionInfo {
        let login = TokenLogin(provider: provider, token: token, sessionKey: sessionKey)
        return try SessionInfo(json: try await client.send("POST", "/v1/login/token", login.json) ?? .null)
    }

    // MARK: Programs that people have

    /// Opens a browser: the one that BROWSER names, else the desktop's.
    ///
    /// - Returns: false where there is none.
    private static func open(_ url: String) -> Bool {
        guard url.hasPrefix("https://") || url.hasPrefix("http://") else { return false }
        if let browser = environment("BROWSER"), !browser.isEmpty { return run(browser, [url]) }
        #if os(macOS)
            return run("open", [url])
        #else
            guard environment("DISPLAY") != nil || environment("WAYLAND_DISPLAY") != nil else { return false }
            return run("xdg-open", [url])
        #endif
    }

    /// A code for a telephone's camera, where qrencode is installed and somebody watches.
    private static func showQRCode(_ text: String) {
        guard Terminal.isWatched(2) else { return }
        _ = run("qrencode", ["-t", "UTF8", "-m", "2", "--", text], output: FileHandle.standardError)
    }

    private static func run(_ program: String, _ arguments: [String], output: FileHandle? = nil) -> Bool {
        let path =
            program.hasPrefix("/")
            ? program
            : (environment("PATH") ?? "").split(separator: ":").map { "\($0)/\(program)" }
                .first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let path else { return false }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output ?? FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        if output != nil { process.waitUntilExit() }
        return true
    }
}
