// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import SSHWire

/// An attempt to sign in with a browser on another machine (RFC 8628): what the server keeps until it ends.
///
/// Only ``userCode`` and the addresses are for the person. Whoever they are given to can be asked to enter them by
/// somebody else: they must see where the request comes from before they approve.
public struct DeviceAuthorization: Sendable {
    /// What stands for the attempt at the provider; a secret.
    public let deviceCode: String
    /// What the person types at ``verificationURI``.
    public let userCode: String
    /// The page where they type it.
    public let verificationURI: ProviderURL
    /// The page with the code filled in, if the provider has one.
    public let verificationURIComplete: ProviderURL?
    /// How many seconds lie between two questions, one at least.
    public private(set) var interval: UInt64
    /// When it ends.
    public let expires: UnixTime
    let nonce: String

    /// The shortest and the longest pause between two questions, in seconds.
    static let intervals: ClosedRange<UInt64> = 1...60
    /// How long an attempt may last, in seconds, whatever the provider says.
    static let maximumLifetime: Int64 = 1_800

    init(
        deviceCode: String, userCode: String, verificationURI: ProviderURL,
        verificationURIComplete: ProviderURL?, interval: UInt64, expires: UnixTime, nonce: String
    ) {
        self.deviceCode = deviceCode
        self.userCode = userCode
        self.verificationURI = verificationURI
        self.verificationURIComplete = verificationURIComplete
        self.interval = min(max(interval, Self.intervals.lowerBound), Self.intervals.upperBound)
        self.expires = expires
        self.nonce = nonce
    }

    /// The same attempt with longer pauses: what `.slowDown` asks for.
    public func asking(every seconds: UInt64) -> DeviceAuthorization {
        var slower = self
        slower.interval = max(interval, min(seconds, Self.intervals.upperBound))
        return slower
    }
}

/// Without what is secret.
extension DeviceAuthorization: CustomStringConvertible, CustomReflectable {
    public var description: String { "device authorization until \(expires)" }
    public var customMirror: Mirror {
        Mirror(self, children: ["verificationURI": verificationURI, "expires": expires])
    }
}

/// What became of an attempt so far.
public enum DevicePoll: Sendable {
    /// Nobody has decided; ask again after so many seconds.
    case pending(nextInterval: UInt64)
    /// The same, and the provider wants to be asked less often: go on with ``DeviceAuthorization/asking(every:)``.
    case slowDown(nextInterval: UInt64)
    /// They have signed in.
    case person(Person)
    /// They said no.
    case denied
    /// They did not say anything in time.
    case expired
}
