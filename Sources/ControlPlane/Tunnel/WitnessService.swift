// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import ControlProtocol
import Logging
import NIOCore
public import ServiceLifecycle
import SSHWire
import TransparencyLog

/// Shows each new checkpoint of the log to every connected host, for it to be cosigned (C2SP tlog-witness, through the
/// tunnel).
public struct WitnessService: Service {
    private let hub: TunnelHub
    private let source: any WitnessedLog
    /// The log's key, as hosts keep it when they see it first.
    private let logKey: String

    private static let interval: Duration = .seconds(1)
    /// A host is shown a checkpoint this often at most: each costs it a write.
    private static let secondsBetween: UInt64 = 5
    /// Hosts that are asked at a time: each answer is a signature to be verified.
    private static let maximumAtOnce = 200
    private static let timeout = TimeAmount.seconds(10)
    /// A host whose state is behind, and one whose proof comes a checkpoint late.
    private static let maximumAttempts = 3

    public init(_ hub: TunnelHub, source: any WitnessedLog, logKey: String) {
        self.hub = hub
        self.source = source
        self.logKey = logKey
    }

    public func run() async {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                while !Task.isCancelled {
                    show(in: &group)
                    try? await Task.sleep(for: Self.interval)
                }
                group.cancelAll()
            }
        }
    }

    private func show(in group: inout DiscardingTaskGroup) {
        let hosts = hub.witnesses()
        guard !hosts.isEmpty, let note = try? source.checkpoint(),
            let size = try? Checkpoint(text: note.unverifiedText).head.size
        else { return }
        let (now, board) = (hub.fleet.now, hub.witnessBoard)
        board.forget(allBut: hub.fleet.hostIDs)
        var room = Self.maximumAtOnce
        for host in hosts where room > 0 {
            guard board.begin(host, note, size: size, at: now, every: Self.secondsBetween) else { continue }
            room -= 1
            group.addTask {
                await self.show(note, of: size, to: host)
                board.ended(host)
            }
        }
    }

    private func show(_ note: SignedNote, of size: UInt64, to host: String) async {
        let board = hub.witnessBoard
        var known = min(board.knownSize(of: host), size)
        for _ in 0..<Self.maximumAttempts {
            do {
                let proof = try source.consistencyProof(from: known, to: size)
                let update = try CheckpointUpdate(proof, checkpoint: note)
                let reply = try await hub.call(
                    host,
                    .object([
                        .init("command", .string("checkpoint")), .init("logKey", .string(logKey)),
                        .init("update", .string(String(decoding: update.bytes, as: UTF8.self))),
                    ]), timeout: Self.timeout)
                guard let output = reply.outcome.output else {
                    return refused(host, nil, reply.outcome.message)
                }
                let report = try WitnessReport(parsing: output)
                guard reply.outcome.success else { return refused(host, report, reply.outcome.message) }
                guard let line = report.cosignature, let key = report.key else {
                    // It knows another size: the next proof starts there.
                    guard report.size != known, report.size <= size else {
                        return refused(host, report, "it asks for a proof from \(report.size) entries on")
                    }
                    known = report.size
                    continue
                }
                let signature = try NoteSignature(line: line)
                let verifier = try NoteVerifier(vkey: key, verify: isValidEd25519)
                let cosigned = try SignedNote(text: note.unverifiedText, signatures: [signature])
                _ = try cosigned.verified(by: [verifier])
                hub.alerts?.heardOfLog(from: host, refusal: nil)
                return board.cosigned(host, key, signature, size: size, at: hub.fleet.now)
            } catch let problem as Problem {
                // It went away, or did not answer: it is asked again.
                return hub.logger.debug(
                    "checkpoint not shown",
                    metadata: ["daypass.host": "\(host)", "daypass.reason": "\(problem.detail)"])
            } catch {
                return refused(host, nil, "\(error)")
            }
        }
    }

    private func refused(_ host: String, _ report: WitnessReport?, _ reason: String) {
        let isNew = hub.witnessBoard.standings[host]?.refusal != reason
        hub.witnessBoard.refused(host, report, reason, at: hub.fleet.now)
        if report?.isRefusal == true { hub.alerts?.heardOfLog(from: host, refusal: reason) }
        guard isNew else { return }
        hub.metrics.countAlert(report?.isRefusal == true ? "log-refused" : "witness-failed")
        hub.logger.log(
            level: report?.isRefusal == true ? .critical : .warning, "checkpoint not cosigned",
            metadata: ["daypass.host": "\(host)", "daypass.reason": "\(reason.escapedForTerminal)"])
    }
}
