// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension Criterion {
    /// The most keys, key types or address blocks in one list.
    private static let maximumEntries = 256

    /// The names that are known, as errors list them.
    private static let known = """
        authenticated_user, authentication_age, claim/PATH, date, day_of_week, domain, email, groups, host_label/NAME, \
        key_type, provider, source_ip, ssh_publickey, ssh_username, ssh_username_matches_claim, \
        ssh_username_matches_email, time_of_day, user
        """

    /// What a criterion of this name and value tests, and how that reads.
    static func parse(
        _ name: String, _ value: YAMLValue, isWanted: Bool, zones: TimeZoneDatabase
    ) throws(CertAuthorityError) -> (Test, String) {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch (parts[0], parts.count) {
        case ("claim", 2...):
            let path = Array(parts.dropFirst())
            guard path.count <= Self.maximumClaimDepth, !path.contains("") else {
                throw value.refuse("a claim's path has 1 to \(Self.maximumClaimDepth) names")
            }
            let matcher = try ListMatcher(value)
            return (.claim(path, matcher), matcher.text)
        case ("host_label", 2):
            guard !parts[1].isEmpty else { throw value.refuse("a label's name expected") }
            let matcher = try TextMatcher(value)
            return (.hostLabel(Array(parts[1].utf8), matcher), matcher.text)
        case (_, 1): return try plain(name, value, isWanted: isWanted, zones: zones)
        default: throw unknown(value)
        }
    }

    private static func unknown(_ value: YAMLValue) -> CertAuthorityError {
        value.refuse("no criterion is called so", hint: "known are \(known)")
    }

    private static func plain(
        _ name: String, _ value: YAMLValue, isWanted: Bool, zones: TimeZoneDatabase
    ) throws(CertAuthorityError) -> (Test, String) {
        switch name {
        case "authenticated_user":
            try value.expectTrue()
            return (.authenticatedUser, "is logged in")
        case "authentication_age":
            var mapping = try value.mapping()
            let maximum = try mapping.required("max").span()
            try mapping.finish()
            return (.authenticationAge(maximum: maximum), "is at most \(spell(maximum))")
        case "provider":
            let matcher = try TextMatcher(value)
            return (.provider(matcher, asksForLogin: isWanted), matcher.text)
        case "user":
            let matcher = try TextMatcher(value)
            return (.user(matcher), matcher.text)
        case "email":
            let matcher = try TextMatcher(value) { EmailAddress($0).normalised }
            return (.email(matcher), matcher.text)
        case "domain":
            let matcher = try TextMatcher(value) { asciiLowercased($0) }
            return (.domain(matcher), matcher.text)
        case "groups":
            let matcher = try ListMatcher(value)
            return (.groups(matcher), matcher.text)
        case "ssh_username":
            let matcher = try TextMatcher(value)
            return (.login(matcher), matcher.text)
        case "ssh_username_matches_email":
            try value.expectTrue()
            return (.loginMatchesEmail, "is what stands before the @")
        case "ssh_username_matches_claim":
            // As `claim/PATH` has it: names separated by slashes.
            let path = try value.text().split(separator: "/", omittingEmptySubsequences: false).map(
                String.init)
            guard path.count <= maximumClaimDepth, !path.contains("") else {
                throw value.refuse("a claim's path has 1 to \(maximumClaimDepth) names")
            }
            return (
                .loginMatchesClaim(path),
                "is a value of claim \(path.joined(separator: "/").escapedForTerminal)"
            )
        default: return try request(name, value, zones: zones)
        }
    }

    private static func request(
        _ name: String, _ value: YAMLValue, zones: TimeZoneDatabase
    ) throws(CertAuthorityError) -> (Test, String) {
        switch name {
        case "ssh_publickey":
            var keys: [PublicKey] = []
            for item in try value.oneOrMore("keys", maximum: maximumEntries) {
                let text = try item.text()
                keys.append(try item.reading { try AuthorizedKey(line: text).key })
            }
            return (.publicKey(keys), "is \(keys.map(\.fingerprint).joined(separator: " or "))")
        case "key_type":
            if value.isScalar, try value.text() == "hardware" {
                return (
                    .keyType(Set(KeyType.allCases.filter(\.isHardwareBacked))), "is in a FIDO authenticator"
                )
            }
            var types: Set<KeyType> = []
            for item in try value.oneOrMore("key types", maximum: maximumEntries) {
                let text = try item.text()
                types.insert(try item.reading { try KeyType(wireName: ExactText(text)) })
            }
            return (.keyType(types), "is \(types.map(\.rawValue).sorted().joined(separator: " or "))")
        case "source_ip":
            var blocks: [AddressBlock] = []
            for item in try value.oneOrMore("addresses", maximum: maximumEntries) {
                blocks.append(try item.addressBlock())
            }
            return (.sourceAddress(blocks), "is in \(blocks.map(\.description).joined(separator: ", "))")
        case "date": return try date(value)
        case "day_of_week": return try weekdays(value, zones)
        case "time_of_day": return try timeOfDay(value, zones)
        default: throw unknown(value)
        }
    }
}

extension YAMLValue {
    fileprivate func expectTrue() throws(CertAuthorityError) {
        guard try text() == "true" else { throw refuse("true expected; not and nor say the contrary") }
    }
}
