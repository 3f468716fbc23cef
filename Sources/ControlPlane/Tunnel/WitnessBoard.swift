// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
public import SSHWire
import Synchronization
public import TransparencyLog

/// What hosts said of the log's checkpoints: who stands behind which.
///
/// Nothing of it is kept on disk, and nothing of it has to be believed: hosts keep what they saw, and say it again when
/// they come back; whoever verifies a cosignature does so by keys that they keep themselves.
public final class WitnessBoard: Sendable {
    /// One host as a witness.
    public struct Standing: Sendable, Hashable {
        /// Its key, as verifiers are configured with it.
        public var key: String?
        /// The newest size that it cosigned.
        public var size: UInt64?
        /// When it was heard last.
        public var heard: UnixTime?
        /// Why it did not take the newest checkpoint.
        public var refusal: String?
    }

    /// A checkpoint with those who cosigned it.
    private struct Shown {
        let note: SignedNote
        var cosignatures: [String: NoteSignature] = [:]
    }

    private struct State {
        var standings: [String: Standing] = [:]
        /// When each host was shown something last, and whether its answer is still awaited.
        var asked: [String: (at: UnixTime, isWaiting: Bool)] = [:]
        /// By their sizes; the oldest go first.
        var shown: [UInt64: Shown] = [:]
    }

    /// Checkpoints that are remembered: hosts answer about one while the next is made.
    private static let maximumShown = 8
    private let state = Mutex(State())

    public init() {}

    public var standings: [String: Standing] { state.withLock { $0.standings } }

    /// The newest checkpoint of those with the most cosignatures, with as many as a note takes.
    public var cosigned: SignedNote? {
        let best = state.withLock { state in
            state.shown.max {
                ($0.value.cosignatures.count, $0.key) < ($1.value.cosignatures.count, $1.key)
            }?.value
        }
        guard let best, !best.cosignatures.isEmpty else { return nil }
        let room = LogLimits.noteSignatures - best.note.signatures.count
        return try? best.note.adding(
            best.cosignatures.sorted { $0.key < $1.key }.prefix(room).map(\.value))
    }

    /// Takes note that a host is shown a checkpoint.
    ///
    /// - Parameter seconds: how long a host is left alone after it was asked.
    /// - Returns: false where it said all there is to say, is still being asked, or was asked a moment ago.
    func begin(_ host: String, _ note: SignedNote, size: UInt64, at now: UnixTime, every seconds: UInt64)
        -> Bool
    {
        state.withLock { state in
            if state.shown[size]?.cosignatures[host] != nil { return false }
            if let asked = state.asked[host], asked.isWaiting || now.seconds < asked.at.seconds &+ seconds {
                return false
            }
            state.asked[host] = (now, true)
            if state.shown[size] == nil {
                state.shown[size] = Shown(note: note)
                if state.shown.count > Self.maximumShown, let oldest = state.shown.keys.min() {
                    state.shown[oldest] = nil
                }
            }
            return true
        }
    }

    /// From which size a host's next proof starts, as far as is known.
    func knownSize(of host: String) -> UInt64 { state.withLock { $0.standings[host]?.size ?? 0 } }

    func ended(_ host: String) { state.withLock { $0.asked[host]?.isWaiting = false } }

    func cosigned(
        _ host: String, _ key: String, _ signature: NoteSignature, size: UInt64, at now: UnixTime
    ) {
        state.withLock { state in
            state.standings[host] = Standing(key: key, size: size, heard: now)
            state.shown[size]?.cosignatures[host] = signature
        }
    }

    func refused(_ host: String, _ report: WitnessReport?, _ reason: String, at now: UnixTime) {
        state.withLock { state in
            var standing = state.standings[host] ?? Standing()
            standing.key = report?.key ?? standing.key
            standing.size = report?.size ?? standing.size
            standing.heard = now
            standing.refusal = reason
            state.standings[host] = standing
        }
    }

    /// A host that has left is no witness any more.
    func forget(allBut hosts: Set<String>) {
        state.withLock { state in
            for host in state.standings.keys where !hosts.contains(host) {
                state.standings[host] = nil
                state.asked[host] = nil
            }
        }
    }
}
