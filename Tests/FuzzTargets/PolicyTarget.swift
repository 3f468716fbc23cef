// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

extension FuzzTarget {
    /// An access policy: read, asked about a few people, explained.
    static let accessPolicy = FuzzTarget("access-policy", maximumBytes: 8 << 10) {
        input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self) else { return .refused }
        let zones = TimeZoneDatabase.none
        _ = try attempt { try AccessPolicy(yaml: text, name: "policy.yaml", zones: zones) }
        guard
            let policy = try attempt({
                try AccessPolicy(untestedYAML: text, name: "policy.yaml", zones: zones)
            })
        else { return .refused }
        for result in policy.testResults() {
            if let failure = result.failure { try requireOneLine(failure, "a test's failure") }
        }
        for warning in policy.warnings { try requireOneLine(warning.text, "a warning") }
        guard let requests = try attempt({ try somebodysRequests() }) else {
            throw BrokenProperty("requests can be made")
        }
        for request in requests { try askAbout(request, policy) }
        return .accepted
    }

    private static func somebodysRequests() throws -> [AccessRequest] {
        let now = AccessTest.defaultTime
        let alice = Person(
            identity: try Identity("alice@example.com"), provider: "corp", subject: "1",
            email: "alice@example.com",
            groups: ["sre", "dev"],
            claims: .mapping(["unix_account": .text("alice"), "name": .text("alice,root\u{1b}")]),
            authenticatedAt: now.subtractingOrEpoch(600))
        let bytes = [UInt8](repeating: 1, count: 32)
        let host = try ManagedHost(id: "web1", names: ["web1.example.com"], labels: ["team": "infra"])
        let address = try IPAddress("10.0.0.1")
        let keys = [try PublicKey(.ed25519(bytes)), try PublicKey(.skEd25519(bytes, application: "ssh:"))]
        var requests: [AccessRequest] = []
        for person in [alice, nil] {
            for login in ["deploy", "root", "alice", "a\u{1b}[2J"] {
                requests.append(
                    AccessRequest(
                        person: person, key: keys[requests.count % 2], login: login, host: host,
                        sourceAddress: address,
                        now: now, reason: login == "root" ? nil : "a reason"))
            }
        }
        requests.append(
            AccessRequest(
                person: alice, key: keys[0], login: "deploy", host: host, now: .forever, lifetime: .max,
                permissions: [.agentForwarding], forceCommand: "a\u{1b}[2J"))
        return requests
    }

    private static func askAbout(_ request: AccessRequest, _ policy: AccessPolicy) throws(BrokenProperty) {
        let decision = policy.decide(request)
        try require(!decision.reasons.isEmpty, "a decision has a reason")
        for reason in decision.reasons { try requireOneLine(reason, "a reason") }
        let explanation = policy.explain(request)
        try require(explanation.decision.verdict == decision.verdict, "an explanation is of the decision")
        for line in explanation.text.split(separator: "\n") {
            try requireOneLine(String(line), "an explanation's line")
        }
        if case .allowed(let grant) = decision.verdict {
            try require(request.person != nil, "nobody is never allowed")
            try require(
                grant.lifetime > 0 && grant.lifetime <= request.lifetime ?? .max,
                "a lifetime is what was asked for")
            for name in grant.principals.names {
                try require(
                    !name.string.utf8.contains { ",*? ".utf8.contains($0) },
                    "a principal is one name: \(name)")
            }
        }
    }
}
