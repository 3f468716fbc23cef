// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One option before a key in authorized_keys or before a principal (AUTHORIZED_KEYS FILE FORMAT in sshd(8),
/// `sshauthopt_parse` in OpenSSH's auth-options.c).
public enum KeyOption: Sendable, Hashable {
    /// Takes every permission that is not given back behind it, and those of future versions of sshd.
    case restrict
    /// The key is a CA's: certificates that it signed are accepted, the key itself is not.
    case certAuthority
    /// `pty`, `no-pty` and their like; the last mention of one counts.
    case permission(Permission, allowed: Bool)
    /// `touch-required`, `no-touch-required`: whether a FIDO key must be touched.
    case touchRequired(Bool)
    /// `verify-required`, `no-verify-required`: whether a FIDO key must verify its user.
    case verifyRequired(Bool)
    /// `command="…"`: what runs instead of what the client asks for.
    case command(ExactText)
    /// `principals="a,b"`: with ``certAuthority``, the names of which a certificate must have one.
    case principals([ExactText])
    /// `from="…"`: the hosts and addresses that a client may come from.
    case from(PatternList)
    /// `environment="NAME=value"`.
    case environment(name: ExactText, value: ExactText)
    /// `permitopen="host:port"`.
    case permitOpen(ExactText)
    /// `permitlisten="[host:]port"`.
    case permitListen(ExactText)
    /// `tunnel="n"` or `"any"`.
    case tunnel(ExactText)
    /// `expiry-time="…"`.
    case expiryTime(TimestampText)
    /// A name that Daypass does not know. sshd honours no line that has an option which *it* does not know.
    case unknown(name: ExactText, value: ExactText?)
}

extension KeyOption {
    /// The option as it is written, its value quoted.
    public var text: String {
        switch self {
        case .restrict: "restrict"
        case .certAuthority: "cert-authority"
        case .permission(let permission, let allowed): (allowed ? "" : "no-") + permission.rawValue
        case .touchRequired(let isRequired): (isRequired ? "" : "no-") + "touch-required"
        case .verifyRequired(let isRequired): (isRequired ? "" : "no-") + "verify-required"
        case .command(let command): Self.quoted("command", command)
        case .principals(let names):
            Self.quoted("principals", ExactText(names.map(\.string).joined(separator: ",")))
        case .from(let patterns): Self.quoted("from", ExactText(patterns.text))
        case .environment(let name, let value):
            Self.quoted("environment", ExactText("\(name)=\(value)"))
        case .permitOpen(let target): Self.quoted("permitopen", target)
        case .permitListen(let target): Self.quoted("permitlisten", target)
        case .tunnel(let device): Self.quoted("tunnel", device)
        case .expiryTime(let time): Self.quoted("expiry-time", ExactText(time.text))
        case .unknown(let name, let value): value.map { Self.quoted(name.string, $0) } ?? name.string
        }
    }

    private static func quoted(_ name: String, _ value: ExactText) -> String {
        var escaped: [UInt8] = []
        for byte in value.bytes {
            if byte == UInt8(ascii: "\"") { escaped.append(UInt8(ascii: "\\")) }
            escaped.append(byte)
        }
        return "\(name)=\"\(ExactText(part: escaped))\""
    }

    /// The options without a value, by their names in lower case.
    private static let flags: [ExactText: KeyOption] = {
        var flags: [ExactText: KeyOption] = ["restrict": .restrict, "cert-authority": .certAuthority]
        for isSet in [true, false] {
            let prefix = isSet ? "" : "no-"
            flags[ExactText("\(prefix)touch-required")] = .touchRequired(isSet)
            flags[ExactText("\(prefix)verify-required")] = .verifyRequired(isSet)
            for permission in Permission.allCases {
                flags[ExactText(prefix + permission.rawValue)] = .permission(permission, allowed: isSet)
            }
        }
        return flags
    }()

    private static let valueNames: Set<ExactText> = [
        "command", "principals", "from", "environment", "permitopen", "permitlisten", "tunnel", "expiry-time",
    ]

