// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

extension Sample {
    static func person(
        _ identity: String = "alice@example.com", subject: String = "alice", email: String? = nil,
        groups: [String] = [], claims: Claim = .mapping([:])
    ) throws -> Person {
        Person(
            identity: try Identity(identity), provider: "example", subject: subject, email: email,
            groups: groups, claims: claims, authenticatedAt: UnixTime(seconds: 1_795_237_200))
    }

    static func session(
        _ id: String = "0123456789abcdef0123456789abcdef", person: Person? = nil, credential: String? = nil,
        source: String = "192.0.2.1", expires: UInt64 = 1_795_280_400
    ) throws -> LoginSession {
        LoginSession(
            id: id, person: try person ?? Self.person(), key: try SampleKey(seed: 50).publicKey,
            credential: credential, sourceAddress: source, created: UnixTime(seconds: 1_795_237_200),
            expires: UnixTime(seconds: expires))
    }

    static func enrolledKey(
        seed: UInt8 = 60, _ identity: String = "alice@example.com", email: String? = nil,
        groups: [String] = []
    ) throws -> EnrolledKey {
        try EnrolledKey(
            key: try SampleKey(seed: seed).publicKey, identity: try Identity(identity), email: email,
            groups: groups, added: UnixTime(seconds: 1_795_237_200))
    }

    static func apiKey(
        _ name: String = "deploy", id: String = "0123456789abcdef", groups: [String] = [],
        from addresses: [String] = [], expires: UInt64? = nil
    ) throws -> APIKey {
        try APIKey(
            id: id, name: name, secretDigest: Array(0..<32), groups: groups,
            sourceAddresses: try addresses.map { try AddressBlock($0) },
            created: UnixTime(seconds: 1_795_237_200), expires: expires.map { UnixTime(seconds: $0) })
    }

    /// Claims of every shape that there is.
    static let claims: [Claim] = [
        .null, .bool(true), .bool(false), .number(0), .number(1), .number(-1), .number(.max), .number(.min),
        .text(""), .text("0"), .text("true"), .text("null"), .text("1e3"), .list([]), .mapping([:]),
        .list([.null, .bool(true), .number(1), .text("1"), .list([]), .mapping(["a": .null])]),
        .mapping(["": .text("no name"), "a.b": .number(1), "a": .mapping(["b": .list([.bool(false)])])]),
        .list((0..<300).map { .number($0) }),
        nested(LoginSession.maximumClaimDepth),
    ]

    /// Lists within each other.
    static func nested(_ depth: Int) -> Claim {
        (0..<depth).reduce(.number(1)) { claim, _ in .list([claim]) }
    }

    /// Text that acts on terminals, SQL, JSON or comparisons.
    static let hostileTexts = [
        "'; DROP TABLE sessions; --", "\"}],{\\", "\u{1b}[31mred\u{202e}", "line\nfeed\r\t",
        "\u{fffd}\u{feff}",
        "e\u{301}", "\u{e9}", "\u{1f468}\u{200d}\u{1f4bb}", "?1 ?2 :name @name $1 %s %n", "${jndi:ldap://x}",
        String(repeating: "long ", count: 10_000), " ", "\u{7f}\u{80}\u{85}\u{2028}",
    ]
}
