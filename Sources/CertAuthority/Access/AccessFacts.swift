// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A request as rules look at it: texts as bytes, taken apart once for all rules.
///
/// Texts are compared as bytes: Swift's strings hold "é" in its two Unicode spellings to be equal.
struct AccessFacts {
    let login: [UInt8]
    let hostID: [UInt8]
    let hostNames: [[UInt8]]
    let labels: [(name: [UInt8], value: [UInt8])]
    let person: PersonFacts?
    let sourceAddress: IPAddress?
    let now: UnixTime
    /// Nil where no key is asked about.
    let key: PublicKey?

    init(_ request: borrowing AccessRequest) {
        login = Array(request.login.utf8)
        hostID = Array(request.host.id.utf8)
        hostNames = request.host.names.map { Array($0.utf8) }
        labels = request.host.labels.map { (Array($0.key.utf8), Array($0.value.utf8)) }
        person = request.person.map { PersonFacts($0) }
        sourceAddress = request.sourceAddress
        now = request.now
        key = request.key
    }

    /// What is known of somebody who administers: no host, account or key.
    init(administrator person: Person, at now: UnixTime, from sourceAddress: IPAddress?) {
        login = []
        hostID = []
        hostNames = []
        labels = []
        self.person = PersonFacts(person)
        self.sourceAddress = sourceAddress
        self.now = now
        key = nil
    }

    func label(_ name: [UInt8]) -> [UInt8]? {
        for label in labels where label.name == name { return label.value }
        return nil
    }
}

/// What rules ask of a person.
final class PersonFacts {
    let identity: [UInt8]
    let provider: [UInt8]
    /// With the domain in lower case.
    let email: [UInt8]?
    let domain: [UInt8]?
    /// What stands before the last `@` of the e-mail address.
    let localPart: [UInt8]?
    let groups: [[UInt8]]
    let claims: Claim
    let authenticatedAt: UnixTime

    init(_ person: Person) {
        identity = Array(person.identity.text.string.utf8)
        provider = Array(person.provider.utf8)
        let address = person.email.map { EmailAddress(Array($0.utf8)) }
        email = address?.normalised
        domain = address?.domain
        localPart = address?.localPart
        groups = person.groups.map { Array($0.utf8) }
        claims = person.claims
        authenticatedAt = person.authenticatedAt
    }
}

/// An e-mail address taken apart at its last `@` (RFC 5321, section 4.1.2: a domain has none, a quoted local part may).
struct EmailAddress {
    /// The address with its domain in lower case; ASCII letters only.
    let normalised: [UInt8]
    /// Nil without an `@` or with nothing on one of its sides.
    let domain: [UInt8]?
    let localPart: [UInt8]?

    init(_ bytes: [UInt8]) {
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else {
            (normalised, domain, localPart) = (bytes, nil, nil)
            return
        }
        let domain = asciiLowercased(bytes[(at + 1)...])
        normalised = bytes[...at] + domain
        let isWhole = at > 0 && !domain.isEmpty
        self.domain = isWhole ? domain : nil
        localPart = isWhole ? Array(bytes[..<at]) : nil
    }
}

func asciiLowercased(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    bytes.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }
}
