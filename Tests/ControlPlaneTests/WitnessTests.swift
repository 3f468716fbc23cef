// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization
import Testing
import TransparencyLog

@testable import ControlPlane

/// Hosts at the other end of real tunnels, which answer as the test lets them.
@Suite("Checkpoints and those who cosign them") struct WitnessTests {
    /// A log whose tree is in memory.
    private final class Log: WitnessedLog {
        let signer: NoteSigner
        private let tree = Mutex(MemoryTree())

        init() throws {
            let key = try PrivateKey.generate(.ed25519, comment: "")
            signer = try NoteSigner(name: try KeyName("ca.example.com/log"), publicKey: try raw(key)) {
                try key.sign($0.span).blob
            }
        }

        func append(_ entry: String) throws {
            try tree.withLock { try $0.append(entry: Array(entry.utf8).span) }
        }

        func checkpoint() throws(CertAuthorityError) -> SignedNote {
            do {
                let frontier = tree.withLock { $0.frontier }
                let head = try TreeHead(size: frontier.size, root: frontier.root)
                return try SignedNote(
                    signing: Checkpoint(origin: signer.name.string, head: head).text, by: [signer])
            } catch { throw CertAuthorityError(.logInconsistent, "\(error)") }
        }

        func consistencyProof(
            from oldSize: UInt64, to newSize: UInt64
        ) throws(CertAuthorityError) -> ConsistencyProof {
            do {
                return try tree.withLock { tree in
                    try ConsistencyProof(oldSize: oldSize, newSize: newSize, from: tree)
                }
            } catch { throw CertAuthorityError(.logInconsistent, "\(error)") }
        }
    }

    /// A host that is a witness, honest unless a test has it otherwise.
    fileprivate struct Host {
        let id: String
        var tunnel: TestTunnel
        let clientID: String
        let signer: WitnessSigner
        let key: PrivateKey

        init(_ plane: TestPlane, _ id: String) async throws {
            let host = try await TestTunnel.join(plane, id)
            tunnel = try await TestTunnel.open(plane, host)
            self.id = id
            clientID = host.host.clientID
            let key = try PrivateKey.generate(.ed25519, comment: "")
            self.key = key
            signer = try WitnessSigner(name: try KeyName("\(id)/witness"), publicKey: try raw(key)) {
                try key.sign($0.span).blob
            }
        }

        /// The next checkpoint that it is shown.
        mutating func next() async throws -> (id: RPCID, update: CheckpointUpdate, logKey: String) {
            while true {
                guard case .request(let id, Tunnel.call, let params) = try await tunnel.hear(),
                    let call = try TunnelCall(params: params).hostCall(), call.command == "checkpoint"
                else { continue }
                let text = call.data["update"]?.string ?? ""
                return (id, try CheckpointUpdate(Array(text.utf8).span), call.data["logKey"]?.string ?? "")
            }
        }

        func answer(_ id: RPCID, _ report: WitnessReport, success: Bool = true) async throws {
            try await tunnel.say(
                .result(
                    id: id,
                    TunnelReply(
                        clientID: clientID, command: "checkpoint",
                        outcome: HostOutcome(
                            success: success, message: success ? "seen" : "rewritten", output: report.text),
                        time: UnixTime(seconds: 0)
                    ).value))
        }

        func cosign(_ update: CheckpointUpdate, _ logKey: String) throws -> WitnessReport {
            let log = try NoteVerifier(vkey: logKey, verify: isValidEd25519)
            let seen = try VerifiedCheckpoint(update.checkpoint, origin: log.name.string, logKeys: [log])
            return WitnessReport(
                key: signer.vkey, size: seen.head.size,
                cosignature: try signer.cosignature(of: seen, time: 1_795_000_000).line)
        }
    }

    private func serving(
        _ plane: TestPlane, _ log: Log, _ body: () async throws -> Void
    ) async throws {
        let service = WitnessService(plane.hub, source: log, logKey: log.signer.vkey)
        let running = Task { await service.run() }
        defer { running.cancel() }
        try await body()
    }

