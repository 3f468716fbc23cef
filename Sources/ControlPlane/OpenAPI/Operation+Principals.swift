// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes

/// What the API does with who may enter accounts of hosts.
extension Operation {
    static let principals = [
        Operation(
            method: .get, path: "/v1/hosts/{id}/principals", name: "hostPrincipals",
            summary: "Who may enter accounts of a host for good, and what the host has made of it.",
            access: .administrator, query: paging, answer: .page("HostPrincipals"),
            problems: [.denied, .notFound]),
        Operation(
            method: .put, path: "/v1/hosts/{id}/principals/{login}", name: "setHostPrincipals",
            summary: "Says who may enter an account of a host, and waits a little for the host.",
            access: .administrator,
            body: .object([Schema.need("principals", .list(.text("Nobody enters where there are none.")))]),
            maximumBodyBytes: 64 << 10, isRemembered: true, answer: .json(.reference("HostPrincipals")),
            problems: [.denied, .notFound, .tooManyRequests, .storeUnavailable]),
        Operation(
            method: .delete, path: "/v1/hosts/{id}/principals/{login}", name: "forgetHostPrincipals",
            summary: "Says nothing of an account any more; who may enter stays on the host as it is.",
            access: .administrator, answer: .nothing, problems: [.denied, .notFound, .storeUnavailable]),
    ]
}

extension Schema {
    static let hostPrincipals = Schema.object([
        need("login", .text()), need("principals", .list(.text())),
        need(
            "state",
            .text("Whether the host has it.", words: ["pending", "delivered", "refused", "unmanaged"])),
        may("reason", .text("Why it doesn't.")),
    ])
}
