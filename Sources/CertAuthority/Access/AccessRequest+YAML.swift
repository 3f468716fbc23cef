// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

extension AccessRequest {
    /// The largest file of facts, in bytes.
    public static let maximumFactsBytes = 64 << 10
    /// The most groups of a person in a test, and the most names of a host.
    private static let maximumNames = 256
    /// How deep claims may be nested in a test; a rule reaches five.
    private static let maximumClaimDepth = 8

    /// Reads the facts of one request: the fields of a policy's test, but `name`, `expect` and `rule`.
    ///
    /// JSON will do: it is YAML.
    ///
    /// - Throws: `.configuration` as "file: path: reason".
    public init(facts yaml: String, name: String, now: UnixTime) throws(CertAuthorityError) {
        let form = YAMLForm(maximumBytes: Self.maximumFactsBytes, maximumIndicators: nil)
        var mapping = try form.mapping(yaml, name: name)
        try self.init(&mapping, defaultTime: now)
        try mapping.finish()
    }

    init(_ mapping: inout YAMLMapping, defaultTime: UnixTime) throws(CertAuthorityError) {
        let now =
            try mapping.value("at").map { value throws(CertAuthorityError) in try value.moment() }
            ?? defaultTime
        let person = try Self.person(mapping.required("person"), now: now)
        let host = try Self.host(mapping.required("host"))
        let login = try mapping.required("login").text()
        let key = try Self.key(mapping.value("key"))
        self.init(person: person, key: key, login: login, host: host, now: now)
        if let value = mapping.value("from") {
            let text = try value.text()
            sourceAddress = try value.reading { try IPAddress(text) }
        }
        if let value = mapping.value("lifetime") { lifetime = try value.span() }
        if let value = mapping.value("permissions") {
            var asked: Set<Permission> = []
            for item in try value.items("permissions", maximum: Self.maximumNames) {
                asked.insert(try item.permission())
            }
            permissions = asked
        }
        forceCommand = try mapping.text("force_command")
        reason = try mapping.text("reason")
    }

    static func person(_ value: YAMLValue, now: UnixTime) throws(CertAuthorityError) -> Person? {
        if value.isScalar {
            _ = try value.choice(["nobody"])
            return nil
        }
        var mapping = try value.mapping()
        let identityValue = try mapping.required("identity")
        let text = try identityValue.text()
        let identity = try identityValue.reading { try Identity(text) }
        let provider = try mapping.text("provider") ?? "test"
        let subject = try mapping.text("subject") ?? text
        let email = try mapping.text("email")
        let groups = try mapping.list("groups", maximum: maximumNames) ?? []
        let claims = try mapping.value("claims").map { value throws(CertAuthorityError) in
            guard value.isMapping else { throw value.refuse("a mapping of claims expected") }
            return try value.claim(depth: maximumClaimDepth)
        }
        // How long ago, not when: a test that says when it takes place would have to say it twice.
        let age = try mapping.spanOrZero("authenticated") ?? 0
        try mapping.finish()
        return Person(
            identity: identity, provider: provider, subject: subject, email: email, groups: groups,
            claims: claims ?? .mapping([:]), authenticatedAt: now.subtractingOrEpoch(age))
    }

    static func host(_ value: YAMLValue) throws(CertAuthorityError) -> ManagedHost {
        var mapping = try value.mapping()
        let id = try mapping.required("id").text()
        let names = try mapping.list("names", maximum: maximumNames) ?? []
        var labels: [String: String] = [:]
        if var given = try mapping.mapping("labels") {
            guard given.names.count <= ManagedHost.maximumNames else {
                throw given.value.refuse("at most \(ManagedHost.maximumNames) labels are allowed")
            }
            for name in given.names { labels[name] = try given.required(name).text() }
        }
        try mapping.finish()
        return try value.reading { try ManagedHost(id: id, names: names, labels: labels) }
    }

    /// `ed25519` (the default) or `sk-ed25519` for a key of that type that nobody has, or a key's own line.
    static func key(_ value: YAMLValue?) throws(CertAuthorityError) -> PublicKey {
        let text = try value?.text() ?? "ed25519"
        func make(_ body: () throws -> PublicKey) throws(CertAuthorityError) -> PublicKey {
            if let value { return try value.reading(body) }
            do {
                return try body()
            } catch {
                throw CertAuthorityError(.invalidRequest, "\(error)")
            }
        }
        let bytes = [UInt8](repeating: 1, count: 32)
        return try make {
            switch text {
            case "ed25519": try PublicKey(.ed25519(bytes))
            case "sk-ed25519": try PublicKey(.skEd25519(bytes, application: "ssh:"))
            default: try AuthorizedKey(line: text).key
            }
        }
    }
}
