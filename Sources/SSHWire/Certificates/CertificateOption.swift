// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A critical option or extension of a certificate: a name and data whose form the name decides.
public struct CertificateOption: Sendable, Hashable {
    /// The option's name.
    public let name: ExactText
    /// Its data: nothing for flags, a `string` in it for options with a value (draft-ietf-sshm-cert-01, section 2.4).
    public let data: [UInt8]

    /// An option with data of any form.
    public init(name: ExactText, rawData data: [UInt8]) {
        self.name = name
        self.data = data
    }

    /// An option that is either there or not.
    public static func flag(_ name: ExactText) -> CertificateOption {
        CertificateOption(name: name, rawData: [])
    }

    /// An option with a text.
    public static func text(_ name: ExactText, _ value: String) -> CertificateOption {
        var writer = WireWriter()
        writer.writeString(value)
        return CertificateOption(name: name, rawData: writer.bytes)
    }

    /// The text in the data, nil for a flag.
    ///
    /// - Throws: when the data is neither empty nor exactly one `string` of text.
    public var value: ExactText? {
        get throws(SSHWireError) {
            guard !data.isEmpty else { return nil }
            var reader = WireReader(data.span)
            let text = try reader.readText("option data", upTo: Limits.optionsBytes)
            try reader.finish("option data")
            return text
        }
    }
}

extension ExactText {
    /// Critical options (draft-ietf-sshm-cert-01, section 2.4; `verify-required` since OpenSSH 9.1).
    public static let forceCommand: ExactText = "force-command"
    public static let sourceAddress: ExactText = "source-address"
    public static let verifyRequired: ExactText = "verify-required"
    /// Extensions (draft-ietf-sshm-cert-01, section 2.5).
    public static let noTouchRequired: ExactText = "no-touch-required"
    public static let permitX11Forwarding: ExactText = "permit-X11-forwarding"
    public static let permitAgentForwarding: ExactText = "permit-agent-forwarding"
    public static let permitPortForwarding: ExactText = "permit-port-forwarding"
    public static let permitPTY: ExactText = "permit-pty"
    public static let permitUserRC: ExactText = "permit-user-rc"
}

extension WireReader {
    /// Reads the options of one kind, which must be in byte order and named once (draft-ietf-sshm-cert-01,
    /// section 2.1).
    ///
    /// OpenSSH sorts when it writes and refuses a repeated option when it is used (`cert_option_list`); whoever sees
    /// another order or a second mention is looking at a certificate that two readers may read differently.
    mutating func readOptions(_ field: StaticString) throws(SSHWireError) -> [CertificateOption] {
        try readNested(field, upTo: Limits.optionsBytes) { inner throws(SSHWireError) in
            var options: [CertificateOption] = []
            while !inner.isAtEnd {
                guard options.count < Limits.options else {
                    throw SSHWireError(.tooLong, "\(field): over \(Limits.options) options")
                }
                let name = try inner.readText("option name", upTo: Limits.optionNameBytes)
                guard !name.isEmpty else {
                    throw SSHWireError(.invalidValue, "\(field): an option without a name")
                }
                if let last = options.last {
                    guard last.name != name else {
                        throw SSHWireError(
                            .duplicate, "\(field): \"\(name.string.escapedForTerminal)\" occurs twice")
                    }
                    guard last.name < name else {
                        throw SSHWireError(
                            .unordered,
                            "\(field): \"\(name.string.escapedForTerminal)\" stands after "
                                + "\"\(last.name.string.escapedForTerminal)\"")
                    }
                }
                let data = try inner.readBytes("option data", upTo: Limits.optionsBytes)
                options.append(CertificateOption(name: name, rawData: data))
            }
            return options
        }
    }
}

extension WireWriter {
    /// Appends options of one kind as they are.
    mutating func writeOptions(_ options: [CertificateOption]) {
        writeNested { writer in
            for option in options {
                writer.writeString(option.name)
                writer.writeString(option.data)
            }
        }
    }
}
