// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a user certificate is restricted to and what it allows.
public struct UserOptions: Sendable, Hashable {
    /// The only command that sshd will run.
    public let forceCommand: String?
    /// The only addresses to log in from; none for any.
    public let sourceAddresses: [AddressBlock]
    /// Whether the FIDO authenticator must check a PIN or fingerprint at each login.
    public let verifyRequired: Bool
    /// What sshd may grant beside running commands.
    public let permissions: Set<Permission>
    /// Further extensions, in the order given.
    public let extensions: [CertificateOption]

    /// The critical options that these restrictions make, in byte order.
    let criticalOptions: [CertificateOption]
    /// The extensions, permissions among them, in byte order.
    let allExtensions: [CertificateOption]

    /// The longest command and the longest extension value, in bytes.
    public static let maximumTextBytes = 4_096

    /// - Throws: `.invalidRequest` for what would say something else in a certificate, or could not be read there.
    public init(
        forceCommand: String? = nil, sourceAddresses: [AddressBlock] = [], verifyRequired: Bool = false,
        permissions: Set<Permission> = [.pty], extensions: [CertificateOption] = []
    ) throws(CertAuthorityError) {
        if let forceCommand {
            try checkText(forceCommand, field: "force-command", maximumBytes: Self.maximumTextBytes)
        }
        if !sourceAddresses.isEmpty {
            do {
                _ = try AddressBlock.list(Self.listText(sourceAddresses))
            } catch {
                throw CertAuthorityError(.invalidRequest, error.reason)
            }
        }
        guard permissions.count + extensions.count <= Limits.options else {
            throw CertAuthorityError(
                .invalidRequest,
                "\(permissions.count + extensions.count) permissions and extensions: at most \(Limits.options) "
                    + "are allowed")
        }
        var seen: Set<ExactText> = []
        for option in extensions {
            try Self.check(option)
            guard seen.insert(option.name).inserted else {
                throw CertAuthorityError(.invalidRequest, "extension \(option.name) is given twice")
            }
        }
        self.forceCommand = forceCommand
        self.sourceAddresses = sourceAddresses
        self.verifyRequired = verifyRequired
        self.permissions = permissions
        self.extensions = extensions
        // Made once: one set of options is often asked for with many keys.
        var critical: [CertificateOption] = []
        if let forceCommand { critical.append(.text(.forceCommand, forceCommand)) }
        if !sourceAddresses.isEmpty {
            critical.append(.text(.sourceAddress, sourceAddresses.map(\.description).joined(separator: ",")))
        }
        if verifyRequired { critical.append(.flag(.verifyRequired)) }
        criticalOptions = critical
        allExtensions = (extensions + permissions.map { .flag($0.extensionName) }).sorted {
            $0.name < $1.name
        }
    }

    /// An extension from `NAME` or `NAME=VALUE`.
    ///
    /// - Throws: for names that say something else here: permissions are asked for as such, and a critical option
    ///   among the extensions would be ignored by sshd.
    public static func parseExtension(_ text: String) throws(CertAuthorityError) -> CertificateOption {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = ExactText(String(parts[0]))
        let option = parts.count == 2 ? CertificateOption.text(name, String(parts[1])) : .flag(name)
        try check(option)
        return option
    }

    /// Refuses an extension that policy has its own words for, or that not every reader reads alike.
    private static func check(_ option: CertificateOption) throws(CertAuthorityError) {
        let name = option.name.string
        try checkText(name, field: "extension", maximumBytes: Limits.optionNameBytes)
        guard name.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ",") }) else {
            throw CertAuthorityError(
                .invalidRequest,
                "extension \"\(name.escapedForTerminal)\": printable ASCII without comma expected")
        }
        if let permission = Permission.allCases.first(where: { $0.extensionName == option.name }) {
            throw CertAuthorityError(
                .invalidRequest, "extension \(name) is a permission",
                hint: "use --permit \(permission.rawValue)")
        }
        guard ![.forceCommand, .sourceAddress, .verifyRequired].contains(option.name) else {
            throw CertAuthorityError(
                .invalidRequest,
                "extension \(name) is a critical option: as an extension it would be ignored",
                hint: "use --\(name)")
        }
        guard !option.data.isEmpty else { return }
        guard option.name != .noTouchRequired else {
            throw CertAuthorityError(.invalidRequest, "extension \(name) takes no value")
        }
        do {
            let value = try option.value?.string ?? ""
            try checkText(value, field: "extension \(name)", maximumBytes: maximumTextBytes)
        } catch let error as SSHWireError {
            throw CertAuthorityError(.invalidRequest, "extension \(name): \(error.reason)")
        } catch let error as CertAuthorityError {
            throw error
        } catch {
            throw CertAuthorityError(.invalidRequest, "extension \(name): \(error)")
        }
    }

    private static func listText(_ blocks: [AddressBlock]) -> String {
        blocks.map(\.description).joined(separator: ",")
    }
}
