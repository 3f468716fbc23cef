// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes

extension Operation {
    /// All of them. A test compares them with the routes.
    static let all =
        open + login + signIn + pageSignIn + sessions + certificates + directory + apiKeys + identities
        + fleet
        + fleetTrust + principals + requests + reviews + answers + alerts

    private static let open = [
        Operation(
            method: .get, path: "/healthz", name: "health", summary: "Whether the server answers at all.",
            access: .anybody, answer: .json(.reference("Status"))),
        Operation(
            method: .get, path: "/readyz", name: "ready", summary: "Whether the store can be read.",
            access: .anybody, answer: .json(.reference("Status")), problems: [.storeUnavailable]),
        Operation(
            method: .get, path: "/metrics", name: "metrics", summary: "Counters and gauges for Prometheus.",
            access: .anybody,
            answer: Answer(
                status: 200, mediaType: "text/plain; version=0.0.4; charset=utf-8", schema: nil),
            problems: [.storeUnavailable]),
        Operation(
            method: .get, path: "/openapi.json", name: "document", summary: "This document.",
            access: .anybody, answer: .json(.map(.text()))),
        Operation(
            method: .get, path: "/log/**", name: "log",
            summary: "The transparency log: `checkpoint`, and tiles as C2SP tlog-tiles has them.",
            access: .anybody,
            answer: Answer(status: 200, mediaType: "application/octet-stream", schema: nil),
            problems: [.notFound, .storeUnavailable]),
        Operation(
            method: .get, path: "/v1/server", name: "server",
            summary: "What a client must know before anybody logs in.", access: .anybody,
            answer: .json(.reference("Server"))),
    ]

    private static let login = [
        Operation(
            method: .post, path: "/v1/login/challenge", name: "challenge",
            summary: "A random text to be signed by an enrolled key.", access: .anybody,
            maximumBodyBytes: 1_024, answer: .json(.reference("Challenge"), status: 201)),
        Operation(
            method: .post, path: "/v1/login/keys", name: "loginByKey",
            summary: "Starts a session by the signature of an enrolled key.", access: .anybody,
            cost: RequestLimits.loginCost, body: .reference("KeyLogin"), maximumBodyBytes: 32 << 10,
            answer: .json(.reference("Session"), status: 201),
            problems: [.loginRefused, .storeUnavailable]),
    ]

    private static let signIn = [
        Operation(
            method: .post, path: "/v1/login/device", name: "beginDeviceSignIn",
            summary: "Begins a sign-in at an identity provider, on any device with a browser.",
            access: .anybody, cost: RequestLimits.loginCost, body: .reference("SignIn"),
            maximumBodyBytes: 32 << 10, answer: .json(.reference("PendingSignIn"), status: 201),
            problems: [.loginRefused, .providerUnavailable]),
        Operation(
            method: .post, path: "/v1/login/device/poll", name: "pollDeviceSignIn",
            summary: "Starts the session once somebody has signed in.", access: .anybody,
            body: .object([Schema.need("id", .text())]), maximumBodyBytes: 1_024,
            answer: .json(.reference("Session"), status: 201), problems: signInProblems + [.loginPending]),
        Operation(
            method: .post, path: "/v1/login/code", name: "beginCodeSignIn",
            summary: "Begins a sign-in at an identity provider, in a browser of this machine.",
            access: .anybody, cost: RequestLimits.loginCost, body: .reference("SignIn"),
            maximumBodyBytes: 32 << 10, answer: .json(.reference("PendingSignIn"), status: 201),
            problems: [.loginRefused, .providerUnavailable]),
        Operation(
            method: .post, path: "/v1/login/code/complete", name: "completeCodeSignIn",
            summary: "Starts the session by what the browser brought back.", access: .anybody,
            cost: RequestLimits.loginCost, body: .reference("CodeCompletion"), maximumBodyBytes: 32 << 10,
            answer: .json(.reference("Session"), status: 201), problems: signInProblems),
        Operation(
            method: .post, path: "/v1/login/token", name: "loginByToken",
            summary: "Starts a workload's session by a token, which is spent, or by an API key.",
            access: .anybody,
            cost: RequestLimits.loginCost, body: .reference("TokenLogin"), maximumBodyBytes: 32 << 10,
            answer: .json(.reference("Session"), status: 201), problems: signInProblems),
    ]

