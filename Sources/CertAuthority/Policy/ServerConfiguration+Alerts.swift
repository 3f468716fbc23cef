// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension ServerConfiguration {
    /// When hosts raise alerts, and who is told (`alerts:`).
    public struct Alerts: Sendable, Hashable {
        /// For how long a host may be silent, in seconds.
        public var hostSilentAfter: UInt64 = 600
        /// By how many seconds a host's clock may be off.
        public var clockOffBy: UInt64 = 30
        public var webhooks: [Webhook] = []

        /// How a webhook wants to be told.
        public enum Format: String, Sendable, Hashable, CaseIterable {
            case slack, json
        }

        /// Somebody's address to which alerts are posted.
        public struct Webhook: Sendable, Hashable {
            /// May have a secret in it: never to be logged.
            public var url: WebhookURL
            public var format: Format
            /// A file with the key of the signatures, mode 0600; nil for none.
            public var secretFile: String?
            /// What it is told of.
            public var events: Set<AlertEvent>
            /// A PEM file with the authorities of its certificate; nil for the system's.
            public var authoritiesFile: String?
        }

        /// The most webhooks.
        public static let maximumWebhooks = 16
        /// The longest times that can be set, in seconds: what is longer is no watch.
        private static let maximumSilence: UInt64 = 30 * 86_400
        private static let maximumClockOffset: UInt64 = 86_400

        public init() {}

        init(
            _ mapping: YAMLMapping?, name: String, _ setting: (String, String?) -> String?
        ) throws(CertAuthorityError) {
            var mapping = mapping
            func read(_ key: String, _ value: inout UInt64, maximum: UInt64) throws(CertAuthorityError) {
                guard let text = setting("alerts." + key, try mapping?.text(key)) else { return }
                let seconds: UInt64
                do {
                    seconds = try parseTimeSpan(text, field: "alerts.\(key)")
                } catch {
                    throw CertAuthorityError(.configuration, "\(name): \(error.reason)")
                }
                guard seconds <= maximum else {
                    throw CertAuthorityError(
                        .configuration, "\(name): alerts.\(key): \(text), \(spell(maximum)) at most expected")
                }
                value = seconds
            }
            try read("host_silent_after", &hostSilentAfter, maximum: Self.maximumSilence)
            try read("clock_off_by", &clockOffBy, maximum: Self.maximumClockOffset)
            if let value = mapping?.value("webhooks") {
                for item in try value.items("webhooks", maximum: Self.maximumWebhooks) {
                    webhooks.append(try Webhook(item))
                }
                guard Set(webhooks.map(\.url.storedName)).count == webhooks.count else {
                    throw value.refuse("two of them have one url", hint: "name all events at one of them")
                }
            }
            try mapping?.finish()
        }
    }
}

extension ServerConfiguration.Alerts.Webhook {
    init(_ value: YAMLValue) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        let address = try mapping.required("url")
        let text = try address.text()
        url = try address.reading { try WebhookURL(text) }
        let words = ServerConfiguration.Alerts.Format.allCases.map(\.rawValue)
        let chosen = try mapping.choice("format", words) ?? "json"
        format = ServerConfiguration.Alerts.Format(rawValue: chosen) ?? .json
        secretFile = try mapping.text("secret_file")
        authoritiesFile = try mapping.text("authorities_file")
        events = Set(AlertEvent.allCases)
        if let list = mapping.value("events") {
            events = []
            let items = try list.items("events", maximum: AlertEvent.allCases.count)
            for item in items {
                let word = try item.choice(AlertEvent.allCases.map(\.rawValue))
                guard let event = AlertEvent(rawValue: word) else { throw item.refuse("not known") }
                events.insert(event)
            }
            guard !events.isEmpty else { throw list.refuse("no event: leave it out to be told of all") }
        }
        try mapping.finish()
    }
}
