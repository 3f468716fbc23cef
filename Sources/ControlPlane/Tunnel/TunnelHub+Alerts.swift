// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Logging
public import ServiceLifecycle
import SSHWire

/// What hosts' tunnels tell of the hosts themselves.
extension TunnelHub {
    /// The clock that an agent sends along, in microseconds since 1970.
    func hear(clock params: JSONValue, from host: EnrolledHost) {
        guard let clock = params["clock"]?.number, clock >= 0 else { return }
        alerts?.heard(clock: clock, from: host.id)
    }

    /// How the tunnels of all hosts are that have joined.
    var hostSigns: [HostSign] {
        fleet.hosts.map { host in
            let status = status(of: host.id)
            return HostSign(host: host.id, isConnected: status.connected != nil, lastSeen: status.lastSeen)
        }
    }
}

/// Looks at the hosts every second, and says what began and what is over.
public struct HostWatch: Service {
    private let hub: TunnelHub

    private static let interval: Duration = .seconds(1)

    public init(_ hub: TunnelHub) { self.hub = hub }

    public func run() async {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { await sweep() }
        }
    }

    /// Looks once.
    func sweep() async {
        guard let center = hub.alerts else { return }
        do {
            for alert in try await center.sweep(hub.hostSigns) {
                // Those about the log were counted when the host refused.
                if alert.event != .logRefused { hub.metrics.countAlert(alert.event.rawValue) }
                hub.logger.log(
                    level: alert.event.isAllClear ? .notice : .warning, "alert",
                    metadata: [
                        "daypass.host": "\(alert.host)", "daypass.event": "\(alert.event.rawValue)",
                        "daypass.text": "\(alert.sentence)",
                    ])
            }
        } catch {
            // What can't be recorded now is seen anew at the next look.
            hub.logger.error(
                "alert not recorded", metadata: ["daypass.error": "\(error.reason.escapedForTerminal)"])
        }
    }
}