    private static let pageSignIn = [
        Operation(
            method: .post, path: "/v1/login/page", name: "beginPageSignIn",
            summary: "Begins a sign-in that is completed on pages of this server, in any browser.",
            access: .anybody, cost: RequestLimits.loginCost, body: .reference("SignIn"),
            maximumBodyBytes: 32 << 10, answer: .json(.reference("PendingSignIn"), status: 201),
            problems: [.loginRefused, .providerUnavailable]),
        Operation(
            method: .post, path: "/v1/login/page/poll", name: "pollPageSignIn",
            summary: "Starts the session once somebody has approved it in a browser.", access: .anybody,
            body: .object([Schema.need("id", .text())]), maximumBodyBytes: 1_024,
            answer: .json(.reference("Session"), status: 201), problems: signInProblems + [.loginPending]),
        Operation(
            method: .get, path: "/login/{code}", name: "signInPage",
            summary: "The page of a sign-in, for a browser.", access: .anybody,
            cost: RequestLimits.pageCost, answer: page, problems: [.denied, .notFound], isPage: true),
        Operation(
            method: .post, path: "/login/{code}", name: "answerSignInPage",
            summary: "What somebody says on the page of a sign-in.", access: .anybody,
            cost: RequestLimits.pageCost,
            body: .object([
                Schema.need("token", .text("From the page.")),
                Schema.need("step", .text(words: ["start", "approve", "refuse"])),
                Schema.may("match", .text("The code that the terminal shows.")),
            ]), bodyMediaType: formMediaType, maximumBodyBytes: 4 << 10, answer: page,
            problems: [
                .denied, .notFound, .conflict, .loginRefused, .providerUnavailable, .storeUnavailable,
            ], isPage: true),
        Operation(
            method: .get, path: "/callback/{provider}", name: "signInCallback",
            summary: "Where an identity provider sends browsers back to.", access: .anybody,
            cost: RequestLimits.pageCost,
            query: ["code", "state", "iss", "error"].map { name in
                Query(name: name, schema: .text(), description: "As the provider sends it.")
            }, answer: Answer(status: 303, mediaType: "", schema: nil),
            problems: [.denied, .notFound, .loginRefused, .providerUnavailable, .storeUnavailable],
            isPage: true),
    ]

    private static let page = Answer(status: 200, mediaType: Page.mediaType, schema: nil)

    private static let signInProblems: [Problem.Code] = [
        .notFound, .loginRefused, .providerUnavailable, .storeUnavailable,
    ]

    private static let sessions = [
        Operation(
            method: .get, path: "/v1/session", name: "session", summary: "The session that asks.",
            answer: .json(.reference("Session"))),
        Operation(
            method: .delete, path: "/v1/session", name: "logout", summary: "Ends the session that asks.",
            answer: .nothing, problems: [.storeUnavailable]),
        Operation(
            method: .get, path: "/v1/sessions", name: "sessions",
            summary: "One's own sessions; everybody's for an administrator who asks for all.",
            query: paging + [
                Query(
                    name: "all", schema: .text(words: ["true", "false"]),
                    description: "`true` for everybody's.")
            ], answer: .page("Session"), problems: [.denied]),
        Operation(
            method: .delete, path: "/v1/sessions/{id}", name: "endSession",
            summary: "Ends a session of one's own, or anybody's as administrator.", answer: .nothing,
            problems: [.notFound, .storeUnavailable]),
    ]

    private static let certificates = [
        Operation(
            method: .post, path: "/v1/certificates", name: "issue",
            summary: "A certificate for one account on one host, if policy gives it.",
            body: .reference("Wish"), maximumBodyBytes: CertificateWish.maximumBytes, isRemembered: true,
            answer: .json(.reference("Certificate"), status: 201),
            problems: [
                .denied, .needsApproval, .needsLogin, .conflict, .storeUnavailable, .signerUnavailable,
            ]),
        Operation(
            method: .post, path: "/v1/explain", name: "explain",
            summary: "What policy says to a wish, and why. Nothing is issued or recorded.",
            body: .reference("Wish"), maximumBodyBytes: CertificateWish.maximumBytes,
            answer: .json(.object([Schema.need("text", .text())])), problems: [.notFound]),
        Operation(
            method: .get, path: "/v1/access", name: "access",
            summary: "The hosts that whoever asks may enter, and as which accounts.", query: paging,
            answer: .page("Host")),
    ]

