// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes

/// What the API does with requests for approval.
extension Operation {
    static let requests = [
        Operation(
            method: .get, path: "/v1/requests", name: "requests", summary: "Requests for approval.",
            query: paging + [
                Query(
                    name: "scope", schema: .text(words: ["mine", "to-approve", "all"]),
                    description:
                        "One's own (the default), those that one may approve, or all that one may see.")
            ], answer: .page("AccessRequest")),
        Operation(
            method: .post, path: "/v1/requests", name: "requestAccess",
            summary: "Asks for what others have to approve, or passes without in an emergency.",
            body: .reference("NewAccessRequest"), maximumBodyBytes: 16 << 10, isRemembered: true,
            answer: .json(.reference("AccessRequest"), status: 201),
            problems: refusals + [.notFound, .conflict]),
        Operation(
            method: .get, path: "/v1/requests/{id}", name: "request",
            summary: "A request, at once or when it is answered.",
            query: [
                Query(
                    name: "wait", schema: .number(),
                    description:
                        "For how many seconds the answer waits while nobody has decided, or hosts are being told: 0 to 30."
                )
            ], answer: .json(.reference("AccessRequest")), problems: [.notFound]),
        Operation(
            method: .post, path: "/v1/requests/{id}/approve", name: "approve",
            summary: "Approves a request by a signature over its text.",
            body: .object([
                Schema.need("signature", .text("SSHSIG, armoured, in the namespace approval.daypass."))
            ]),
            maximumBodyBytes: 32 << 10, isRemembered: true, answer: .json(.reference("AccessRequest")),
            problems: refusals + [.notFound, .conflict]),
        Operation(
            method: .post, path: "/v1/requests/{id}/deny", name: "deny", summary: "Refuses a request.",
            body: .object([Schema.need("reason", .text())]), maximumBodyBytes: 4 << 10, isRemembered: true,
            answer: .json(.reference("AccessRequest")), problems: refusals + [.notFound, .conflict]),
        Operation(
            method: .delete, path: "/v1/requests/{id}", name: "takeBack",
            summary: "Withdraws a request of one's own, or takes back what was granted.",
            query: [Query(name: "reason", schema: .text(), description: "Why; percent-encoded.")],
            answer: .json(.reference("AccessRequest")), problems: refusals + [.notFound, .conflict]),
    ]

    static let reviews = [
        Operation(
            method: .get, path: "/v1/reviews", name: "reviews",
            summary: "Access without approval that nobody has looked at.", query: paging,
            answer: .page("AccessRequest")),
        Operation(
            method: .post, path: "/v1/reviews/{id}/acknowledge", name: "acknowledge",
            summary: "Says that one has looked at it.",
            body: .object([Schema.may("reason", .text("What was found."))]), maximumBodyBytes: 4 << 10,
            isRemembered: true, answer: .json(.reference("AccessRequest")),
            problems: refusals + [.notFound, .conflict]),
    ]

    private static let refusals: [Problem.Code] = [.denied, .needsApproval, .needsLogin, .storeUnavailable]
}

extension Schema {
    static let newAccessRequest = [
        may("host", .text("Its id, a name or an address.")),
        may("labels", .map(.text("Instead of a host: all that have them."))), need("login", .text()),
        may("duration", .number("Seconds; the longest that policy grants without it.", minimum: 1)),
        may("sudo", .flag()), may("permissions", .list(.text())), may("forceCommand", .text()),
        may("key", key), need("reason", .text()), may("ticket", .text()),
        may("breakGlass", .flag("Pass without approval.")),
    ]

    static let accessRequest = [
        need("id", .text(pattern: "^[0-9a-f]{32}$")),
        need("status", .text(words: GrantRequest.Status.allCases.map(\.rawValue))), need("person", .text()),
        need("hosts", .list(.text())), need("login", .text()), need("sudo", .flag()),
        need("duration", .number("Seconds.")), need("reason", .text()), may("ticket", .text()),
        need("rule", .text()), need("breakGlass", .flag()), need("created", seconds),
        need("expires", .number("Until when it waits: seconds since 1970.")), may("grantedUntil", seconds),
        need("approvers", .list(.text("Who has approved it."))),
        need("needed", .number("How many have to.")), need("mayApprove", .text("Who may, in words.")),
        may("endedBy", .text()), may("endReason", .text()),
        may("review", .text(words: ["open", "acknowledged"])), may("reviewedBy", .text()),
        may("note", .text()), need("text", .text("What whoever approves it signs.")),
        may(
            "delivery",
            .list(
                .object([
                    need("host", .text()),
                    need("state", .text(words: HostDelivery.State.allCases.map(\.rawValue))),
                    may("reason", .text("In the host's words or the server's.")),
                ]))),
    ]
}
