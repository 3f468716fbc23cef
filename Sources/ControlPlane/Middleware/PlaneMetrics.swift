// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What the server counts, as Prometheus reads it (text exposition format 0.0.4).
public final class PlaneMetrics: Sendable {
    private struct Key: Hashable {
        let route: String
        let status: Int
    }

    private struct State {
        var requests: [Key: UInt64] = [:]
        var buckets = [UInt64](repeating: 0, count: bounds.count + 1)
        var seconds = 0.0
        var issued: UInt64 = 0
        var refused: [String: UInt64] = [:]
        var logins: [String: UInt64] = [:]
        var alerts: [String: UInt64] = [:]
        var accessRequests: [String: UInt64] = [:]
        var breakGlass: UInt64 = 0
        var grantDeliveries: [String: UInt64] = [:]
        var deliveries: [String: UInt64] = [:]
        /// By webhook.
        var queued: [String: Int] = [:]
    }

    /// Upper bounds of the latency histogram, in seconds.
    private static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

    private let state = Mutex(State())

    public init() {}

    func count(route: String, status: Int, _ elapsed: Duration) {
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        state.withLock { state in
            state.requests[Key(route: route, status: status), default: 0] += 1
            state.buckets[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
            state.seconds += seconds
        }
    }

    func countIssued() { state.withLock { $0.issued += 1 } }
    func countRefused(_ verdict: String) { state.withLock { $0.refused[verdict, default: 0] += 1 } }
    func countAlert(_ event: String) { state.withLock { $0.alerts[event, default: 0] += 1 } }
    func countRequest(_ status: String) { state.withLock { $0.accessRequests[status, default: 0] += 1 } }
    func countBreakGlass() { state.withLock { $0.breakGlass += 1 } }
    func countGrantDelivery(_ outcome: String) {
        state.withLock { $0.grantDeliveries[outcome, default: 0] += 1 }
    }
    func countDelivery(_ outcome: String) { state.withLock { $0.deliveries[outcome, default: 0] += 1 } }
    func setQueued(_ count: Int, for webhook: String) { state.withLock { $0.queued[webhook] = count } }
    func countLogin(_ outcome: String) { state.withLock { $0.logins[outcome, default: 0] += 1 } }

    /// - Parameter gauges: names with their help and value, for what is looked up when it is asked for.
    func text(gauges: [(name: String, help: String, value: Double)]) -> String {
        let state = state.withLock { $0 }
        var text = ""
        func head(_ name: String, _ type: String, _ help: String) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        }
        head("daypass_http_requests_total", "counter", "Requests answered, by route and status.")
        for (key, count) in state.requests.sorted(by: {
            ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status)
        }) {
            text += "daypass_http_requests_total{route=\"\(key.route)\",status=\"\(key.status)\"} \(count)\n"
        }
        head(
            "daypass_http_request_duration_seconds", "histogram", "Time from a request's head to its answer.")
        var sum: UInt64 = 0
        for (bound, count) in zip(Self.bounds, state.buckets) {
            sum += count
            text += "daypass_http_request_duration_seconds_bucket{le=\"\(bound)\"} \(sum)\n"
        }
        sum += state.buckets[Self.bounds.count]
        text += "daypass_http_request_duration_seconds_bucket{le=\"+Inf\"} \(sum)\n"
        text += "daypass_http_request_duration_seconds_sum \(state.seconds)\n"
        text += "daypass_http_request_duration_seconds_count \(sum)\n"
        head("daypass_certificates_issued_total", "counter", "Certificates issued.")
        text += "daypass_certificates_issued_total \(state.issued)\n"
        head("daypass_requests_refused_total", "counter", "Certificates refused, by what the policy said.")
        for (verdict, count) in state.refused.sorted(by: { $0.key < $1.key }) {
            text += "daypass_requests_refused_total{verdict=\"\(verdict)\"} \(count)\n"
        }
        head("daypass_logins_total", "counter", "Logins, by outcome.")
        for (outcome, count) in state.logins.sorted(by: { $0.key < $1.key }) {
            text += "daypass_logins_total{outcome=\"\(outcome)\"} \(count)\n"
        }
        head("daypass_alerts_total", "counter", "What somebody should look at, by why.")
        for (event, count) in state.alerts.sorted(by: { $0.key < $1.key }) {
            text += "daypass_alerts_total{event=\"\(event)\"} \(count)\n"
        }
        head(
            "daypass_access_requests_total", "counter",
            "Requests for approval that were made or changed, by what they became.")
        for (status, count) in state.accessRequests.sorted(by: { $0.key < $1.key }) {
            text += "daypass_access_requests_total{status=\"\(status)\"} \(count)\n"
        }
        head(
            "daypass_alert_deliveries_total", "counter",
            "Attempts to post an alert to a webhook, by outcome; dropped are alerts that were given up.")
        for (outcome, count) in state.deliveries.sorted(by: { $0.key < $1.key }) {
            text += "daypass_alert_deliveries_total{outcome=\"\(outcome)\"} \(count)\n"
        }
        head("daypass_alert_deliveries_queued", "gauge", "Alerts that wait for a webhook, of all webhooks.")
        text += "daypass_alert_deliveries_queued \(state.queued.values.reduce(0, +))\n"
        head("daypass_break_glass_total", "counter", "Access that somebody took without approval.")
        text += "daypass_break_glass_total \(state.breakGlass)\n"
        head(
            "daypass_grant_deliveries_total", "counter",
            "Grants that hosts were asked to give or to take back, by what they answered.")
        for (outcome, count) in state.grantDeliveries.sorted(by: { $0.key < $1.key }) {
            text += "daypass_grant_deliveries_total{outcome=\"\(outcome)\"} \(count)\n"
        }
        for gauge in gauges {
            head(gauge.name, "gauge", gauge.help)
            text += "\(gauge.name) \(gauge.value)\n"
        }
        return text
    }
}
