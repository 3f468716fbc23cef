// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What a rule puts into the certificates of those whom it allows: its `certificate`.
struct CertificateTerms: Sendable {
    enum SourceAddress: Sendable {
        case unrestricted
        /// Only the address from which the request came.
        case client
        case blocks([AddressBlock])
    }

    /// In seconds.
    private(set) var maximumLifetime: UInt64 = 3_600
    /// In seconds.
    private(set) var defaultLifetime: UInt64 = 600
    private(set) var principals: [AccessTemplate]
    private(set) var permissions: Set<Permission> = [.pty]
    private(set) var extensions: [CertificateOption] = []
    private(set) var forceCommand: String?
    private(set) var sourceAddress = SourceAddress.unrestricted
    private(set) var verifyRequired = false
    private(set) var mayUseSudo = false
    /// What a request gets that asks for nothing special; nil when that depends on where it comes from.
    private(set) var usualOptions: UserOptions?

    /// The longest lifetime that a rule can give, in seconds: 31 days. Who needs longer needs another kind of access.
    static let ceiling: UInt64 = 31 * 86_400
    /// The most principals of one certificate that a rule gives.
    static let maximumPrincipals = 16
    /// The most extensions of a rule, and the most address blocks.
    static let maximumEntries = 64

    /// The terms of a rule that states none.
    init() throws(CertAuthorityError) {
        principals = [try AccessTemplate("{login}@{host}")]
        usualOptions = try options(permissions: permissions, forceCommand: nil, addresses: [])
    }

    init(_ mapping: inout YAMLMapping) throws(CertAuthorityError) {
        try self.init()
        if let value = mapping.value("max_lifetime") {
            maximumLifetime = try value.span()
            guard maximumLifetime <= Self.ceiling else {
                throw value.refuse("\(spell(maximumLifetime)), at most \(spell(Self.ceiling)) are allowed")
            }
        }
        defaultLifetime = min(defaultLifetime, maximumLifetime)
        if let value = mapping.value("default_lifetime") {
            defaultLifetime = try value.span()
            guard defaultLifetime <= maximumLifetime else {
                throw value.refuse(
                    "\(spell(defaultLifetime)) is over max_lifetime, \(spell(maximumLifetime))")
            }
        }
        if let value = mapping.value("principals") {
            principals = []
            for item in try value.oneOrMore("principals", maximum: Self.maximumPrincipals) {
                let text = try item.text()
                let template = try item.reading { try AccessTemplate(text) }
                // What is written must be able to be a principal, whatever the values are.
                let bytes = template.parts.flatMap {
                    if case .literal(let bytes) = $0 { bytes } else { [UInt8]() }
                }
                if !bytes.isEmpty {
                    let example = "x" + String(decoding: bytes, as: UTF8.self)
                    try item.reading { _ = try PrincipalSet(users: [example]) }
                }
                principals.append(template)
            }
        }
        try readRestrictions(&mapping)
        try mapping.finish()
        if case .client = sourceAddress {
            usualOptions = nil
        } else {
            usualOptions = try mapping.value.reading {
                try options(permissions: permissions, forceCommand: nil, addresses: blocks)
            }
        }
    }

    private mutating func readRestrictions(_ mapping: inout YAMLMapping) throws(CertAuthorityError) {
        if let value = mapping.value("permissions") {
            permissions = []
            for item in try value.items("permissions", maximum: Self.maximumEntries) {
                permissions.insert(try item.permission())
            }
        }
        if var given = try mapping.mapping("extensions") {
            guard given.names.count <= Self.maximumEntries else {
                throw given.value.refuse("at most \(Self.maximumEntries) extensions are allowed")
            }
            for name in given.names {
                let value = try given.required(name)
                guard name != ExactText.noTouchRequired.string else {
                    throw value.refuse("keys in an authenticator must be touched: it is no extension to add")
                }
                guard value.isScalar else { throw value.refuse("a text expected") }
                let text = (try? value.text()) ?? ""
                extensions.append(text.isEmpty ? .flag(ExactText(name)) : .text(ExactText(name), text))
            }
        }
        if let value = mapping.value("force_command") {
            let text = try value.text()
            _ = try value.reading { try UserOptions(forceCommand: text) }
            forceCommand = text
        }
        if let value = mapping.value("source_address") {
            if value.isScalar, try value.text() == "client" {
                sourceAddress = .client
            } else {
                var blocks: [AddressBlock] = []
                for item in try value.oneOrMore("addresses", maximum: Self.maximumEntries) {
                    blocks.append(try item.addressBlock())
                }
                sourceAddress = .blocks(blocks)
            }
        }
        if let flag = try mapping.bool("verify_required") { verifyRequired = flag }
        if let flag = try mapping.bool("sudo") { mayUseSudo = flag }
    }

    var blocks: [AddressBlock] {
        if case .blocks(let blocks) = sourceAddress { blocks } else { [] }
    }

    func options(
        permissions: Set<Permission>, forceCommand asked: String?, addresses: [AddressBlock]
    ) throws(CertAuthorityError) -> UserOptions {
        // What policy mandates comes last, and from nowhere else.
        try UserOptions(
            forceCommand: forceCommand ?? asked, sourceAddresses: addresses, verifyRequired: verifyRequired,
            permissions: permissions, extensions: extensions)
    }
}

extension YAMLValue {
    func permission() throws(CertAuthorityError) -> Permission {
        let name = try text()
        guard let permission = Permission(rawValue: name) else {
            throw refuse(
                "\"\(name.escapedForTerminal)\" is not known",
                hint: "known are \(Permission.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return permission
    }

    func addressBlock() throws(CertAuthorityError) -> AddressBlock {
        let text = try text()
        return try reading { try AddressBlock(text) }
    }
}
