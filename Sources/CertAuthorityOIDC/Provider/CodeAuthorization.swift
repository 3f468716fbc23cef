// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// An attempt to sign in with a browser that comes back with a code: what the server keeps until the answer comes.
///
/// Only ``authorizationURL`` is for the person. It is good for one answer: whoever keeps it takes it out before
/// ``IdentityProvider/finishCode(_:callback:)``, and ties it to the connection or session that began it.
public struct CodeAuthorization: Sendable {
    /// The page to open in a browser.
    public let authorizationURL: String
    /// What comes back with the answer, and says to which attempt it belongs; a key for whoever keeps several.
    public let state: String
    /// Where the browser is sent with the answer: a loopback port of the person's program, or this server.
    public let redirectURI: ProviderURL
    /// When it ends.
    public let expires: UnixTime
    let nonce: String
    let verifier: String

    /// How long an attempt may last, in seconds: somebody has to find a password and a second factor.
    static let lifetime: UInt64 = 600
}

/// Without what is secret.
extension CodeAuthorization: CustomStringConvertible, CustomReflectable {
    public var description: String { "code authorization until \(expires)" }
    public var customMirror: Mirror {
        Mirror(self, children: ["redirectURI": redirectURI, "expires": expires])
    }
}

/// The parameters of a redirect back to us (RFC 6749 section 4.1.2, RFC 9207), as the person's program passes them on.
public struct CodeCallback: Sendable {
    /// The code; nil when the provider refuses.
    public let code: String?
    public let state: String?
    /// The provider's issuer, where it says so.
    public let issuer: String?
    /// Why there is no code.
    public let error: String?

    public init(code: String?, state: String?, issuer: String? = nil, error: String? = nil) {
        self.code = code
        self.state = state
        self.issuer = issuer
        self.error = error
    }
}

extension CodeCallback: CustomStringConvertible, CustomReflectable {
    public var description: String { code == nil ? "refusal" : "code" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
