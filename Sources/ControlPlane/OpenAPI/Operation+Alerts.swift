// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes

/// Who may enter a host, how somebody came to be on one, and what somebody should look at.
extension Operation {
    static let answers = [
        Operation(
            method: .get, path: "/v1/hosts/{id}/access", name: "hostAccess",
            summary:
                "Who may enter a host, as which account and how; of others than administrators, whether they may.",
            query: [Query(name: "login", schema: .text(), description: "This account only.")],
            answer: .json(.reference("HostAccess")), problems: [.notFound]),
        Operation(
            method: .get, path: "/v1/why", name: "why",
            summary:
                "The story of a certificate, a session or a request out of the log; one's own, or any as administrator.",
            query: [
                Query(name: "session", schema: .text(), description: "A session's name on its host."),
                Query(name: "host", schema: .text(), description: "With session: the host's id."),
                Query(name: "serial", schema: .text(), description: "A certificate's serial."),
                Query(
                    name: "keyId", schema: .text(), description: "A certificate's key ID; percent-encoded."),
                Query(name: "request", schema: .text(), description: "A request's id."),
            ], answer: .json(.reference("Chain")), problems: [.notFound, .conflict, .storeUnavailable]),
    ]

    static let alerts = [
        Operation(
            method: .get, path: "/v1/alerts", name: "alerts",
            summary: "What somebody should look at, newest first.",
            access: .administrator,
            query: [
                Query(
                    name: "since", schema: .number(minimum: 0),
                    description: "Not before, in milliseconds since 1970."),
                Query(name: "after", schema: .text(), description: "`next` of the answer before."),
                Query(
                    name: "limit", schema: .number(minimum: 1),
                    description: "How many at most: 1 to 1000, else 100."),
            ], answer: .page("Alert"), problems: [.denied, .storeUnavailable]),
        Operation(
            method: .post, path: "/v1/alerts/test", name: "testAlerts",
            summary: "Records an alert, so that one sees whether it arrives.", access: .administrator,
            isRemembered: true, answer: .json(.reference("Alert"), status: 201),
            problems: [.denied, .storeUnavailable]),
    ]
}

extension Schema {
    private static let somebody = Schema.object([
        need("identity", .text()),
        need("knownBy", .list(.text("An identity provider's name, keys or api-key."))),
    ])

    static let hostAccess = [
        need("host", .text()), need("names", .list(.text())), need("labels", .map(.text())),
        need(
            "ways",
            .list(
                .object([
                    need("login", .text("`*` for every account that no rule names.")), need("rule", .text()),
                    need("condition", .text("Whom the rule lets in, in words.")),
                    may("approvals", .number("How many have to approve.")),
                    may("approvers", .text("Who may, in words.")),
                    may("longestGrant", .number("Seconds.")),
                    may("breakGlass", .text("Who may pass without, in words.")), need("sudo", .flag()),
                    need("people", .list(somebody)),
                ]))),
        need(
            "grants",
            .list(
                .object([
                    need("request", .text()), need("person", .text()), need("login", .text()),
                    need("rule", .text()), need("until", seconds), need("approvedBy", .list(.text())),
                    need("breakGlass", .flag()),
                ]))),
        need(
            "denials",
            .list(
                .object([
                    need("rule", .text()), need("logins", .list(.text())), need("condition", .text()),
                ]))),
        need("known", .number("How many people are known here.")),
        need("asked", .number("Of how many of them the policy was asked.")),
    ]

    static let chain = [
        need(
            "steps",
            .list(
                .object([
                    need("index", .number("Its place in the log.")),
                    need("recorded", .number("Milliseconds since 1970.")),
                    need("step", .text(words: ChainStep.Kind.allCases.map(\.rawValue))), need("who", .text()),
                    need("facts", .map(.text())),
                ]))),
        need("cut", .flag("True where hosts reported more than is shown.")),
    ]

    static let alert = [
        need("index", .number("Its place in the log.")),
        need("recorded", .number("Milliseconds since 1970.")),
        need("event", .text(words: AlertEvent.allCases.map(\.rawValue))), need("host", .text()),
        need("text", .text("For people.")), need("fields", .map(.text())),
    ]
}
