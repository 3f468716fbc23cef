// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Crypto
import Foundation
import SSHWire
import ServiceLifecycle
import TestSupport
import Testing

@testable import ControlPlane

@Suite("Alerts that are posted to webhooks") struct AlertDeliveryTests {
    /// An authority that raises alerts, and somebody who wants to know of them.
    private struct Scene {
        let parts: TestAuthority
        let store: InMemoryAlertStore
        let center: AlertCenter
        let metrics = PlaneMetrics()
        let log = LogCapture()
        var terms = AlertDelivery.Terms()

        init() async throws {
            parts = try await TestAuthority()
            let ledger = parts.ledger
            store = InMemoryAlertStore { await ledger.kept.entries }
            center = try await AlertCenter(parts.authority, store: store, settings: .init())
            terms.poll = .milliseconds(5)
            terms.firstPause = .milliseconds(5)
            terms.longestPause = .milliseconds(40)
            terms.timeout = .seconds(30)
        }

        func delivery(_ webhooks: [Webhook]) -> AlertDelivery {
            let clock = parts.clock
            return AlertDelivery(
                webhooks, center: center, metrics: metrics, logger: log.logger, terms: terms,
                clock: { clock.milliseconds })
        }

        /// Delivers for as long as `body` takes.
        func delivering(to webhooks: Webhook..., body: () async throws -> Void) async throws {
            let delivery = delivery(webhooks)
            try await delivery.prepare()
            let task = Task { await delivery.run() }
            defer { task.cancel() }
            try await body()
            task.cancel()
            await task.value
        }

        /// How many the receivers have said yes to.
        var delivered: Int {
            let mark = #"daypass_alert_deliveries_total{outcome="delivered"} "#
            let text = metrics.text(gauges: [])
            guard let found = text.range(of: mark) else { return 0 }
            return Int(text[found.upperBound...].prefix(while: \.isNumber)) ?? 0
        }

        func raise(_ count: Int = 1) async throws {
            for _ in 0..<count { _ = try await center.test(by: try Identity("admin@example.com")) }
        }
    }

    private static func settings(
        _ receiver: WebhookReceiver, _ more: String = ""
    ) throws -> ServerConfiguration.Alerts.Webhook {
        let yaml = "version: 1\nalerts: {webhooks: [{url: \"\(receiver.url())\"\(more)}]}\n"
        return try #require(try ServerConfiguration(yaml: yaml, name: "daypassd.yaml").alerts.webhooks.first)
    }

    private static func webhook(_ receiver: WebhookReceiver, _ more: String = "") throws -> Webhook {
        try Webhook(try settings(receiver, more), number: 0) { $0 }
    }

