// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A rule of an access policy: about which hosts and accounts it is, whom it allows and denies, and what they get.
///
/// Outside its hosts and accounts it says nothing: neither its `allow` nor its `deny` counts there.
///
/// A class, as are selectors, criteria and what is known of a person: each request meets all of them, and a reference
/// costs one count where the fields of a copy would cost a dozen.
final class AccessRule: Sendable {
    /// An entry of `logins`.
    enum Login: Sendable {
        /// `*`.
        case any
        case literal([UInt8])
        case template(AccessTemplate)
    }

    let name: String
    let hosts: [HostSelector]
    /// Empty where the rule doesn't say, which only one without `allow` may: every account.
    let logins: [Login]
    let allow: CriteriaBlock?
    let deny: CriteriaBlock?
    let requiresReason: Bool
    /// Nil where nobody has to approve.
    let approval: ApprovalTerms?
    /// Nil where the policy's own counts.
    let breakGlass: BreakGlass?
    let terms: CertificateTerms
    /// What a person reads who is allowed; made once.
    let allowedReasons: [String]

    init(_ value: YAMLValue, zones: TimeZoneDatabase) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        let nameValue = try mapping.required("name")
        let name = try nameValue.text()
        guard name.utf8.count <= AccessPolicy.maximumNameBytes, AccessTemplate.isPlainWord(Array(name.utf8))
        else {
            throw nameValue.refuse(
                "\"\(name.escapedForTerminal)\": up to \(AccessPolicy.maximumNameBytes) letters, digits and . _ - expected"
            )
        }
        self.name = name
        let hostsValue = try mapping.required("hosts")
        let entries = try hostsValue.items("hosts", maximum: AccessPolicy.maximumEntries)
        guard !entries.isEmpty else {
            throw hostsValue.refuse("no host", hint: "any: true stands for all of them")
        }
        var hosts: [HostSelector] = []
        for entry in entries { hosts.append(try HostSelector(entry)) }
        self.hosts = hosts
        var remaining = AccessPolicy.maximumCriteria
        allow = try mapping.block("allow", zones, &remaining)
        deny = try mapping.block("deny", zones, &remaining)
        guard allow != nil || deny != nil else { throw value.refuse("allow or deny expected") }
        if let value = mapping.value("logins") {
            logins = try Self.logins(value)
        } else {
            guard allow == nil else {
                throw value.refuse("logins is missing", hint: "name the accounts, or \"*\" for all of them")
            }
            logins = []
        }
        for key in ["requires", "certificate", "break_glass"] where allow == nil {
            if let value = mapping.value(key) { throw value.refuse("a rule without allow gives nothing") }
        }
        (requiresReason, approval) = try mapping.requirements(zones, &remaining)
        if let value = mapping.value("break_glass") {
            guard approval != nil else { throw value.refuse("the rule needs no approval that could be passed") }
            breakGlass = try BreakGlass(value, zones: zones, remaining: &remaining)
        } else {
            breakGlass = nil
        }
        terms =
            if var terms = try mapping.mapping("certificate") { try CertificateTerms(&terms) } else {
                try CertificateTerms()
            }
        try mapping.finish()
        allowedReasons = ["allowed by rule \(name)"]
    }

    var requiresApproval: Bool { approval != nil }

    private static func logins(_ value: YAMLValue) throws(CertAuthorityError) -> [Login] {
        var logins: [Login] = []
        guard value.isList else { throw value.refuse("a list of accounts expected") }
        for item in try value.oneOrMore("accounts", maximum: AccessPolicy.maximumEntries) {
            let text = try item.text()
            if text == "*" {
                logins.append(.any)
                continue
            }
            let template = try item.reading { try AccessTemplate(text) }
            guard !template.variables.contains(AccessTemplate.Variable.login) else {
                throw item.refuse(
                    "{login} is the account that is asked for, whichever it is", hint: "write \"*\"")
            }
            for case .literal(let bytes) in template.parts where !bytes.allSatisfy(AccessTemplate.isPlain) {
                throw item.refuse(
                    "\"\(text.escapedForTerminal)\": accounts have letters, digits and . _ -",
                    hint: bytes.contains(UInt8(ascii: "*")) ? "\"*\" stands for every account by itself" : nil
                )
            }
            if let literal = template.literal {
                guard AccessRequest.isAccount(literal) else {
                    throw item.refuse("\"\(text.escapedForTerminal)\": no account is called so")
                }
                logins.append(.literal(literal))
            } else {
                logins.append(.template(template))
            }
        }
        return logins
    }

    func isAbout(host facts: borrowing AccessFacts) -> Bool {
        for host in hosts where host.matches(facts) { return true }
        return false
    }

    /// Whether the account is one of the rule's.
    func isAbout(login facts: borrowing AccessFacts) -> Truth {
        if logins.isEmpty { return .yes }
        var result = Truth.no
        for login in logins {
            switch login {
            case .any: return .yes
            case .literal(let bytes): if bytes == facts.login { return .yes }
            case .template(let template):
                switch template.expand(facts) {
                case .text(let bytes): if bytes == facts.login { return .yes }
                case .needsLogin: result = .unknown
                case .unfit: break
                }
            }
        }
        return result
    }

    /// What the rule gives to a request that its `allow` lets in.
    func answer(_ request: borrowing AccessRequest, _ facts: borrowing AccessFacts) -> CertificateTerms.Answer
    {
        let answer = terms.answer(request, facts)
        guard requiresReason, request.reason?.allSatisfy(\.isWhitespace) ?? true else { return answer }
        let reason = "a reason is needed: give one with --reason"
        guard case .unfit(let reasons) = answer else { return .unfit([reason]) }
        return .unfit([reason] + reasons)
    }
}

extension AccessRequest {
    /// The longest account name, in bytes (useradd(8) allows 32; Linux's utmp holds as many).
    static let maximumAccountBytes = 32

    /// True for what can be an account: a name that separates nothing and begins no option.
    static func isAccount(_ bytes: [UInt8]) -> Bool {
        bytes.count <= maximumAccountBytes && AccessTemplate.isPlainWord(bytes)
    }
}

extension YAMLMapping {
    fileprivate mutating func block(
        _ key: String, _ zones: TimeZoneDatabase, _ remaining: inout Int
    ) throws(CertAuthorityError) -> CriteriaBlock? {
        guard let value = value(key) else { return nil }
        return try CriteriaBlock(value, allows: key == "allow", zones: zones, remaining: &remaining)
    }

    fileprivate mutating func requirements(
        _ zones: TimeZoneDatabase, _ remaining: inout Int
    ) throws(CertAuthorityError) -> (reason: Bool, approval: ApprovalTerms?) {
        guard var mapping = try mapping("requires") else { return (false, nil) }
        let reason = try mapping.bool("reason") ?? false
        var approval: ApprovalTerms?
        if let value = mapping.value("approval") {
            approval = try ApprovalTerms.read(value, zones: zones, remaining: &remaining)
        }
        try mapping.finish()
        return (reason, approval)
    }
}
