// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The options of one line in their order, which counts: `restrict,pty` allows a terminal, `pty,restrict` does not.
public struct KeyOptions: Sendable, Hashable {
    /// The options.
    public let options: [KeyOption]

    /// No options: everything is allowed.
    public static let none = KeyOptions(unchecked: [])

    private init(unchecked options: [KeyOption]) { self.options = options }

    /// Checks options.
    ///
    /// - Throws: `.duplicate` for a second `command`, `principals` or `from`, which sshd refuses; `.invalidValue` and
    ///   `.notText` for values that sshd refuses or would read as something else; `.tooLong`.
    public init(_ options: [KeyOption]) throws(SSHWireError) {
        guard options.count <= Limits.keyOptions else {
            throw SSHWireError(
                .tooLong, "options: \(options.count), at most \(Limits.keyOptions) are allowed")
        }
        var seen: Set<String> = []
        for option in options {
            try option.check()
            let name: String? =
                switch option {
                case .command: "command"
                case .principals: "principals"
                case .from: "from"
                default: nil
                }
            if let name, !seen.insert(name).inserted {
                throw SSHWireError(.duplicate, "options: \(name) occurs twice")
            }
        }
        self.options = options
    }

    /// The options as they are written; empty for none.
    public var text: String { options.map(\.text).joined(separator: ",") }

    /// True when the key is a CA's.
    public var isCertAuthority: Bool { options.contains(.certAuthority) }

    /// The names of which a certificate must have one; nil when the account's name is what counts.
    public var principals: [ExactText]? {
        for case .principals(let names) in options { return names }
        return nil
    }

    /// The command that runs whatever the client asks for.
    public var command: ExactText? {
        for case .command(let command) in options { return command }
        return nil
    }

    /// What the line leaves allowed, as sshd adds it up.
    public var permissions: Set<Permission> {
        var allowed = Set(Permission.allCases)
        for option in options {
            switch option {
            case .restrict: allowed = []
            case .permission(let permission, true): allowed.insert(permission)
            case .permission(let permission, false): allowed.remove(permission)
            default: break
            }
        }
        return allowed
    }

    /// The names of options that Daypass does not know. When sshd does not know one either, it ignores the line.
    public var unknownNames: [ExactText] {
        options.compactMap {
            guard case .unknown(let name, _) = $0 else { return nil }
            return name
        }
    }

    /// The earliest `expiry-time`, nil when there is none.
    ///
    /// - Parameter zoneOffset: for times without `Z`; see ``TimestampText/time(zoneOffset:)``.
    public func expiry(zoneOffset: Int? = nil) throws(SSHWireError) -> UnixTime? {
        var earliest: UnixTime?
        for case .expiryTime(let text) in options {
            let time = try text.time(zoneOffset: zoneOffset)
            earliest = min(time, earliest ?? time)
        }
        return earliest
    }
}

extension LineScanner {
    /// Reads options up to the first blank outside quotes, and moves over the blanks behind.
    mutating func readOptions() throws(SSHWireError) -> KeyOptions {
        var options: [KeyOption] = []
        repeat {
            guard options.count < Limits.keyOptions else {
                throw SSHWireError(.tooLong, "options: over \(Limits.keyOptions)")
            }
            let option = try readOption()
            options.append(try KeyOption(name: option.name, value: option.value))
        } while skip(UInt8(ascii: ","))
        guard isAtEnd || next?.isBlank == true else {
            throw SSHWireError(.invalidValue, "options: a comma or a blank expected at byte \(offset + 1)")
        }
        skipBlanks()
        return try KeyOptions(options)
    }

    /// Reads `name` or `name="value"`, the quotes and the backslashes before quotes taken off.
    mutating func readOption() throws(SSHWireError) -> (name: ExactText, value: ExactText?) {
        let name = read(while: \.isOptionNameByte)
        guard !name.isEmpty else {
            throw SSHWireError(.invalidValue, "options: a name expected at byte \(offset + 1)")
        }
        guard skip(UInt8(ascii: "=")) else { return (ExactText(part: name), nil) }
        guard skip(UInt8(ascii: "\"")) else {
            throw SSHWireError(.invalidValue, "option \(describe(name)): its value must be in quotes")
        }
        var value: [UInt8] = []
        while let byte = next, byte != UInt8(ascii: "\"") {
            _ = skip(byte)
            if byte == UInt8(ascii: "\\"), skip(UInt8(ascii: "\"")) {
                value.append(UInt8(ascii: "\""))
            } else {
                value.append(byte)
            }
        }
        guard skip(UInt8(ascii: "\"")) else {
            throw SSHWireError(.truncated, "option \(describe(name)): no closing quote")
        }
        return (ExactText(part: name), ExactText(part: value))
    }
}