    /// The option that a name, in whatever case, and a value without quotes stand for.
    init(name: ExactText, value: ExactText?) throws(SSHWireError) {
        let lowered = name.asciiLowercased
        guard let value else {
            guard !Self.valueNames.contains(lowered) else {
                throw SSHWireError(.invalidValue, "option \(lowered): without a value")
            }
            self = Self.flags[lowered] ?? .unknown(name: name, value: nil)
            return
        }
        guard Self.flags[lowered] == nil else {
            throw SSHWireError(.invalidValue, "option \(lowered): takes no value")
        }
        switch lowered {
        case "command": self = .command(value)
        case "principals":
            self = .principals(
                value.bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
                    ExactText(part: $0)
                })
        case "from": self = .from(try PatternList(value.bytes, "option from"))
        case "environment":
            guard let equals = value.bytes.firstIndex(of: UInt8(ascii: "=")) else {
                throw SSHWireError(.invalidValue, "option environment: NAME=value expected")
            }
            self = .environment(
                name: ExactText(part: value.bytes[..<equals]),
                value: ExactText(part: value.bytes[(equals + 1)...]))
        case "permitopen": self = .permitOpen(value)
        case "permitlisten": self = .permitListen(value)
        case "tunnel": self = .tunnel(value)
        case "expiry-time": self = .expiryTime(try TimestampText(value.string))
        default: self = .unknown(name: name, value: value)
        }
    }

    /// Refuses what sshd would refuse, and what would not be read back as it is.
    func check() throws(SSHWireError) {
        switch self {
        case .restrict, .certAuthority, .permission, .touchRequired, .verifyRequired, .expiryTime: return
        case .command(let command): try Self.checkValue("option command", command)
        case .principals(let names): try Self.checkPrincipals(names)
        case .from(let patterns): try Self.checkValue("option from", ExactText(patterns.text))
        case .environment(let name, let value):
            // `valid_env_name` in misc.c.
            let isName = { (byte: UInt8) in
                byte.isDigit || (0x61...0x7a).contains(byte.lowercased) || byte == UInt8(ascii: "_")
            }
            guard !name.isEmpty, name.bytes.allSatisfy(isName) else {
                throw SSHWireError(
                    .invalidValue, "option environment: a name of letters, digits and _ expected")
            }
            try Self.checkValue("option environment", value)
        case .permitOpen(let target): try Self.checkTarget("option permitopen", target, allowsBarePort: false)
        case .permitListen(let target):
            try Self.checkTarget("option permitlisten", target, allowsBarePort: true)
        case .tunnel(let device):
            // `a2tun` in misc.c; the largest number is `SSH_TUNID_MAX`.
            let number = UInt32(device.string).map { $0 <= 0x7fff_fffd && String($0) == device.string }
            guard device == "any" || number == true else {
                throw SSHWireError(.invalidValue, "option tunnel: a device's number or \"any\" expected")
            }
        case .unknown(let name, let value):
            guard !name.isEmpty, name.bytes.allSatisfy(\.isOptionNameByte) else {
                throw SSHWireError(.invalidValue, "option: a name of letters, digits, - . _ and @ expected")
            }
            if let value { try Self.checkValue("option", value) }
            let readBack = try KeyOption(name: name, value: value)
            guard case .unknown = readBack else {
                throw SSHWireError(.invalidValue, "option \(name): a known option given as an unknown one")
            }
        }
    }

    private static func checkValue(_ field: StaticString, _ value: ExactText) throws(SSHWireError) {
        try refuseControls(value.bytes, field)
        // `opt_dequote` takes a backslash before a quote for an escape and has none for the backslash itself.
        guard value.bytes.last != UInt8(ascii: "\\") else {
            throw SSHWireError(
                .invalidValue, "\(field): ends in a backslash, which would swallow the closing quote")
        }
    }

    private static func checkPrincipals(_ names: [ExactText]) throws(SSHWireError) {
        guard !names.isEmpty, !names.contains("") else {
            throw SSHWireError(.invalidValue, "option principals: an empty name")
        }
        for name in names {
            try checkValue("option principals", name)
            guard !name.bytes.contains(UInt8(ascii: ",")) else {
                throw SSHWireError(
                    .invalidValue,
                    "option principals: \"\(name.string.escapedForTerminal)\" has a comma and would be read as two"
                )
            }
            guard !name.bytes.contains(0x09), name.bytes.count <= Limits.principalBytes else {
                throw SSHWireError(.invalidValue, "option principals: a tab, or a name that is too long")
            }
        }
    }

    /// `handle_permit` in auth-options.c, without its older forms: `host:port`, `[address]:port`, a port or `*`.
    private static func checkTarget(
        _ field: StaticString, _ target: ExactText, allowsBarePort: Bool
    ) throws(SSHWireError) {
        let bytes = target.bytes
        let colon = bytes.lastIndex(of: UInt8(ascii: ":"))
        let host = bytes[..<(colon ?? 0)]
        let port = ExactText(part: bytes[(colon.map { $0 + 1 } ?? 0)...])
        let isBracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
        let isHost =
            host.count < 1_025 && !host.isEmpty && host.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            && (isBracketed ? host.count > 2 : !host.contains { "[]:/\"\\".utf8.contains($0) })
        let number = UInt16(port.string).map { $0 > 0 && String($0) == port.string }
        guard port == "*" || number == true, isHost || (allowsBarePort && colon == nil) else {
            throw SSHWireError(.invalidValue, "\(field): host:port or [address]:port expected")
        }
        try checkValue(field, target)
    }
}

extension UInt8 {
    /// True for what an option's name may consist of.
    var isOptionNameByte: Bool {
        isDigit || (0x61...0x7a).contains(lowercased) || "-._@".utf8.contains(self)
    }
}
