// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

/// The facts of one request, as options give them.
struct PolicyFacts: ParsableArguments {
    @Option(help: ArgumentHelp("Take the facts of this test of the policy.", valueName: "NAME"))
    var test: String?

    @Option(
        help: ArgumentHelp(
            "Take the facts in this file: YAML or JSON with the fields of a test.", valueName: "FILE"))
    var facts: String?

    @Option(help: ArgumentHelp("Whose identity asks; nobody for nobody.", valueName: "ID"))
    var person: String?

    @Option(help: ArgumentHelp("Their verified e-mail address.", valueName: "ADDRESS"))
    var email: String?

    @Option(help: ArgumentHelp("A group that they are in. Repeatable.", valueName: "NAME"))
    var group: [String] = []

    @Option(help: ArgumentHelp("A claim about them. Repeatable.", valueName: "NAME=VALUE"))
    var claim: [String] = []

    @Option(help: ArgumentHelp("The identity provider that they came by.", valueName: "NAME"))
    var provider: String?

    @Option(help: ArgumentHelp("How long ago they logged in (default: just now).", valueName: "SPAN"))
    var authenticated: String?

    @Option(help: ArgumentHelp("The host's id.", valueName: "ID"))
    var host: String?

    @Option(help: ArgumentHelp("A further name of the host. Repeatable.", valueName: "NAME"))
    var hostname: [String] = []

    @Option(help: ArgumentHelp("A label of the host. Repeatable.", valueName: "NAME=VALUE"))
    var label: [String] = []

    @Option(help: ArgumentHelp("The account.", valueName: "NAME"))
    var login: String?

    @Option(help: ArgumentHelp("The address that the request comes from.", valueName: "IP"))
    var from: String?

    @Option(
        help: ArgumentHelp(
            "The key to certify: a .pub file, ed25519 (default) or sk-ed25519.", valueName: "KEY"))
    var key: String?

    @Option(help: ArgumentHelp("When it is asked (default: now).", valueName: "TIME"))
    var at: String?

    @Option(help: ArgumentHelp("For how long it is asked.", valueName: "SPAN"))
    var lifetime: String?

    @Option(help: ArgumentHelp("Why it is asked.", valueName: "TEXT"))
    var reason: String?

    /// What the facts make a request of.
    func request(for policy: AccessPolicy, now: UnixTime) throws -> AccessRequest {
        var request = try base(policy, now)
        if let at { request.now = try TimeArgument.parse(at, field: "--at", now: now) }
        if let person { request.person = try somebody(person, policy, at: request.now) }
        if person == nil, !isEmptyOfPersons {
            guard let known = request.person else {
                throw Failure(ExitStatus.usage, "there is nobody to know this about", hint: "use --person ID")
            }
            request.person = try changed(known, at: request.now)
        }
        if let from { request.sourceAddress = try IPAddress(from) }
        if let lifetime { request.lifetime = try parseTimeSpan(lifetime, field: "--lifetime") }
        if let reason { request.reason = reason }
        return request
    }

    private var isEmptyOfPersons: Bool {
        email == nil && group.isEmpty && claim.isEmpty && provider == nil && authenticated == nil
    }

    /// The request of a test or a file, else one of the options that it needs; with the options that replace parts whole.
    private func base(_ policy: AccessPolicy, _ now: UnixTime) throws -> AccessRequest {
        guard test == nil || facts == nil else {
            throw Failure(ExitStatus.usage, "--test and --facts: one of them at most")
        }
        var base: AccessRequest?
        if let test {
            guard let known = policy.tests.first(where: { $0.name.utf8.elementsEqual(test.utf8) }) else {
                throw CertAuthorityError(.notFound, "no test is called \(test.escapedForTerminal)")
            }
            base = known.request
        } else if let facts {
            let (yaml, name) = try PolicyFile.text(facts, maximumBytes: AccessRequest.maximumFactsBytes)
            base = try AccessRequest(facts: yaml, name: name, now: now)
        }
        var place = base?.host
        if let host {
            let known = policy.tests.lazy.map(\.request.host).first { $0.id == host }
            place = try known ?? ManagedHost(id: host)
        }
        guard let place, let login = login ?? base?.login, base != nil || person != nil else {
            throw Failure(
                ExitStatus.usage, "who wants to enter which host as whom isn't said",
                hint: "use --person, --host and --login, or --test, or --facts")
        }
        var labels = place.labels
        for text in label {
            let (name, value) = try pair(text, "--label")
            labels[name] = value
        }
        let host = try ManagedHost(id: place.id, names: place.names + hostname, labels: labels)
        var request =
            try base
            ?? AccessRequest(
                person: nil, key: publicKey(key ?? "ed25519"), login: login, host: host, now: now)
        request.host = host
        request.login = login
        if let key { request.key = try publicKey(key) }
        return request
    }

    private func publicKey(_ text: String) throws -> PublicKey {
        let bytes = [UInt8](repeating: 1, count: 32)
        return switch text {
        case "ed25519": try PublicKey(.ed25519(bytes))
        case "sk-ed25519": try PublicKey(.skEd25519(bytes, application: "ssh:"))
        default: try PublicKeyFile.read(text)
        }
    }

    private func somebody(_ name: String, _ policy: AccessPolicy, at now: UnixTime) throws -> Person? {
        if name == "nobody" { return nil }
        let identity = try Identity(name, field: "--person")
        let known = policy.tests.lazy.compactMap(\.request.person).first { $0.identity == identity }
        let person =
            known
            ?? Person(identity: identity, provider: "test", subject: name, email: nil, authenticatedAt: now)
        return try changed(person, at: now, isNew: true)
    }

    private func changed(_ person: Person, at now: UnixTime, isNew: Bool = false) throws -> Person {
        var claims: [String: Claim] = if case .mapping(let members) = person.claims { members } else { [:] }
        for text in claim {
            let (name, value) = try pair(text, "--claim")
            claims[name] = .text(value)
        }
        let age =
            try authenticated.map { try parseTimeSpan($0, field: "--authenticated") } ?? (isNew ? 0 : nil)
        return Person(
            identity: person.identity, provider: provider ?? person.provider, subject: person.subject,
            email: email ?? person.email, groups: group.isEmpty ? person.groups : group,
            claims: .mapping(claims),
            authenticatedAt: age.map { now.subtractingOrEpoch($0) } ?? person.authenticatedAt)
    }

    private func pair(_ text: String, _ option: String) throws -> (String, String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw Failure(ExitStatus.usage, "\(option) \"\(text.escapedForTerminal)\": NAME=VALUE expected")
        }
        return (String(parts[0]), String(parts[1]))
    }
}