    private func eventually(_ what: String, _ condition: () -> Bool) async throws {
        for _ in 0..<6_000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw UnexpectedOutcome(what: "never: \(what)")
    }

    @Test func aHostIsShownWhatItDoesNotKnowAndStandsBehindItThen() async throws {
        try await TestPlane.with { plane in
            let log = try Log()
            for entry in ["a", "b", "c"] { try log.append(entry) }
            var host = try await Host(plane, "web1")
            let none = try await plane.send(TestRequest("GET", "/v1/witnesses/checkpoint"))
            #expect(none.status == 404 && none.code == "not-found")
            try await serving(plane, log) {
                let first = try await host.next()
                #expect(first.update.oldSize == 0 && first.logKey == log.signer.vkey)
                // It has been here before, and the server has been restarted since.
                try await host.answer(first.id, WitnessReport(key: host.signer.vkey, size: 2))
                let second = try await host.next()
                #expect(second.update.oldSize == 2 && !second.update.hashes.isEmpty)
                try await host.answer(second.id, try host.cosign(second.update, second.logKey))
                try await eventually("cosigned") { plane.hub.witnessBoard.standings["web1"]?.size == 3 }
                let answer = try await plane.send(TestRequest("GET", "/v1/witnesses/checkpoint"))
                let text = try #require(answer.json?["checkpoint"]?.string)
                let note = try SignedNote(Array(text.utf8).span)
                let logKey = try NoteVerifier(vkey: log.signer.vkey, verify: isValidEd25519)
                let witness = try NoteVerifier(vkey: host.signer.vkey, verify: isValidEd25519)
                let seen = try VerifiedCheckpoint(
                    note, origin: "ca.example.com/log", logKeys: [logKey], witnesses: [witness])
                #expect(seen.head.size == 3 && seen.witnessSignatures.map(\.timestamp) == [1_795_000_000])
                let alice = try await plane.parts.session("alice@example.com")
                let list = try await plane.send(TestRequest("GET", "/v1/witnesses", by: alice))
                let info = try WitnessInfo(json: try #require(list.json?["items"]?.array?.first))
                #expect(info.host == "web1" && info.size == 3 && info.key == host.signer.vkey)
            }
        }
    }

    @Test func aSignatureThatIsNotTheKeysStandsForNothing() async throws {
        try await TestPlane.with { plane in
            let log = try Log()
            try log.append("a")
            var host = try await Host(plane, "web1")
            try await serving(plane, log) {
                let shown = try await host.next()
                var report = try host.cosign(shown.update, shown.logKey)
                report.key = try Host.strangersKey()
                try await host.answer(shown.id, report)
                try await eventually("refused") {
                    plane.hub.witnessBoard.standings["web1"]?.refusal != nil
                }
                #expect(plane.hub.witnessBoard.cosigned == nil)
            }
        }
    }

    @Test func aHostThatSeesARewrittenLogIsHeard() async throws {
        try await TestPlane.with { plane in
            let log = try Log()
            try log.append("a")
            var host = try await Host(plane, "web1")
            try await serving(plane, log) {
                let shown = try await host.next()
                try await host.answer(
                    shown.id, WitnessReport(key: host.signer.vkey, size: 7, isRefusal: true), success: false)
                try await eventually("heard") { plane.hub.witnessBoard.standings["web1"]?.refusal != nil }
                let standing = try #require(plane.hub.witnessBoard.standings["web1"])
                #expect(standing.refusal == "rewritten" && standing.size == 7)
                let metrics = plane.hub.metrics.text(gauges: [])
                #expect(metrics.contains(#"daypass_alerts_total{match="log-refused"} 1"#))
            }
        }
    }
}

extension WitnessTests.Host {
    fileprivate static func strangersKey() throws -> String {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        return try WitnessSigner(name: try KeyName("web1/witness"), publicKey: try raw(key)) { _ in [] }.vkey
    }
}

private func raw(_ key: PrivateKey) throws -> [UInt8] {
    guard case .ed25519(let bytes) = key.publicKey.material else {
        throw UnexpectedOutcome(what: "no Ed25519")
    }
    return bytes
}
