// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The people, hosts and accounts over which two policies are compared.
public struct AccessUniverse: Sendable {
    public private(set) var people: [Person] = []
    public private(set) var hosts: [ManagedHost] = []
    public private(set) var logins: [String] = []
    /// Requests that are compared as they are: with their own time, address and key.
    public private(set) var requests: [AccessRequest] = []

    /// The most requests that two policies are compared over: some seconds of work.
    public static let maximumRequests = 1_000_000
    /// The most people, hosts and accounts in one file.
    private static let maximumEntries = 10_000

    public init(people: [Person] = [], hosts: [ManagedHost] = [], logins: [String] = []) {
        add(people: people, hosts: hosts, logins: logins)
    }

    /// Whoever and whatever is in the policies' tests.
    public init(testsOf policies: AccessPolicy...) {
        for policy in policies {
            for test in policy.tests {
                add(
                    people: test.request.person.map { [$0] } ?? [], hosts: [test.request.host],
                    logins: [test.request.login])
                requests.append(test.request)
            }
        }
    }

    /// Adds what isn't there yet; people are told apart by their identity, hosts by their id.
    public mutating func add(people: [Person] = [], hosts: [ManagedHost] = [], logins: [String] = []) {
        var knownPeople = Set(self.people.map(\.identity))
        var knownHosts = Set(self.hosts.map(\.id))
        var knownLogins = Set(self.logins.map { ExactText($0) })
        self.people += people.filter { knownPeople.insert($0.identity).inserted }
        self.hosts += hosts.filter { knownHosts.insert($0.id).inserted }
        self.logins += logins.filter { knownLogins.insert(ExactText($0)).inserted }
    }

    /// Reads `people`, `hosts` and `logins`, lists of what a policy's tests have, and adds them.
    ///
    /// - Throws: `.configuration` as "file: path: reason".
    public mutating func add(yaml: String, name: String) throws(CertAuthorityError) {
        var mapping = try AccessPolicy.form.mapping(yaml, name: name)
        var people: [Person] = []
        var hosts: [ManagedHost] = []
        if let value = mapping.value("people") {
            for item in try value.items("people", maximum: Self.maximumEntries) {
                if let person = try AccessRequest.person(item, now: AccessTest.defaultTime) {
                    people.append(person)
                }
            }
        }
        if let value = mapping.value("hosts") {
            for item in try value.items("hosts", maximum: Self.maximumEntries) {
                hosts.append(try AccessRequest.host(item))
            }
        }
        let logins = try mapping.list("logins", maximum: Self.maximumEntries) ?? []
        try mapping.finish()
        add(people: people, hosts: hosts, logins: logins)
    }
}
