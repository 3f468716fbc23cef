// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// The beginning of a sign-in at an identity provider (`POST /v1/login/page`, `POST /v1/login/code`,
/// `POST /v1/login/device`).
public struct SignInRequest: Sendable, Hashable {
    /// The provider's name.
    public var provider: String
    /// The Ed25519 key that the session will be bound to.
    public var sessionKey: PublicKey
    /// Where the browser comes back to, a loopback address; for a code only.
    public var redirectURI: String?

    public init(provider: String, sessionKey: PublicKey, redirectURI: String? = nil) {
        self.provider = provider
        self.sessionKey = sessionKey
        self.redirectURI = redirectURI
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("provider", provider)
        members.add("sessionKey", sessionKey.text)
        members.add("redirectURI", redirectURI)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "sign-in")
        provider = try fields.needText("provider")
        sessionKey = try fields.needKey("sessionKey")
        redirectURI = try fields.takeText("redirectURI")
        try fields.finish()
    }
}

/// A sign-in that has begun.
public struct PendingSignIn: Sendable, Hashable {
    /// Its secret name, by which it is asked for and completed.
    public var id: String
    /// Where to go with a browser.
    public var url: String
    /// The same with the code in it; for a device only.
    public var urlWithCode: String?
    /// What to type there; for a device only.
    public var userCode: String?
    /// How long to wait between two questions, in seconds; nil for a code.
    public var interval: Int64?
    /// When it is over, in seconds since 1970.
    public var expires: Int64

    public init(
        id: String, url: String, urlWithCode: String? = nil, userCode: String? = nil, interval: Int64? = nil,
        expires: Int64
    ) {
        self.id = id
        self.url = url
        self.urlWithCode = urlWithCode
        self.userCode = userCode
        self.interval = interval
        self.expires = expires
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("url", url)
        members.add("urlWithCode", urlWithCode)
        members.add("userCode", userCode)
        members.add("interval", interval)
        members.add("expires", expires)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "sign-in")
        id = try fields.needText("id")
        url = try fields.needText("url")
        urlWithCode = try fields.takeText("urlWithCode")
        userCode = try fields.takeText("userCode")
        interval = try fields.takeNumber("interval")
        expires = try fields.need("expires", try fields.takeNumber("expires"))
    }
}

/// What a browser brought back (`POST /v1/login/code/complete`).
public struct CodeCompletion: Sendable, Hashable {
    public var id: String
    public var code: String?
    public var state: String?
    public var issuer: String?
    public var error: String?

    public init(id: String, code: String?, state: String?, issuer: String?, error: String?) {
        self.id = id
        self.code = code
        self.state = state
        self.issuer = issuer
        self.error = error
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("code", code)
        members.add("state", state)
        members.add("issuer", issuer)
        members.add("error", error)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "sign-in")
        id = try fields.needText("id")
        code = try fields.takeText("code")
        state = try fields.takeText("state")
        issuer = try fields.takeText("issuer")
        error = try fields.takeText("error")
        try fields.finish()
    }
}

/// A workload's login (`POST /v1/login/token`).
public struct TokenLogin: Sendable, Hashable {
    /// The name of the issuer in the configuration.
    public var provider: String
    /// The token; it is spent by this.
    public var token: String
    public var sessionKey: PublicKey

    public init(provider: String, token: String, sessionKey: PublicKey) {
        self.provider = provider
        self.token = token
        self.sessionKey = sessionKey
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("provider", provider)
        members.add("token", token)
        members.add("sessionKey", sessionKey.text)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "login")
        provider = try fields.needText("provider")
        token = try fields.needText("token")
        sessionKey = try fields.needKey("sessionKey")
        try fields.finish()
    }
}
