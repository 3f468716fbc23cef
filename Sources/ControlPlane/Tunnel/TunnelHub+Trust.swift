// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Logging
import NIOCore
import SSHWire
import Synchronization

/// What hosts said to the newest statement about CAs, as far as this process has heard.
///
/// Nothing of it is kept: each host is sent the statement when it connects, and says again that it has it.
final class TrustAnswers: Sendable {
    private struct Answer {
        let version: UInt64
        /// Why it was refused; nil where it is in place.
        let refusal: String?
    }

    private struct State {
        var answers: [String: Answer] = [:]
        /// The hosts whose answer is waited for.
        var waiting: Set<String> = []
    }

    private let state = Mutex(State())
    private let bell = Doorbell()

    func asked(_ host: String) { state.withLock { _ = $0.waiting.insert(host) } }

    /// - Parameter refusal: why not; nil where the host has it in place.
    func answered(_ host: String, version: UInt64, refusal: String?) {
        state.withLock { state in
            state.waiting.remove(host)
            guard version >= state.answers[host]?.version ?? 0 else { return }
            state.answers[host] = Answer(version: version, refusal: refusal)
        }
        bell.ring()
    }

    /// There will be no answer any more.
    func gaveUp(_ host: String) {
        state.withLock { _ = $0.waiting.remove(host) }
        bell.ring()
    }

    /// Waits until every host that was asked has answered, at most for `limit`.
    func settle(within limit: Duration) async {
        await bell.wait(within: limit) { state.withLock { $0.waiting.isEmpty } }
    }

    /// Whether a host has answered to this version, and what.
    func answer(of host: String, version: UInt64) -> (isInPlace: Bool, refusal: String?)? {
        state.withLock { state in
            guard let answer = state.answers[host], answer.version == version else { return nil }
            return (answer.refusal == nil, answer.refusal)
        }
    }
}

/// The statement about the CAs that hosts take, on its way to them.
extension TunnelHub {
    /// How long a host may take: its change is proven by logins, or taken back.
    private static let trustTimeout = TimeAmount.seconds(150)
    /// How long whoever brings a statement is kept waiting for hosts.
    private static let trustPatience = Duration.seconds(10)

    /// Sends the newest statement to every host that is connected, and waits a little for their answers.
    func deliverTrust() async {
        for host in fleet.hosts { if let link = link(to: host.id) { sendTrust(through: link) } }
        await trustAnswers.settle(within: Self.trustPatience)
    }

    /// Sends a host the newest statement. One that it has already changes nothing there.
    func sendTrust(through link: TunnelLink) {
        guard let trust = fleet.trust,
            let signature = try? SSHSignature(encoded: trust.signature)
        else { return }
        let host = link.host.id
        trustAnswers.asked(host)
        let data = JSONValue.object([
            .init("command", "trust"), .init("statement", .string(trust.statement.string)),
            .init("signature", .string(signature.armoured)),
        ])
        let milliseconds = UInt64(clamping: Self.trustTimeout.nanoseconds / 1_000_000)
        link.call(TunnelCall(data: data, timeoutMilliseconds: milliseconds), timeout: Self.trustTimeout) {
            result in
            guard case .success(let value) = result, let reply = try? TunnelReply(value) else {
                return self.trustAnswers.gaveUp(host)
            }
            let outcome = reply.outcome
            self.trustAnswers.answered(
                host, version: trust.version, refusal: outcome.success ? nil : outcome.message)
            guard outcome.success else {
                self.logger.warning(
                    "trust refused",
                    metadata: [
                        "daypass.host": "\(host)", "daypass.version": "\(trust.version)",
                        "daypass.reason": "\(outcome.message.escapedForTerminal)",
                    ])
                return
            }
            // A host that had no trust installed could not take the list.
            if self.status(of: host).revocations == nil { self.sendRevocations(through: link) }
        }
    }

    /// Why nothing is in place on a host that is asked in vain.
    static let onlySaying = "its agent only says what it would do"

    /// How far each host is.
    var trustStates: [FleetTrustInfo.Host] {
        let version = fleet.trust?.version ?? 0
        return fleet.hosts.map { host in
            let status = status(of: host.id)
            func pending(_ reason: String) -> FleetTrustInfo.Host {
                FleetTrustInfo.Host(host: host.id, state: .pending, reason: reason)
            }
            if version == 0 { return pending("there is no statement yet") }
            // Its answers are about what it would do.
            if status.isDryRun { return pending(Self.onlySaying) }
            switch trustAnswers.answer(of: host.id, version: version) {
            case (true, _)?: return FleetTrustInfo.Host(host: host.id, state: .acknowledged)
            case (false, let reason)?:
                return FleetTrustInfo.Host(host: host.id, state: .refused, reason: reason)
            case nil:
                return pending(status.connected == nil ? "it is not connected" : "it has not answered yet")
            }
        }
    }
}
