// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// Prepares a control plane's folder for scripts/bench-fleet: hosts that have joined, and what their agents say.
//
//   FleetHosts HOME ORIGIN COUNT REPORTING FILE
//
// FILE gets a line for each host, with tabs between: client id, token for ORIGIN, and for the first REPORTING hosts one
// report of 64 session records.

import CertAuthority
import CertAuthorityStore
import ControlProtocol
import Foundation
import SSHWire

guard CommandLine.arguments.count == 6, let count = Int(CommandLine.arguments[3]),
    let reporting = Int(CommandLine.arguments[4])
else { fatalError("FleetHosts HOME ORIGIN COUNT REPORTING FILE") }
let (home, origin, file) = (CommandLine.arguments[1], CommandLine.arguments[2], CommandLine.arguments[5])

let opened = try CAHome(CAFolder(home))
let log = try opened.unlock([.log]) { _ in throw CertAuthorityError(.passphrase, "a key has a passphrase") }
let ledger = try opened.ledger(signing: try log.key(.log))
let (directory, fleet) = (SQLiteDirectory(ledger), SQLiteFleetStore(ledger))
let now = UnixTime(seconds: UInt64(Date().timeIntervalSince1970))
// One key for all: what a host's key costs is its signature's verification, once a connection.
let key = try HostKey.generate()

/// A host's session records, chained: sessions by keys that nobody issued a certificate for.
func report(_ host: String) -> String {
    var previous = SessionRecord.genesis(host: host)
    var lines: [JSONValue] = []
    for sequence in 1...UInt64(64) {
        var event = SessionEvent(
            sequence % 2 == 1 ? .open : .close, via: .pam,
            time: RecordTime(nanoseconds: now.seconds * 1_000_000_000), uptimeMicroseconds: sequence)
        event.account = "deploy"
        event.session = String(format: "%032x", (sequence + 1) / 2)
        event.methods = [LoginMethod("publickey", .key(type: "ssh-ed25519", fingerprint: "SHA256:k"))]
        let line = SessionRecord(sequence: sequence, previous: previous, host: host, event: event).line
        previous = Digest.sha256(line).map { String(format: "%02x", $0) }.joined()
        lines.append(.string(String(decoding: line, as: UTF8.self)))
    }
    let params = JSONValue.object([.init("records", .array(lines))])
    return String(
        decoding: RPCMessage.request(id: .number(1), method: Tunnel.report, params: params).encoded,
        as: UTF8.self
    ).trimmingCharacters(in: .newlines)
}

var text = ""
for number in 0..<count {
    let id = "host\(number)"
    let token = try JoinToken(
        id: String(format: "%016x", number), secretDigest: Digest.sha256([]), hostPattern: id, labels: [:],
        expires: UnixTime(seconds: now.seconds + 600), creator: try Identity("bench"))
    try await fleet.add(token)
    try await directory.set(ManagedHost(id: id, names: ["\(id).example.com"], labels: [:]))
    let host = EnrolledHost(
        id: id, clientID: "bench:\(id):ssh", key: key.publicKey.key, hostKeys: [], joined: now)
    try await fleet.enrol(host, spending: token.id)
}
for number in 0..<count {
    let clientID = "bench:host\(number):ssh"
    text += clientID + "\t"
    text += try HostToken.sign(
        subject: clientID, audience: origin, tokenID: "bench\(number)",
        now: UnixTime(seconds: UInt64(Date().timeIntervalSince1970)), by: key)
    if number < reporting { text += "\t" + report("host\(number)") }
    text += "\n"
}
try Data(text.utf8).write(to: URL(filePath: file))
