// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// An oidc-provider-mock (PyPI) on a loopback port: authorization code with a client secret, RS256; it does not
/// look at PKCE, every client, and an account
/// alice. scripts/setup installs it.
public final class ProviderMock: Sendable {
    public let issuer: String
    private let process: ChildProcess
    private let folder: TemporaryFolder

    /// - Throws: ``TestSupportError`` when it isn't installed or does not come up.
    public init() async throws {
        // This file is in Tests/IdentityProviders of the package.
        let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let program = package.joined(separator: "/") + "/.build/oidc-provider-mock/bin/oidc-provider-mock"
        folder = try TemporaryFolder()
        let port = try LocalSocket.freePort()
        let issuer = "http://127.0.0.1:\(port)"
        self.issuer = issuer
        let alice =
            #"{"sub":"a1","email":"Alice@Example.com","email_verified":true,"groups":["sre","dba"]}"#
        let mallory = #"{"sub":"m1","email":"alice@example.com","email_verified":false}"#
        process = try ChildProcess(
            program, ["-p", "\(port)", "-n", "true", "--user-claims", alice, "--user-claims", mallory],
            in: folder.path, log: folder.path("log"))
        let _: Bool = try await poll {
            (try? Tool.run("curl", ["-sS", "--max-time", "2", "\(issuer)/jwks"]))?.succeeded == true
                ? true : nil
        }
    }

    /// What a browser does when somebody signs in: sends the form, and is redirected.
    ///
    /// - Returns: the parameters of the redirect.
    public func signIn(_ subject: String, at authorizationURL: String) throws -> [String: String] {
        redirectParameters(try redirect("sub=\(subject)", at: authorizationURL))
    }

    /// Where a browser is sent once its form was sent: `sub=SUBJECT` to sign in, `action=deny` not to.
    public func redirect(_ form: String, at authorizationURL: String) throws -> String {
        try Tool.run(
            "curl",
            [
                "-sS", "-f", "--max-time", "10", "-o", "/dev/null", "-w", "%{redirect_url}", "-d", form,
                authorizationURL,
            ]
        ).orThrow("signing in").stdoutText
    }
}

/// The parameters of a redirect whose values need no decoding.
public func redirectParameters(_ redirect: String) -> [String: String] {
    var parameters: [String: String] = [:]
    for pair in redirect.split(separator: "?").last?.split(separator: "&") ?? [] {
        let parts = pair.split(separator: "=", maxSplits: 1)
        if parts.count == 2 { parameters[String(parts[0])] = String(parts[1]) }
    }
    return parameters
}
