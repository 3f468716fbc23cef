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
        try Self.checkWord(id, field: "host id", maximumBytes: Self.maximumIDBytes, extra: "._-")
        guard names.count <= Self.maximumNames, labels.count <= Self.maximumNames else {
            throw CertAuthorityError(
                .invalidRequest,
                "host \(id): \(names.count) names and \(labels.count) labels, at most \(Self.maximumNames) of each are allowed"
            )
        }
        if !names.isEmpty { _ = try PrincipalSet(hosts: names, allowWildcards: false) }
        for (name, value) in labels {
            try Self.checkWord(name, field: "label", maximumBytes: Self.maximumIDBytes, extra: "._-")
            // A label lands in a principal (`deploy@team=infra`): no second "=" or "@" may come from it.
            try Self.checkWord(
                value, field: "label \(name)", maximumBytes: Self.maximumLabelBytes, extra: "._-")
        }
        self.id = id
        self.names = names
        self.labels = labels
    }

    private static func checkWord(
        _ word: String, field: String, maximumBytes: Int, extra: String
    ) throws(CertAuthorityError) {
        try checkText(word, field: field, maximumBytes: maximumBytes)
        let isPlain = word.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || extra.utf8.contains(byte)
        }
        guard isPlain, let first = word.utf8.first, !extra.utf8.contains(first) else {
            throw CertAuthorityError(
                .invalidRequest,
                "\(field) \"\(word)\": letters a to z, digits and \(extra) expected, first a letter or digit")
        }
    }
}
