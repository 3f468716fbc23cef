// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A host that the authority knows.
public struct ManagedHost: Sendable, Hashable {
    /// Its name in the inventory, part of the principals that open it: 1 to 64 of `a-z 0-9 . _ -`, first a letter or
    /// digit.
    public let id: String
    /// The names and addresses that people type, in lower case.
    public let names: [String]
    /// What it belongs to, for example `team: infra`.
    public let labels: [String: String]

    /// The longest id and the longest label name, in bytes.
    public static let maximumIDBytes = 64
    /// The longest label value, in bytes.
    public static let maximumLabelBytes = 64
    /// The most names of one host, and the most labels.
    public static let maximumNames = 64

    /// - Throws: `.invalidRequest` naming the field.
    public init(id: String, names: [String] = [], labels: [String: String] = [:]) throws(CertAuthorityError) {
        try checkWord(id, field: "host id", maximumBytes: Self.maximumIDBytes, extra: "._-")
        guard names.count <= Self.maximumNames, labels.count <= Self.maximumNames else {
            throw CertAuthorityError(
                .invalidRequest,
                "host \(id): \(names.count) names and \(labels.count) labels, at most \(Self.maximumNames) of each are allowed"
            )
        }
        if !names.isEmpty { _ = try PrincipalSet(hosts: names, allowWildcards: false) }
        for (name, value) in labels {
            try checkWord(name, field: "label", maximumBytes: Self.maximumIDBytes, extra: "._-")
            // A label lands in a principal (`deploy@team=infra`): no second "=" or "@" may come from it.
            try checkWord(
                value, field: "label \(name)", maximumBytes: Self.maximumLabelBytes, extra: "._-")
        }
        self.id = id
        self.names = names
        self.labels = labels
    }
}
