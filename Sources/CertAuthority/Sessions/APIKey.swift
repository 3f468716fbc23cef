// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A workload's API key as the authority keeps it: nothing in it opens anything.
public struct APIKey: Sendable, Hashable {
    /// Its public name: 16 lower-case hexadecimal digits.
    public let id: String
    /// What administrators call it: 1 to 64 of `a-z 0-9 . _ -`, first a letter or digit. No two keys share one.
    public let name: String
    /// SHA-256 of its secret, 32 bytes.
    public let secretDigest: [UInt8]
    /// Facts for the policy, vouched for by whoever made the key.
    public let groups: [String]
    /// From where it may be used; from anywhere if empty.
    public let sourceAddresses: [AddressBlock]
    public let created: UnixTime
    /// From when on it opens nothing; nil if never.
    public let expires: UnixTime?
    /// Whom it logs in: `ci/api-key/NAME`. Workloads of a provider that is called so can't be: its name is taken.
    public let identity: Identity

    /// The longest name, in bytes.
    public static let maximumNameBytes = 64
    /// The most groups of one key, and the most bytes of each: with the addresses they fit a log entry's detail.
    public static let maximumGroups = 32
    public static let maximumGroupBytes = 256
    /// The most blocks of addresses of one key.
    public static let maximumSourceAddresses = 64
    /// The most keys of one authority: all of them are in memory and on one page of a list.
    public static let maximumCount = 1_000
    /// What the identity of each begins with; nobody else gets such an identity.
    public static let identityPrefix = "ci/\(Person.apiKeys)/"

    /// - Parameter secretDigest: ``APIKeyToken/secretDigest`` of what was handed out.
    /// - Throws: `.invalidRequest` naming the field.
    public init(
        id: String, name: String, secretDigest: [UInt8], groups: [String] = [],
        sourceAddresses: [AddressBlock] = [], created: UnixTime, expires: UnixTime? = nil
    ) throws(CertAuthorityError) {
        guard APIKeyToken.isID(id), secretDigest.count == 32 else {
            throw CertAuthorityError(
                .invalidRequest, "API key: an id of 16 hexadecimal digits and a digest of 32 bytes expected")
        }
        try checkWord(name, field: "name", maximumBytes: Self.maximumNameBytes, extra: "._-")
        guard groups.count <= Self.maximumGroups, sourceAddresses.count <= Self.maximumSourceAddresses else {
            throw CertAuthorityError(
                .invalidRequest,
                "API key \(name): \(groups.count) groups and \(sourceAddresses.count) source addresses, at most "
                    + "\(Self.maximumGroups) and \(Self.maximumSourceAddresses) are allowed")
        }
        for group in groups { try checkText(group, field: "group", maximumBytes: Self.maximumGroupBytes) }
        identity = try Identity(Self.identityPrefix + name)
        self.id = id
        self.name = name
        self.secretDigest = secretDigest
        self.groups = groups
        self.sourceAddresses = sourceAddresses
        self.created = created
        self.expires = expires
    }

    /// What sessions that it started are known by.
    public var credential: String { "\(Person.apiKeys):\(id)" }

    /// Whether it may be used from an address; one that isn't known is in no list.
    func isUsable(from address: IPAddress?) -> Bool {
        guard !sourceAddresses.isEmpty else { return true }
        guard let address else { return false }
        return sourceAddresses.contains { $0.contains(address) }
    }
}
