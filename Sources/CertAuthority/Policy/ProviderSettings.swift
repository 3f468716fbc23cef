// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An identity provider as `daypassd.yaml` names it (docs/identity.md); what its values mean is checked where it is
/// made.
public struct ProviderSettings: Sendable, Hashable {
    public var name: String
    public var issuer: String
    public var clientID: String
    /// A file with the client's secret, mode 0600.
    public var clientSecretFile: String?
    public var scopes: [String]?
    /// `email`, `subject`, or `claim:` and a claim's name.
    public var identity: String
    public var prefix: String?
    public var groupsClaim: [String]?
    public var domains: [String]
    public var additionalAudiences: [String]
    /// In seconds.
    public var maximumAuthenticationAge: UInt64?
    /// A PEM file with the authorities of the provider's certificate; nil for the system's.
    public var authoritiesFile: String?
    /// The ways to sign in there, the one that is to be preferred first.
    public var signIn: [SignInWay]

    init(_ value: YAMLValue) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        name = try mapping.required("name").text()
        issuer = try mapping.required("issuer").text()
        clientID = try mapping.required("client_id").text()
        clientSecretFile = try mapping.text("client_secret_file")
        scopes = try mapping.list("scopes", maximum: 32)
        identity = try mapping.text("identity") ?? "email"
        guard identity == "email" || identity == "subject" || identity.hasPrefix("claim:") else {
            throw mapping.refuse("identity", "email, subject or claim:NAME expected")
        }
        prefix = try mapping.text("prefix")
        groupsClaim = try mapping.text("groups_claim").map { $0.split(separator: "/").map(String.init) }
        domains = try mapping.list("domains", maximum: 64) ?? []
        additionalAudiences = try mapping.list("additional_audiences", maximum: 32) ?? []
        maximumAuthenticationAge = try mapping.spanOrZero("max_authentication_age")
        signIn = SignInWay.usual
        if let list = mapping.value("sign_in") {
            signIn = []
            for item in try list.items("sign_in", maximum: SignInWay.allCases.count) {
                let word = try item.choice(SignInWay.allCases.map(\.rawValue))
                guard let way = SignInWay(rawValue: word), !signIn.contains(way) else {
                    throw item.refuse("each way once expected")
                }
                signIn.append(way)
            }
            guard !signIn.isEmpty else { throw list.refuse("no way: nobody could sign in") }
        }
        authoritiesFile = try mapping.text("authorities_file")
        try mapping.finish()
    }
}

/// Where workloads' tokens are believed, as `daypassd.yaml` says it.
public struct WorkloadSettings: Sendable, Hashable {
    /// Which workloads are let in: those whose claims have one of the values each.
    public struct Rule: Sendable, Hashable {
        public var claims: [String: Set<String>]
        public var groups: [String]
    }

    public var name: String
    public var issuer: String
    public var audience: String
    /// A template of the identity, for example `{repository}`; nil for the subject.
    public var identity: String?
    public var rules: [Rule]
    public var authoritiesFile: String?

    init(_ value: YAMLValue) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        name = try mapping.required("name").text()
        issuer = try mapping.required("issuer").text()
        audience = try mapping.required("audience").text()
        identity = try mapping.text("identity")
        authoritiesFile = try mapping.text("authorities_file")
        rules = []
        for rule in try mapping.required("rules").items("rules", maximum: 256) {
            var fields = try rule.mapping()
            var claims: [String: Set<String>] = [:]
            var wanted = try fields.required("claims").mapping()
            for name in wanted.names {
                let values = try wanted.required(name).oneOrMore("values", maximum: 256)
                var texts: Set<String> = []
                for value in values { texts.insert(try value.text()) }
                claims[name] = texts
            }
            try wanted.finish()
            rules.append(Rule(claims: claims, groups: try fields.list("groups", maximum: 64) ?? []))
            try fields.finish()
        }
        try mapping.finish()
    }
}
