// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

@testable import CertAuthority

/// People, hosts and requests of the tests about access.
enum AccessSample {
    /// Monday, 2026-01-05 12:00:00 UTC.
    static let now = AccessTest.defaultTime

    static func person(
        _ identity: String = "alice@example.com", email: String? = "alice@example.com",
        groups: [String] = ["sre"],
        provider: String = "corp", claims: [String: Claim] = ["unix_account": .text("alice")],
        age: UInt64 = 300
    ) throws -> Person {
        Person(
            identity: try Identity(identity), provider: provider, subject: identity, email: email,
            groups: groups,
            claims: .mapping(claims), authenticatedAt: now.subtractingOrEpoch(age))
    }

    static func host(
        _ id: String = "web1", names: [String] = ["web1.example.com"],
        labels: [String: String] = ["team": "infra"]
    ) throws -> ManagedHost {
        try ManagedHost(id: id, names: names, labels: labels)
    }

    static var key: PublicKey { get throws { try PublicKey(.ed25519([UInt8](repeating: 1, count: 32))) } }
    static var hardwareKey: PublicKey {
        get throws { try PublicKey(.skEd25519([UInt8](repeating: 1, count: 32), application: "ssh:")) }
    }

    /// Alice at web1 as deploy from 10.0.0.1, changed by `change`.
    static func request(_ change: (inout AccessRequest) throws -> Void = { _ in }) throws -> AccessRequest {
        var request = AccessRequest(
            person: try person(), key: try key, login: "deploy", host: try host(),
            sourceAddress: try IPAddress("10.0.0.1"), now: now)
        try change(&request)
        return request
    }

    /// A policy of these rules.
    static func policy(_ rules: String, zones: TimeZoneDatabase = .system) throws -> AccessPolicy {
        try AccessPolicy(yaml: "version: 1\nrules:\n" + rules, name: "policy.yaml", zones: zones)
    }

    /// A policy of one rule about every host and account, which allows by these criteria.
    static func allowing(_ criterion: String, more: String = "") throws -> AccessPolicy {
        try policy("- {name: r, hosts: [{any: true}], logins: ['*'], allow: {and: [\(criterion)]}\(more)}\n")
    }

    /// What the error says that `yaml` is refused with.
    static func refusal(_ yaml: String) -> String? {
        do {
            _ = try AccessPolicy(yaml: yaml, name: "policy.yaml")
            return nil
        } catch {
            return error.code == .configuration ? error.reason : "another code: \(error.code)"
        }
    }
}

extension AccessPolicy {
    func answers(_ request: AccessRequest) -> AccessTest.Expectation { decide(request).verdict.expectation }
}

extension AccessDecision {
    var grant: AccessGrant? {
        if case .allowed(let grant) = verdict { grant } else { nil }
    }
}
