// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// Prepares a control plane's folder for scripts/bench-plane: hosts, sessions, a policy of 100 rules, and HTTP requests
// for certificates that are signed already, so that the client costs next to nothing.
//
//   PlaneRequests HOME AUTHORITY COUNT FILE
//   PlaneRequests primitive SECONDS     the milliseconds that a certificate's two Ed25519 operations take by themselves

import CSodium
import CertAuthority
import CertAuthorityStore
import ControlProtocol
import Foundation
import SSHWire

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "primitive",
    let seconds = Double(CommandLine.arguments[2])
{
    print(String(format: "%.4f", millisecondsOfAPair(for: seconds)))
    exit(0)
}
guard CommandLine.arguments.count == 5, let count = Int(CommandLine.arguments[3]) else {
    fatalError("PlaneRequests HOME AUTHORITY COUNT FILE")
}
let (home, authority, file) = (CommandLine.arguments[1], CommandLine.arguments[2], CommandLine.arguments[4])

/// How many people ask.
let people = 128
/// How many keys there are to certify.
let keys = 256

let opened = try CAHome(CAFolder(home))
let log = try opened.unlock([.log]) { _ in throw CertAuthorityError(.passphrase, "a key has a passphrase") }
let directory = SQLiteDirectory(try opened.ledger(signing: try log.key(.log)))
let now = UInt64(Date().timeIntervalSince1970)

var rules = ""
for number in 0..<100 {
    rules += """
          - name: rule-\(number)
            hosts: [{labels: {team: "team\(number)"}}]
            logins: [deploy]
            allow:
              and:
                - groups: {has: "group\(number)"}
                - domain: example.com
            certificate: {max_lifetime: 1h, default_lifetime: 10m}

        """
}
try FileIO.write("version: 1\nrules:\n" + rules, to: home + "/policy.yaml", mode: 0o600)
for number in 0..<100 {
    try await directory.set(
        ManagedHost(
            id: "web\(number)", names: ["web\(number).example.com"], labels: ["team": "team\(number)"]))
}

let certified = try (0..<keys).map { _ in try PrivateKey.generate(.ed25519, comment: "").publicKey }
var sessions: [(id: String, key: PrivateKey, group: Int)] = []
for number in 0..<people {
    let key = try PrivateKey.generate(.ed25519, comment: "")
    let id = SystemRandom.bytes(16).map { String(format: "%02x", $0) }.joined()
    let group = number % 100
    let person = Person(
        identity: try Identity("person\(number)@example.com"), provider: Person.enrolledKeys,
        subject: key.publicKey.fingerprint, email: "person\(number)@example.com", groups: ["group\(group)"],
        authenticatedAt: UnixTime(seconds: now))
    try await directory.add(
        LoginSession(
            id: id, person: person, key: key.publicKey, credential: nil, sourceAddress: "127.0.0.1",
            created: UnixTime(seconds: now), expires: UnixTime(seconds: now + 86_400)))
    sessions.append((id, key, group))
}

// A minute ahead: the server, which is started after this, takes no number from before its start.
let first = (now + 60) * 1_000_000
var requests: [UInt8] = []
for number in 0..<count {
    let session = sessions[number % people]
    let body = Array(
        CertificateWish(
            host: "web\(session.group)", login: "deploy", key: certified[number % keys]
        ).json.text.utf8)
    let proof = RequestProof(
        session: session.id, created: Int64(now + 60), sequence: first + UInt64(number))
    let digest = RequestProof.contentDigest(body)
    let base = proof.base(
        method: "POST", authority: authority, target: "/v1/certificates", contentDigest: digest)
    let signature = RequestProof.signatureHeader(try session.key.sign(base.span).blob)
    requests += Array(
        ("POST /v1/certificates HTTP/1.1\r\nHost: \(authority)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.count)\r\nSignature-Input: \(proof.signatureInput)\r\n"
            + "Signature: \(signature)\r\nContent-Digest: \(digest)\r\n\r\n").utf8)
    requests += body
    requests.append(0)
}
try Data(requests).write(to: URL(filePath: file))
print("\(count) requests of about \(requests.count / count) bytes, \(people) sessions, 100 rules")
