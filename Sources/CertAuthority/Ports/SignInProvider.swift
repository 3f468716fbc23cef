// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A way to sign in at an identity provider.
public enum SignInWay: String, Sendable, CaseIterable {
    /// In a browser on the person's own machine, which comes back to the program that waits (RFC 8252).
    case code
    /// In any browser, by pages of this server, which ask whether the terminal is theirs (``PageSignIn``).
    case page
    /// In any browser, by a code of the provider's (RFC 8628). It works for whoever sent it to somebody.
    case device

    /// What is offered where the configuration says nothing, the better way first.
    public static let usual: [SignInWay] = [.code, .page]
}

/// An identity provider by which people log in; how it is asked is its own affair.
public protocol SignInProvider: Sendable {
    /// What the configuration calls it.
    var name: String { get }
    /// The ways that may be gone, the first one first.
    var ways: [SignInWay] { get }
    /// Starts an attempt that somebody completes in a browser on any machine (RFC 8628).
    func beginDeviceSignIn() async throws(SignInFailure) -> any DeviceSignIn
    /// Starts an attempt whose browser comes back to a loopback address (RFC 8252, RFC 7636).
    func beginCodeSignIn(redirectURI: String) async throws(SignInFailure) -> any CodeSignIn
    /// Starts an attempt whose browser comes back to this server's own `https` address.
    func beginPageSignIn(redirectURI: String) async throws(SignInFailure) -> any CodeSignIn
}

/// Where workloads' tokens are believed: a CI system, a Kubernetes cluster.
public protocol WorkloadProvider: Sendable {
    var name: String { get }
    /// Who a token names; it is spent by that.
    func person(token: String) async throws(SignInFailure) -> Person
}

/// Why nobody is signed in.
public struct SignInFailure: Error, Sendable, CustomStringConvertible {
    /// Whether it is the provider that fails, rather than whoever wants to sign in.
    public let isProviders: Bool
    /// One line, without secrets.
    public let reason: String
    /// What to do next.
    public let hint: String?

    public init(_ reason: String, hint: String? = nil, isProviders: Bool = false) {
        self.reason = reason
        self.hint = hint
        self.isProviders = isProviders
    }

    public var description: String { reason }
}

/// An attempt to sign in by another device.
public protocol DeviceSignIn: Sendable {
    /// What the person types in.
    var userCode: String { get }
    /// Where.
    var verificationURL: String { get }
    /// The same with the code in it, where the provider has one.
    var verificationURLWithCode: String? { get }
    /// How often the provider wants to be asked at most, in seconds.
    var interval: UInt64 { get }
    var expires: UnixTime { get }
    /// Asks what has become of it. A second call within the interval asks nobody.
    func poll() async throws(SignInFailure) -> DeviceSignInProgress
}

/// What has become of an attempt.
public enum DeviceSignInProgress: Sendable {
    /// Nobody has decided; ask again after so many seconds.
    case pending(interval: UInt64)
    case signedIn(Person)
    /// They said no, or nothing in time.
    case refused(String)
}

/// An attempt to sign in by a browser that comes back: to a program on the same machine, or to this server.
public protocol CodeSignIn: Sendable {
    /// Where the browser is sent.
    var authorizationURL: String { get }
    /// Comes back with the browser.
    var state: String { get }
    var expires: UnixTime { get }
    /// Ends it by what came back in the redirect's query.
    func finish(
        code: String?, state: String?, issuer: String?, error: String?
    ) async throws(SignInFailure) -> Person
}
