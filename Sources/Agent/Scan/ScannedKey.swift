// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// One line of an authorized_keys file that is, or looks like, a key.
public struct ScannedKey: Sendable, Hashable {
    /// What can be known of the key's bytes.
    public struct Identity: Sendable, Hashable {
        /// The type's name on the wire ("ssh-ed25519").
        public let type: String
        /// Its size in bits as ssh-keygen shows it; nil where that cannot be told.
        public let bits: Int?
        /// "SHA256:…".
        public let fingerprint: String
    }

    /// The line's number in its file, the first is 1.
    public let line: Int
    public let identity: Identity
    public let comment: String
    /// The options as they stand there; empty for none.
    public let options: String
    public let isCertAuthority: Bool
    /// True for what `restrict` begins with; `permissions` says what is left.
    public let isRestricted: Bool
    /// What runs whatever the client asks for.
    public let command: String?
    /// Where a client may come from.
    public let from: String?
    /// With `cert-authority`: the names of which a certificate must have one.
    public let principals: [String]?
    /// The earliest `expiry-time` as written; without Z it is in the host's own time zone.
    public let expiryText: String?
    /// The same as a moment, where the time zone is known.
    public let expiry: UnixTime?
    /// Why sshd will not take the key; nil when nothing says that it won't.
    public let refusal: String?
    /// Why it is not sure what sshd makes of the line: our reading refuses it, or it has an option that only some
    /// releases know.
    public let doubt: String?
    /// What is weak about the key; nil when nothing is.
    public let weakness: String?

    /// RSA keys under this size are called weak: NIST SP 800-57 gives 3,072 bits the 128 bits of security that every
    /// other type here has.
    public static let strongRSABits = 3_072
}

/// What one line of an authorized_keys file is.
enum ScannedLine {
    case nothing
    case key(ScannedKey)
    /// Neither a comment nor a key; sshd ignores it.
    case unreadable(reason: String)
}

extension ScannedLine {
    /// Reads a line as sshd does (auth2-pubkeyfile.c), which takes bytes that are not UTF-8, and stops at NUL.
    ///
    /// What SSHWire refuses is looked at again: a DSA key, a short RSA key, and a key behind options that make no sense
    /// are found, with the reason that they are not taken, or not by every release.
    init(_ bytes: ArraySlice<UInt8>, number: Int, settings: KeyAcceptance) {
        let visible = bytes.prefix { $0 != 0 }
        let text = String(decoding: visible, as: UTF8.self)
        let content = text.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        // getline keeps the line's end, and sshd looks for "\n" behind blanks: a carriage return alone is no blank.
        if content.isEmpty || content.first == UInt8(ascii: "#") || content.elementsEqual("\r".utf8) {
            self = .nothing
            return
        }
        do throws(SSHWireError) {
            let trimmed = text.hasSuffix("\r") ? String(text.unicodeScalars.dropLast()) : text
            let key = try AuthorizedKey(line: Self.withoutControls(trimmed))
            self = .key(ScannedKey(key, line: number, settings: settings))
        } catch {
            guard let found = LooseKeyLine(Array(visible)) else {
                self = .unreadable(reason: error.reason)
                return
            }
            self = .key(ScannedKey(found, line: number, reason: error.reason, settings: settings))
        }
    }

    /// Control characters may stand in a comment or an option for all that sshd cares; SSHWire refuses the whole line.
    private static func withoutControls(_ text: String) -> String {
        guard text.utf8.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7f }) else { return text }
        var clean = ""
        for scalar in text.unicodeScalars {
            clean.unicodeScalars.append(
                (scalar.value < 0x20 && scalar != "\t") || scalar.value == 0x7f ? "\u{fffd}" : scalar)
        }
        return clean
    }
}

