// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A sign-in by the server's own pages: who began it, which browser it is in, and how far it has come.
///
/// A terminal begins it and waits. A browser opens its link, signs in at the identity provider, comes back, and is asked
/// whether the terminal's key is theirs. From the first step on it belongs to one browser.
public struct PageSignIn: Sendable {
    /// How far it has come.
    public enum Stage: Sendable {
        /// Nobody has gone on from its first page.
        case begun
        /// The browser is at the provider.
        case atProvider(any CodeSignIn)
        /// The browser came back, and the provider is being asked whom its code names.
        case exchanging
        /// Somebody is signed in, and has not said yet whether the key is theirs.
        case signedIn(Person)
        /// They have; from where.
        case approved(Person, from: IPAddress?)
        case ended(End)
    }

    /// Why nobody was logged in.
    public enum End: Sendable {
        /// The provider said no, or it can't be asked, or whom it names can't be somebody here.
        case failed(SignInFailure)
        /// Whoever signed in said that the terminal is not theirs.
        case notTheirs
        /// They typed too many wrong codes.
        case wrongCodes

        /// For the browser and the log.
        public var reason: String {
            switch self {
            case .failed(let failure): failure.reason
            case .notTheirs: "whoever signed in said that this login is not theirs"
            case .wrongCodes: "a wrong match code was typed \(PageSignIn.maximumWrongCodes) times"
            }
        }

        /// For the terminal, which may be a stranger's: nothing that tells who signed in.
        public var told: SignInFailure {
            switch self {
            case .failed(let failure) where failure.isProviders: failure
            case .failed: SignInFailure("the sign-in was refused", hint: "the page in the browser says why")
            case .notTheirs, .wrongCodes: SignInFailure(reason)
            }
        }
    }

    /// Its secret name, which only the terminal knows.
    public let id: String
    /// What its link ends in: short enough to be typed, and no secret.
    public let link: String
    /// The identity provider's name.
    public let provider: String
    /// The key that the session will be bound to.
    public let sessionKey: PublicKey
    /// Where the terminal is; nil when that can't be told.
    public let source: IPAddress?
    public let begun: UnixTime
    public let expires: UnixTime
    public internal(set) var stage = Stage.begun

    /// What the terminal shows.
    let matchCode: String
    /// What counts as one source.
    let network: [UInt8]
    /// The digest of what the browser's cookie holds.
    var browser: [UInt8]?
    var wrongCodes = 0

    /// Wrong match codes that end it.
    public static let maximumWrongCodes = 3

    /// Whether it is in another browser than the one with this cookie.
    public func isInAnotherBrowser(than cookie: String?) -> Bool {
        guard let browser else { return false }
        guard let cookie else { return true }
        return !areEqualInConstantTime(browser, Self.digest(cookie))
    }

    static func digest(_ cookie: String) -> [UInt8] { Digest.sha256(Array(cookie.utf8)) }
}

/// The text of a link: the letters of RFC 8628 section 6.1, which make no words and are told apart when they are read
/// aloud, in two groups.
enum LinkCode {
    private static let letters = Array("BCDFGHJKLMNPQRSTVWXZ".utf8)
    /// Of each group. 20^8 links are 34 bits: with a thousand that are good, and a few guesses a second, one is found in
    /// weeks, and is good for nothing without the terminal's match code.
    private static let groupLength = 4

    static func make(_ randomBytes: (Int) -> [UInt8]) -> String {
        var text: [UInt8] = []
        while text.count < 2 * groupLength {
            // 240 is the largest multiple of 20 in a byte: each letter is as likely as every other.
            text += randomBytes(16).filter { $0 < 240 }.map { letters[Int($0) % letters.count] }
        }
        let (first, second) = (text.prefix(groupLength), text.dropFirst(groupLength).prefix(groupLength))
        return String(decoding: first + [UInt8(ascii: "-")] + second, as: UTF8.self)
    }

    /// A link as somebody may type it: in any case, and without the hyphen.
    static func normal(_ text: String) -> String? {
        guard text.utf8.count <= 2 * groupLength + 1 else { return nil }
        let plain = text.uppercased().utf8.filter { $0 != UInt8(ascii: "-") }
        guard plain.count == 2 * groupLength, plain.allSatisfy(letters.contains) else { return nil }
        return String(
            decoding: plain.prefix(groupLength) + [UInt8(ascii: "-")] + plain.dropFirst(groupLength),
            as: UTF8.self)
    }
}