    private static let directory = [
        Operation(
            method: .get, path: "/v1/keys", name: "keys", summary: "The keys by which people log in.",
            access: .administrator, query: paging, answer: .page("EnrolledKey"), problems: [.denied]),
        Operation(
            method: .post, path: "/v1/keys", name: "enrolKey", summary: "Lets a key log in.",
            access: .administrator, body: .reference("EnrolledKey"), maximumBodyBytes: 32 << 10,
            isRemembered: true, answer: .json(.reference("EnrolledKey"), status: 201),
            problems: [.denied, .conflict, .storeUnavailable]),
        Operation(
            method: .delete, path: "/v1/keys", name: "removeKey",
            summary: "Lets a key log in no more, and ends its sessions.", access: .administrator,
            query: [
                Query(
                    name: "fingerprint", schema: .text(), isRequired: true,
                    description: "`SHA256:` and 43 characters of base64.")
            ], answer: .nothing, problems: [.denied, .notFound, .storeUnavailable]),
        Operation(
            method: .get, path: "/v1/hosts", name: "hosts", summary: "The hosts.", access: .administrator,
            query: paging, answer: .page("Host"), problems: [.denied]),
        Operation(
            method: .put, path: "/v1/hosts/{id}", name: "setHost",
            summary: "Adds a host, or changes the one with this id.", access: .administrator,
            body: .reference("Host"), maximumBodyBytes: 32 << 10, isRemembered: true,
            answer: .json(.reference("Host")), problems: [.denied, .conflict, .storeUnavailable]),
        Operation(
            method: .delete, path: "/v1/hosts/{id}", name: "removeHost",
            summary: "Forgets a host: no certificate is issued for it any more.", access: .administrator,
            answer: .nothing, problems: [.denied, .notFound, .storeUnavailable]),
    ]

    private static let apiKeys = [
        Operation(
            method: .get, path: "/v1/api-keys", name: "apiKeys", summary: "The API keys of workloads.",
            access: .administrator, query: paging, answer: .page("APIKey"), problems: [.denied]),
        Operation(
            method: .post, path: "/v1/api-keys", name: "createAPIKey",
            summary: "Makes an API key. Its token is in this answer and nowhere else.",
            access: .administrator, body: .reference("NewAPIKey"), maximumBodyBytes: 32 << 10,
            isRemembered: true, answer: .json(.reference("CreatedAPIKey"), status: 201),
            problems: [.denied, .conflict, .storeUnavailable]),
        Operation(
            method: .delete, path: "/v1/api-keys/{id}", name: "removeAPIKey",
            summary: "Lets an API key open nothing any more, and ends its sessions.", access: .administrator,
            answer: .nothing, problems: [.denied, .notFound, .storeUnavailable]),
    ]

    private static let identities = [
        Operation(
            method: .get, path: "/v1/identities", name: "identities",
            summary: "Which account of which identity provider has which identity.", access: .administrator,
            query: paging, answer: .page("IdentityBinding"), problems: [.denied, .storeUnavailable]),
        Operation(
            method: .delete, path: "/v1/identities", name: "freeIdentity",
            summary: "Lets another account have an identity, and ends its owner's sessions.",
            access: .administrator,
            query: [
                Query(name: "identity", schema: .text(), isRequired: true, description: "Percent-encoded.")
            ], answer: .nothing, problems: [.denied, .notFound, .storeUnavailable]),
    ]