/// Which keys this sshd takes for an account.
public struct KeyAcceptance: Sendable, Hashable {
    /// `PubkeyAcceptedAlgorithms`; nil where it isn't told.
    public var algorithms: Set<String>?
    /// `RequiredRSASize`, in bits.
    public var requiredRSABits: Int
    /// The moment against which `expiry-time` is held.
    public var now: UnixTime
    /// How far local time is ahead of UTC, in seconds.
    public var zoneOffset: Int?

    public init(
        algorithms: Set<String>? = nil, requiredRSABits: Int = 1_024, now: UnixTime, zoneOffset: Int? = nil
    ) {
        self.algorithms = algorithms
        self.requiredRSABits = requiredRSABits
        self.now = now
        self.zoneOffset = zoneOffset
    }

    /// Why this sshd does not take keys of a type and size; nil when it does.
    func refusal(type: String, bits: Int?, isCertAuthority: Bool) -> String? {
        if type == "ssh-rsa", let bits, bits < requiredRSABits {
            return "RSA under \(requiredRSABits) bits is not taken here"
        }
        // A CA's algorithm is another setting's business, and what it certifies may be of any type.
        guard let algorithms, !isCertAuthority else { return nil }
        let names = type == "ssh-rsa" ? ["rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"] : [type]
        guard !names.contains(where: algorithms.contains) else { return nil }
        return "PubkeyAcceptedAlgorithms has no \(type.escapedForTerminal)"
    }
}

extension ScannedKey {
    init(_ key: AuthorizedKey, line: Int, settings: KeyAcceptance) {
        let (type, bits) = (key.key.keyType.rawValue, key.key.bits)
        let expiryTimes = key.options.options.compactMap { option -> TimestampText? in
            if case .expiryTime(let time) = option { time } else { nil }
        }
        let expiry = (try? key.options.expiry(zoneOffset: settings.zoneOffset)) ?? nil
        var refusal = settings.refusal(type: type, bits: bits, isCertAuthority: key.options.isCertAuthority)
        if let expiry, expiry < settings.now { refusal = "expired \(expiry)" }
        let doubt = key.options.unknownNames.first.map {
            "option \($0.string.escapedForTerminal) is not known here; sshd ignores the line if it doesn't know it either"
        }
        self.init(
            line: line, identity: Identity(type: type, bits: bits, fingerprint: key.key.fingerprint),
            comment: key.comment.string, options: key.options.text,
            isCertAuthority: key.options.isCertAuthority,
            isRestricted: key.options.options.contains(.restrict),
            command: key.options.command?.string,
            from: key.options.options.lazy.compactMap {
                if case .from(let list) = $0 { list.text } else { nil }
            }.first,
            principals: key.options.principals?.map(\.string),
            expiryText: expiryTimes.min { $0.text < $1.text }?.text, expiry: expiry, refusal: refusal,
            doubt: doubt, weakness: Self.weakness(type, bits))
    }

    init(_ loose: LooseKeyLine, line: Int, reason: String, settings: KeyAcceptance) {
        let isAuthority = loose.optionNames.contains("cert-authority")
        // A key that SSHWire finds too weak may well be taken here; a line that makes no sense is not.
        let refusal = settings.refusal(
            type: loose.identity.type, bits: loose.identity.bits, isCertAuthority: isAuthority)
        self.init(
            line: line, identity: loose.identity, comment: loose.comment, options: loose.options,
            isCertAuthority: isAuthority, isRestricted: loose.optionNames.contains("restrict"), command: nil,
            from: nil, principals: nil, expiryText: nil, expiry: nil, refusal: refusal,
            doubt: loose.isWeakOnly ? nil : "a line that Daypass would not write: \(reason)",
            weakness: Self.weakness(loose.identity.type, loose.identity.bits))
    }

    private static func weakness(_ type: String, _ bits: Int?) -> String? {
        if type == "ssh-dss" { return "DSA" }
        if type == "ssh-rsa", let bits, bits < strongRSABits { return "RSA under \(strongRSABits) bits" }
        return nil
    }
}