    private func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<6_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw UnexpectedOutcome(what: "never: \(what)")
    }

    @Test func anAlertArrivesWithAllThatIsKnownAndWhatWasBeforeDoesNot() async throws {
        let scene = try await Scene()
        try await scene.raise()
        let receiver = try await WebhookReceiver()
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise()
            try await eventually("it arrives") { scene.delivered == 1 }
        }
        let post = try #require(receiver.posts.first)
        #expect(receiver.posts.count == 1 && post.target == "/hook/SECRET")
        #expect(post.headers["content-type"] == "application/json" && post.headers["daypass-event"] == "test")
        let json = try #require(post.json)
        #expect(json["version"]?.number == 1 && json["event"]?.string == "test")
        #expect(json["origin"]?.string == "test.example")
        #expect(json["text"]?.string == "a test by admin@example.com")
        #expect(json["fields"]?["who"]?.string == "admin@example.com")
        #expect(post.headers["daypass-entry"] == json["index"]?.number.map { String($0) })
        #expect(post.headers["daypass-signature"] == nil)
    }

    @Test func itsSignatureIsOverTimeAndBodyByTheSecretOfTheFile() async throws {
        let scene = try await Scene()
        let folder = try TemporaryFolder()
        let file = try folder.write("0123456789abcdef0123456789abcdef\n", to: "secret", mode: 0o600)
        let receiver = try await WebhookReceiver()
        try await scene.delivering(to: try Self.webhook(receiver, ", secret_file: \"\(file)\"")) {
            try await scene.raise()
            try await eventually("it arrives") { !receiver.posts.isEmpty }
        }
        let post = try #require(receiver.posts.first)
        let time = scene.parts.clock.seconds
        let key = SymmetricKey(data: Array("0123456789abcdef0123456789abcdef".utf8))
        let code = HMAC<SHA256>.authenticationCode(for: Array("\(time).".utf8) + post.body, using: key)
        #expect(post.headers["daypass-signature"] == "t=\(time),v1=\(hexadecimal(Array(code)))")
    }

    @Test func httpsIsSpokenToWhomTheAuthoritiesVouchForAndToNobodyElse() async throws {
        let scene = try await Scene()
        let folder = try TemporaryFolder()
        let identity = try ServerIdentity(folder: folder.path, names: ["127.0.0.1"], at: Date())
        let receiver = try await WebhookReceiver(
            chainPEM: identity.chainPEM, keyPEM: identity.privateKeyPEM)
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise()
            try await eventually("it fails") { scene.log.text.contains("alert not delivered") }
        }
        #expect(receiver.posts.isEmpty)
        let root = folder.path("root.pem")
        try await scene.delivering(to: try Self.webhook(receiver, ", authorities_file: \"\(root)\"")) {
            try await eventually("it arrives") { receiver.posts.count == 1 }
        }
    }

    @Test func aReceiverThatFailsHangsUpAndIsAwayGetsEachAlertInTheEndAndInOrder() async throws {
        var scene = try await Scene()
        scene.terms.timeout = .seconds(1)
        let receiver = try await WebhookReceiver([
            .status(500), .hangUp, .nonsense, .silence, .status(404), .status(429), .status(200),
        ])
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise(3)
            try await eventually("the first ones arrive") { receiver.posts.count >= 9 }
            try await receiver.stop()
            try await scene.raise(2)
            try await Task.sleep(for: .milliseconds(50))
            try await receiver.start()
            try await eventually("the others arrive") { scene.delivered == 5 }
        }
        let entries = receiver.posts.compactMap { $0.headers["daypass-entry"].flatMap { UInt64($0) } }
        #expect(entries == entries.sorted(), "\(entries)")
        #expect(Set(entries).count == 5)
        #expect(scene.metrics.text(gauges: []).contains(#"outcome="failed"}"#))
    }

    @Test func aRedirectIsNotFollowed() async throws {
        let scene = try await Scene()
        let other = try await WebhookReceiver()
        let receiver = try await WebhookReceiver([.redirect(other.url("/elsewhere"))])
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise()
            try await eventually("it is tried again") { receiver.posts.count >= 2 }
        }
        #expect(other.posts.isEmpty)
        #expect(scene.log.text.contains("redirects are not followed"))
    }

    @Test func attack37_anAnswerThatNeverEndsHoldsNothingUp() async throws {
        let scene = try await Scene()
        let receiver = try await WebhookReceiver([.endless])
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise(3)
            try await eventually("all arrive") { receiver.posts.count == 3 }
        }
    }

    @Test func nothingOfTheAddressesPathIsInALog() async throws {
        let scene = try await Scene()
        let receiver = try await WebhookReceiver([
            .status(500), .hangUp, .redirect("http://127.0.0.1:1/x"), .status(500),
        ])
        let webhook = try Self.webhook(receiver)
        try await scene.delivering(to: webhook) {
            try await scene.raise()
            try await eventually("it failed in every way") { receiver.posts.count >= 5 }
            try await receiver.stop()
            let seen = scene.log.text.utf8.count
            try await eventually("and is away") { scene.log.text.utf8.count > seen + 200 }
        }
        #expect(scene.log.text.contains("alert not delivered"))
        #expect(!scene.log.text.contains("SECRET") && !webhook.label.contains("SECRET"))
    }

    @Test func onlyTheEventsThatAreWantedArrive() async throws {
        let scene = try await Scene()
        let receiver = try await WebhookReceiver()
        try await scene.delivering(to: try Self.webhook(receiver, ", events: [host-silent]")) {
            try await scene.raise(70)
            scene.parts.clock.advance(seconds: 601)
            _ = try await scene.center.sweep([HostSign(host: "web1", isConnected: false, lastSeen: nil)])
            try await eventually("it arrives") { !receiver.posts.isEmpty }
        }
        #expect(receiver.posts.map { $0.headers["daypass-event"] } == ["host-silent"])
    }

    @Test func whatWaitsBehindTooManyIsGivenUpAndThatIsTold() async throws {
        var scene = try await Scene()
        scene.terms.maximumQueued = 5
        let receiver = try await WebhookReceiver([.status(503)])
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise(20)
            try await eventually("some are given up") { scene.log.text.contains("alerts given up") }
            receiver.behave([.status(200)])
            try await eventually("that is told") {
                receiver.posts.contains { $0.headers["daypass-event"] == "undelivered" }
            }
        }
        let told = try #require(receiver.posts.last { $0.headers["daypass-event"] == "undelivered" }?.json)
        let count = try #require(told["fields"]?["count"]?.string.flatMap { Int($0) })
        #expect((1...20).contains(count))
        #expect(
            told["text"]?.string?.contains(
                "alerts were not delivered: to alerts.webhooks[0] at http://127.0.0.1:") == true)
        #expect(!told.text.contains("SECRET"))
    }

    @Test func whatIsADayOldIsGivenUpAndTheTellingOfThatOnce() async throws {
        let scene = try await Scene()
        let receiver = try await WebhookReceiver([.status(503)])
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise(3)
            try await eventually("it fails") { !receiver.posts.isEmpty }
            scene.parts.clock.advance(seconds: 86_401)
            try await eventually("they are given up") {
                try await scene.store.alertCount(from: 0, of: [.undelivered]) == 1
            }
            scene.parts.clock.advance(seconds: 86_402)
            let name = try Self.settings(receiver).url.storedName
            let size = await scene.store.logSize()
            try await eventually("and so is the telling") {
                await scene.store.deliveryPlace(of: name) == size
            }
        }
        #expect(try await scene.store.alertCount(from: 0, of: [.undelivered]) == 1)
    }

    @Test func withNobodyToTellItGoesOnUntilItIsEnded() async throws {
        let scene = try await Scene()
        let delivery = scene.delivery([])
        try await delivery.prepare()
        let hasEnded = Gate()
        hasEnded.shut()
        let task = Task {
            await delivery.run()
            await hasEnded.pass()
        }
        let first = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await hasEnded.arrival()
                return true
            }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(200))
                task.cancel()
                return false
            }
            return await group.next()
        }
        #expect(first == false)
        hasEnded.open()
        await task.value
    }

    @Test func aProcessThatDiedGoesOnBehindWhatWasDelivered() async throws {
        let scene = try await Scene()
        let receiver = try await WebhookReceiver()
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await scene.raise(2)
            try await eventually("they arrive") { scene.delivered == 2 }
        }
        // Recorded while nobody delivers.
        try await scene.raise(2)
        try await scene.delivering(to: try Self.webhook(receiver)) {
            try await eventually("the others arrive") { scene.delivered == 4 }
        }
        #expect(receiver.posts.count == 4)
        #expect(Set(receiver.posts.compactMap { $0.headers["daypass-entry"] }).count == 4)
    }
}
