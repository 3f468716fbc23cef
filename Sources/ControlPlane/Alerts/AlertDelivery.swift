// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import Logging
public import ServiceLifecycle
import SSHWire

/// Posts alerts to webhooks: each alert at least once to each webhook that wants it, in the log's order.
///
/// An alert is in the log before anybody is told, and how far a webhook has got is kept in the store: a process that dies
/// goes on where it was, and a receiver may get an alert twice. One that is away is tried again, less and less often.
/// What waits for longer than a day, or behind ten thousand others, is given up, and an alert of its own tells that.
public struct AlertDelivery: Service {
    /// Times and bounds.
    public struct Terms: Sendable {
        /// Between two looks for what is new: an alert is to be sent within two seconds.
        public var poll: Duration = .milliseconds(500)
        /// How long an attempt may take.
        public var timeout: Duration = .seconds(10)
        /// The wait after the first failure, which doubles, and the longest.
        public var firstPause: Duration = .seconds(1)
        public var longestPause: Duration = .seconds(300)
        /// For how long an alert is tried, in seconds.
        public var lifetime: UInt64 = 86_400
        /// The most alerts that wait for one webhook.
        public var maximumQueued = 10_000
        /// A number from 0 to 1: how much of a pause's half is left out, so that not all come back at once.
        public var jitter: @Sendable () -> Double = { Double.random(in: 0...1) }

        public init() {}
    }

    private let webhooks: [Webhook]
    private let center: AlertCenter
    private let metrics: PlaneMetrics
    private let logger: Logger
    private let terms: Terms
    /// Milliseconds since 1970.
    private let clock: @Sendable () -> UInt64

    /// How many alerts are read at a time.
    private static let page = 64

    public init(
        _ webhooks: [Webhook], center: AlertCenter, metrics: PlaneMetrics, logger: Logger,
        terms: Terms = Terms(), clock: @escaping @Sendable () -> UInt64
    ) {
        self.webhooks = webhooks
        self.center = center
        self.metrics = metrics
        self.logger = logger
        self.terms = terms
        self.clock = clock
    }

    /// Notes where webhooks that are new begin: with what happens from now on. To be called before anything can happen.
    public func prepare() async throws(CertAuthorityError) {
        let size = try await center.store.logSize()
        for webhook in webhooks {
            let place = try await center.store.deliveryPlace(of: webhook.storedName)
            // A log that was restored from a backup may be shorter than what was delivered.
            if place == nil || place ?? 0 > size {
                try await center.store.setDeliveryPlace(size, of: webhook.storedName)
            }
        }
    }

    public func run() async {
        // A service that ends takes the others with it.
        guard !webhooks.isEmpty else {
            try? await gracefulShutdown()
            return
        }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for webhook in webhooks { group.addTask { await deliver(to: webhook) } }
            }
        }
    }

    // MARK: One webhook

    private func deliver(to webhook: Webhook) async {
        var failures = 0
        while !Task.isCancelled {
            do throws(CertAuthorityError) {
                var place = try await center.store.deliveryPlace(of: webhook.storedName) ?? 0
                if failures > 0 { place = try await giveUp(from: place, of: webhook) }
                let found = try await center.store.alerts(from: place, limit: Self.page)
                guard !found.isEmpty else {
                    metrics.setQueued(0, for: webhook.label)
                    try? await Task.sleep(for: terms.poll)
                    continue
                }
                if try await deliver(found, to: webhook) {
                    failures = 0
                } else {
                    failures += 1
                    try? await Task.sleep(for: pause(after: failures))
                }
            } catch {
                logger.error(
                    "alerts can't be read", metadata: ["daypass.error": "\(error.reason.escapedForTerminal)"])
                try? await Task.sleep(for: terms.firstPause)
            }
        }
    }

    /// - Returns: false when one was not delivered: it and those behind it wait.
    private func deliver(
        _ alerts: [Alert], to webhook: Webhook
    ) async throws(CertAuthorityError) -> Bool {
        for alert in alerts {
            guard webhook.events.contains(alert.event) else { continue }
            let outcome = await webhook.post(
                alert, origin: center.origin, at: clock() / 1_000, timeout: terms.timeout)
            guard case .failed(let reason) = outcome else {
                metrics.countDelivery("delivered")
                try await center.store.setDeliveryPlace(alert.index + 1, of: webhook.storedName)
                continue
            }
            guard !Task.isCancelled else { return false }
            metrics.countDelivery("failed")
            metrics.setQueued(
                try await center.store.alertCount(from: alert.index, of: webhook.events), for: webhook.label)
            logger.warning(
                "alert not delivered",
                metadata: [
                    "daypass.webhook": "\(webhook.label)", "daypass.entry": "\(alert.index)",
                    "daypass.reason": "\(reason)",
                ])
            // What was passed over before it need not be read again.
            try await center.store.setDeliveryPlace(alert.index, of: webhook.storedName)
            return false
        }
        if let last = alerts.last {
            try await center.store.setDeliveryPlace(last.index + 1, of: webhook.storedName)
        }
        return true
    }

    /// Gives up what is too old, and the oldest of what is too many; says so, and returns where to go on.
    private func giveUp(from start: UInt64, of webhook: Webhook) async throws(CertAuthorityError) -> UInt64 {
        var queued = try await center.store.alertCount(from: start, of: webhook.events)
        var place = start
        var (dropped, told): (UInt64, UInt64) = (0, 0)
        search: while true {
            let page = try await center.store.alerts(from: place, limit: Self.page)
            for alert in page {
                if webhook.events.contains(alert.event) {
                    let isOld = alert.milliseconds / 1_000 + terms.lifetime < clock() / 1_000
                    guard isOld || queued > terms.maximumQueued else { break search }
                    queued -= 1
                    dropped += 1
                    // That telling failed is not told again when that, too, could not be told: there would be no end.
                    if alert.event != .undelivered { told += 1 }
                }
                place = alert.index + 1
            }
            if page.count < Self.page { break }
        }
        guard dropped > 0 else { return start }
        logger.error(
            "alerts given up",
            metadata: ["daypass.webhook": "\(webhook.label)", "daypass.count": "\(dropped)"])
        // Told first: a process that dies in between tells it twice.
        if told > 0 { try await center.recordUndelivered(told, to: webhook.label) }
        try await center.store.setDeliveryPlace(place, of: webhook.storedName)
        for _ in 0..<dropped { metrics.countDelivery("dropped") }
        return place
    }

    private func pause(after failures: Int) -> Duration {
        var pause = terms.firstPause
        for _ in 1..<min(failures, 32) where pause < terms.longestPause { pause *= 2 }
        pause = min(pause, terms.longestPause)
        return pause - pause / 2 * min(max(terms.jitter(), 0), 1)
    }
}
