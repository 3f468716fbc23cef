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
    private var usualOptions: UserOptions?

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

    private var blocks: [AddressBlock] {
        if case .blocks(let blocks) = sourceAddress { blocks } else { [] }
    }

    private func options(
        permissions: Set<Permission>, forceCommand asked: String?, addresses: [AddressBlock]
    ) throws(CertAuthorityError) -> UserOptions {
        // What policy mandates comes last, and from nowhere else.
        try UserOptions(
            forceCommand: forceCommand ?? asked, sourceAddresses: addresses, verifyRequired: verifyRequired,
            permissions: permissions, extensions: extensions)
    }
}

extension CertificateTerms {
    /// What a request gets by these terms.
    enum Answer {
        case grant(AccessGrant)
        /// One line each: what does not fit, and how it would.
        case unfit([String])
    }

    func answer(_ request: borrowing AccessRequest, _ facts: borrowing AccessFacts) -> Answer {
        var reasons: [String] = []
        let lifetime = request.lifetime ?? defaultLifetime
        if lifetime == 0 {
            reasons.append("a lifetime of 0 seconds: ask for more, or for none in particular")
        }
        if lifetime > maximumLifetime {
            reasons.append(
                "a lifetime of \(spell(lifetime)): at most \(spell(maximumLifetime)), ask for that")
        } else if facts.now.adding(lifetime) == nil {
            reasons.append(
                "a lifetime of \(spell(lifetime)) from \(facts.now): it ends after the end of time")
        }
        if let asked = request.permissions, !asked.isSubset(of: permissions) {
            let names = asked.subtracting(permissions).map(\.rawValue).sorted().joined(separator: ", ")
            let given = permissions.map(\.rawValue).sorted().joined(separator: ", ")
            reasons.append("permission \(names): only \(given.isEmpty ? "none" : given) can be had")
        }
        if let forceCommand, let asked = request.forceCommand, !asked.utf8.elementsEqual(forceCommand.utf8) {
            reasons.append(
                "the command \"\(asked.escapedForTerminal)\": only \"\(forceCommand.escapedForTerminal)\" can be had, "
                    + "ask for none")
        }
        if verifyRequired, !request.key.keyType.isHardwareBacked {
            reasons.append(
                "a key of type \(request.key.keyType.rawValue): one in a FIDO authenticator is needed "
                    + "(ssh-keygen -t ed25519-sk -O verify-required)")
        }
        var addresses = blocks
        if case .client = sourceAddress {
            if let address = facts.sourceAddress, let block = try? AddressBlock("\(address)") {
                addresses = [block]
            } else {
                reasons.append(
                    "the address that the request comes from isn't known, and the certificate is tied to it")
            }
        }
        let names = names(facts, &reasons)
        guard reasons.isEmpty else { return .unfit(reasons) }
        do {
            let options =
                if let usualOptions, request.permissions == nil, request.forceCommand == nil {
                    usualOptions
                } else {
                    try options(
                        permissions: request.permissions ?? permissions, forceCommand: request.forceCommand,
                        addresses: addresses)
                }
            return .grant(
                AccessGrant(
                    principals: try PrincipalSet(users: names), lifetime: lifetime, options: options,
                    mayUseSudo: mayUseSudo))
        } catch {
            return .unfit([error.reason])
        }
    }

    /// The principals, each once; a reason is added for each that cannot be made.
    private func names(_ facts: borrowing AccessFacts, _ reasons: inout [String]) -> [String] {
        var names: [String] = []
        for template in principals {
            switch template.expand(facts) {
            case .needsLogin:
                reasons.append("principal \(template.text.escapedForTerminal): nobody has logged in")
            case .unfit(let reason):
                reasons.append("principal \(template.text.escapedForTerminal): \(reason)")
            case .text(let bytes):
                let name = String(decoding: bytes, as: UTF8.self)
                if !names.contains(where: { $0.utf8.elementsEqual(bytes) }) { names.append(name) }
            }
        }
        return names
    }

    /// As a person reads them.
    var text: String {
        var parts = ["\(spell(defaultLifetime)) unless asked, at most \(spell(maximumLifetime))"]
        if let forceCommand { parts.append("runs only \"\(forceCommand.escapedForTerminal)\"") }
        switch sourceAddress {
        case .unrestricted: break
        case .client: parts.append("works only from where it was asked for")
        case .blocks(let blocks):
            parts.append("works only from \(blocks.map(\.description).joined(separator: ", "))")
        }
        if verifyRequired { parts.append("the authenticator checks a PIN or fingerprint") }
        if mayUseSudo { parts.append("sudo") }
        return parts.joined(separator: "; ")
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
