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

    func by(_ way: SignInWay) async throws -> SessionInfo {
        switch way {
        case .code: try await byBrowser()
        case .page: try await byPage()
        case .device: try await byDevice()
        }
    }

    // MARK: By any browser

    /// Shows a page of the server's and the code that it asks for, and waits.
    private func byPage() async throws -> SessionInfo {
        let request = SignInRequest(provider: provider, sessionKey: sessionKey)
        let pending = try PendingSignIn(
            json: try await client.send("POST", "/v1/login/page", request.json) ?? .null)
        let code = MatchCode.code(signIn: pending.id, sessionKey: sessionKey)
        Terminal.note("open   \(pending.url.escapedForTerminal)")
        Terminal.note("code   \(MatchCode.spelled(code))")
        Terminal.note("this login is for the key \(sessionKey.fingerprint)")
        Terminal.note("type the code on that page and nowhere else, and tell nobody")
        Self.showQRCode(pending.url)
        return try await wait(for: pending, asking: "/v1/login/page/poll")
    }

    /// Shows where to go and which code of the provider's to type, and waits.
    private func byDevice() async throws -> SessionInfo {
        let request = SignInRequest(provider: provider, sessionKey: sessionKey)
        let pending = try PendingSignIn(
            json: try await client.send("POST", "/v1/login/device", request.json) ?? .null)
        let link = (pending.urlWithCode ?? pending.url).escapedForTerminal
        Terminal.note("go to  \(pending.url.escapedForTerminal)")
        Terminal.note("type   \((pending.userCode ?? "").escapedForTerminal)")
        Terminal.note("this login is for the key \(sessionKey.fingerprint)")
        if pending.urlWithCode != nil { Terminal.note("or open \(link)") }
        Terminal.note("send the link and the code to nobody: whoever enters it logs this terminal in")
        Self.showQRCode(pending.urlWithCode ?? pending.url)
        return try await wait(for: pending, asking: "/v1/login/device/poll")
    }

    /// Asks until somebody has decided.
    private func wait(for pending: PendingSignIn, asking path: String) async throws -> SessionInfo {
        // Whatever the server says: somebody waits.
        var interval = min(max(pending.interval ?? 5, 1), 60)
        while Int64(clamping: unixTimeNow().seconds) < pending.expires {
            try await Task.sleep(for: .seconds(interval))
            do {
                let answer = try await client.send(
                    "POST", path, .object([.init("id", .string(pending.id))]))
                return try SessionInfo(json: answer ?? .null)
            } catch ClientError.problem(let problem) where problem.code == .loginPending {
                continue
            } catch ClientError.problem(let problem) where problem.code == .tooManyRequests {
                interval = min(interval + 1, 60)
            }
        }
        throw Failure("nobody signed in in time", hint: "log in again: daypass login")
    }

    // MARK: By the browser of this machine

    /// Opens a browser, and waits for it to come back. It needs no consent of ours: the code comes to this very process.
    private func byBrowser() async throws -> SessionInfo {
        let callback = try await LoopbackCallback()
        let request = SignInRequest(
            provider: provider, sessionKey: sessionKey, redirectURI: callback.redirectURI)
        let pending = try PendingSignIn(
            json: try await client.send("POST", "/v1/login/code", request.json) ?? .null)
        if !Self.open(pending.url) { Terminal.note("open \(pending.url.escapedForTerminal)") }
        Terminal.note("this login is for the key \(sessionKey.fingerprint)")
        let answer = try await callback.answer(within: Self.patience)
        let completion = CodeCompletion(
            id: pending.id, code: answer.code, state: answer.state, issuer: answer.issuer, error: answer.error
        )
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

    /// Whether there is a browser here for the person at the terminal: the one that BROWSER names, or the desktop's unless
    /// they came here by ssh.
    static var hasBrowser: Bool {
        if let browser = environment("BROWSER"), !browser.isEmpty { return true }
        guard environment("SSH_CONNECTION") == nil else { return false }
        #if os(macOS)
            return true
        #else
            guard environment("DISPLAY") != nil || environment("WAYLAND_DISPLAY") != nil else { return false }
            return find("xdg-open") != nil
        #endif
    }

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

    private static func find(_ program: String) -> String? {
        program.hasPrefix("/")
            ? program
            : (environment("PATH") ?? "").split(separator: ":").map { "\($0)/\(program)" }
                .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func run(_ program: String, _ arguments: [String], output: FileHandle? = nil) -> Bool {
        guard let path = find(program) else { return false }
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