    private static let fleet = [
        Operation(
            method: .post, path: "/v1/hosts/join", name: "joinHost",
            summary: "Lets a host's agent in by a join token, which is spent.", access: .anybody,
            cost: RequestLimits.loginCost, body: .reference("Join"),
            maximumBodyBytes: JoinRequest.maximumBytes,
            answer: .json(.reference("Joined"), status: 201),
            problems: [.notFound, .conflict, .storeUnavailable]),
        Operation(
            method: .post, path: "/v1/hosts/register", name: "registerHost",
            summary: "Lets a host's agent in as P0's backend does, by a join token as its Bearer token.",
            access: .anybody, cost: RequestLimits.loginCost, body: .reference("P0Registration"),
            maximumBodyBytes: JoinRequest.maximumBytes, answer: .json(.reference("P0Registered")),
            problems: [.notLoggedIn, .notFound, .conflict, .storeUnavailable]),
        Operation(
            method: .post, path: "/v1/hosts/key", name: "changeHostKey",
            summary:
                "Puts a new key in the place of a host's, by a token of the old one as its Bearer token.",
            access: .anybody, cost: RequestLimits.loginCost,
            body: .object([
                Schema.need("publicJwk", .map(.text())),
                Schema.need("proof", .text("A token by the new key, as for a tunnel.")),
            ]), maximumBodyBytes: HostKeyChange.maximumBytes,
            answer: .json(.object([Schema.need("thumbprint", .text("The new key's (RFC 7638)."))])),
            problems: [.notLoggedIn, .conflict, .storeUnavailable]),
        Operation(
            method: .get, path: "/v1/join-tokens", name: "joinTokens",
            summary: "The join tokens that are out, without what makes them work.", access: .administrator,
            query: paging, answer: .page("JoinToken"), problems: [.denied]),
        Operation(
            method: .post, path: "/v1/join-tokens", name: "makeJoinToken",
            summary: "Makes a token by which one host may join, once.", access: .administrator,
            body: .reference("JoinToken"), maximumBodyBytes: 16 << 10, isRemembered: true,
            answer: .json(.reference("JoinToken"), status: 201),
            problems: [.denied, .tooManyRequests, .storeUnavailable]),
        Operation(
            method: .delete, path: "/v1/join-tokens/{id}", name: "removeJoinToken",
            summary: "Takes a join token back.", access: .administrator, answer: .nothing,
            problems: [.denied, .notFound, .storeUnavailable]),
        Operation(
            method: .get, path: "/v1/agents", name: "agents", summary: "The hosts' agents and their tunnels.",
            access: .administrator, query: paging, answer: .page("Agent"), problems: [.denied]),
        Operation(
            method: .post, path: "/v1/agents", name: "enrolAgent",
            summary: "Lets a host's agent connect by the key in the registration that it printed.",
            access: .administrator, body: .reference("Enrolment"),
            maximumBodyBytes: EnrolmentRequest.maximumBytes, isRemembered: true,
            answer: .json(.reference("Joined"), status: 201),
            problems: [.denied, .conflict, .storeUnavailable]),
        Operation(
            method: .get, path: "/v1/witnesses", name: "witnesses",
            summary: "The hosts as witnesses of the log: what each of them has cosigned.", query: paging,
            answer: .page("Witness")),
        Operation(
            method: .get, path: "/v1/witnesses/checkpoint", name: "cosignedCheckpoint",
            summary: "The newest checkpoint that most hosts have cosigned, as a C2SP signed note.",
            access: .anybody, answer: .json(.object([Schema.need("checkpoint", .text())])),
            problems: [.notFound]),
        Operation(
            method: .delete, path: "/v1/agents/{id}", name: "removeAgent",
            summary: "Takes the key of a host's agent away, and closes its tunnel.", access: .administrator,
            answer: .nothing, problems: [.denied, .notFound, .storeUnavailable]),
        Operation(
            method: .post, path: "/v1/agents/{id}/call", name: "callAgent",
            summary: "Asks a host's agent to do something, and waits for its answer.", access: .administrator,
            body: .object([Schema.need("command", .text())]), maximumBodyBytes: 64 << 10,
            answer: .json(.reference("CallAnswer")),
            problems: [.denied, .hostUnavailable, .storeUnavailable]),
        Operation(
            method: .post, path: "/v1/revocations", name: "revoke",
            summary: "Revokes, and waits until connected hosts refuse what was revoked.",
            access: .administrator, body: .reference("Revocation"), maximumBodyBytes: 64 << 10,
            isRemembered: true, answer: .json(.reference("Revoked"), status: 201),
            problems: [.denied, .notFound, .conflict, .storeUnavailable]),
        Operation(
            method: .get, path: "/v1/host-sessions", name: "hostSessions",
            summary: "What hosts reported of sessions, newest first.", access: .administrator,
            query: [
                Query(name: "host", schema: .text(), description: "A host's id."),
                Query(name: "who", schema: .text(), description: "An identity, or an account's name."),
                Query(name: "session", schema: .text(), description: "The session's name on its host."),
                Query(
                    name: "since", schema: .number(minimum: 0),
                    description: "Not before, in milliseconds since 1970."),
                Query(
                    name: "alerts", schema: .text(words: ["true", "false"]),
                    description: "`true` for what somebody should look at."),
                Query(name: "after", schema: .text(), description: "`next` of the answer before."),
                Query(
                    name: "limit", schema: .number(minimum: 1),
                    description: "How many at most: 1 to 1000, else 100."),
            ], answer: .page("HostEvent"), problems: [.denied, .storeUnavailable]),
    ]

    static let paging = [
        Query(
            name: "after", schema: .text(),
            description: "`next` of the answer before; without it the list starts at its beginning."),
        Query(
            name: "limit", schema: .number(minimum: 1), description: "How many at most: 1 to 1000, else 100."),
    ]
}
