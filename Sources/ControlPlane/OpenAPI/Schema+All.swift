// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol

extension Schema {
    static let key = Schema.text("A public key as ssh-keygen writes it.")
    static let seconds = Schema.number("Seconds since 1970.")

    /// What is shown of an API key.
    private static let apiKey = [
        need("id", .text(pattern: "^[0-9a-f]{16}$")), need("name", .text()),
        need("identity", .text("Whom it logs in.")), need("groups", .list(.text())),
        need("sourceAddresses", .list(.text("An address or a block of addresses."))),
        need("created", seconds), may("expires", seconds),
    ]

    /// The forms that have names.
    static let named: [(name: String, schema: Schema)] = [
        ("Status", .object([need("status", .text(words: ["ok"]))])),
        (
            "Server",
            .object([
                need("version", .text()), need("origin", .text("The log's name, the authority's too.")),
                need("userAuthority", key), need("hostAuthority", key),
                need("loginMethods", .list(.text())),
                need("hostPatterns", .list(.text("As known_hosts has them."))),
                may("logKey", .text("The log's key as a verifier key (C2SP signed-note).")),
                may("signIn", .map(.list(.text()))),
            ])
        ),
        (
            "Challenge",
            .object([
                need("challenge", .text("Base64url, good for one login.", pattern: "^[A-Za-z0-9_-]{43}$")),
                need("expires", seconds),
            ])
        ),
        (
            "KeyLogin",
            .object([
                need("challenge", .text()), need("sessionKey", .text("An Ed25519 public key.")),
                need("signature", .text("SSHSIG, armoured, in the namespace login.daypass.")),
            ])
        ),
        (
            "SignIn",
            .object([
                need("provider", .text("Its name in the configuration.")),
                need("sessionKey", .text("An Ed25519 public key.")),
                may("redirectURI", .text("A loopback address; needed for a code.")),
            ])
        ),
        (
            "PendingSignIn",
            .object([
                need("id", .text("Secret.")), need("url", .text()), may("urlWithCode", .text()),
                may("userCode", .text()), may("interval", .number("Seconds between two questions.")),
                need("expires", seconds),
            ])
        ),
        (
            "CodeCompletion",
            .object([
                need("id", .text()), may("code", .text()), may("state", .text()), may("issuer", .text()),
                may("error", .text()),
            ])
        ),
        (
            "TokenLogin",
            .object([
                need("provider", .text()), need("token", .text()),
                need("sessionKey", .text("An Ed25519 public key.")),
            ])
        ),
        (
            "Session",
            .object([
                need("id", .text(pattern: "^[0-9a-f]{32}$")), need("identity", .text()),
                need("provider", .text()), may("email", .text()), need("groups", .list(.text())),
                need("administrator", .flag()), need("keyFingerprint", .text()),
                need("sourceAddress", .text()), need("created", seconds), need("expires", seconds),
            ])
        ),
        (
            "Wish",
            .object([
                need("host", .text("A host's id, name or address.")),
                need("login", .text("The account on it.")), need("key", key),
                may("lifetime", .number("Seconds.", minimum: 1)), may("permissions", .list(.text())),
                may("forceCommand", .text()), may("reason", .text()),
            ])
        ),
        (
            "Certificate",
            .object([
                need("certificate", .text("A line of a -cert.pub file.")), need("host", .text()),
                need("login", .text()), need("rule", .text("The rule that allows it.")),
                need("logIndex", .number("Where the log records it.")),
            ])
        ),
        (
            "Host",
            .object([
                need("id", .text()), need("names", .list(.text())), need("labels", .map(.text())),
                may("logins", .list(.text())), may("loginsOnApproval", .list(.text())),
            ])
        ),
        (
            "EnrolledKey",
            .object([
                need("identity", .text()), need("key", key), may("fingerprint", .text()),
                may("email", .text()), may("groups", .list(.text())),
            ])
        ),
        ("APIKey", .object(apiKey)),
        (
            "CreatedAPIKey",
            .object(
                apiKey + [
                    need("token", .text("Secret.", pattern: "^daypass_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$"))
                ])
        ),
        (
            "NewAPIKey",
            .object([
                need("name", .text("1 to 64 of a-z 0-9 . _ -, first a letter or digit.")),
                may("groups", .list(.text())), may("sourceAddresses", .list(.text())),
                may("lifetime", .number("Seconds; for ever without it.", minimum: 1)),
            ])
        ),
        (
            "IdentityBinding",
            .object([
                need("identity", .text()), need("provider", .text()),
                need("subject", .text("The provider's own name for the account.")),
                need("firstSeen", seconds),
            ])
        ),
        (
            "Join",
            .object([
                need("token", .text("A secret.")), need("hostname", .text()),
                need("publicJwk", .map(.text())), may("hostKeys", .list(key)), may("labels", .map(.text())),
            ])
        ),
        (
            "Joined",
            .object([
                need("clientId", .text()), need("tunnelUrl", .text()),
                may("revocationKey", .text("The key that signs revocation lists.")),
                may("fleetRoots", .list(.text("A key that says which CAs hosts take."))),
            ])
        ),
        (
            "P0Registration",
            .object([need("key", .text("The registration's JSON in base64."))])
        ),
        (
            "P0Registered",
            .object([
                need("ok", .flag()), need("environmentId", .text()), need("hostId", .text()),
                need("orgId", .text()), need("trustedCa", .text("Empty.")), need("tunnelHost", .text()),
                need("protocol", .text("Which tokens the server likes best.")),
            ])
        ),
        (
            "Registration",
            .object([
                need("hostname", .text()), may("publicIp", .text()),
                need("fingerprint", .text("Of fingerprintPublicKey.")),
                need("fingerprintPublicKey", .text("One of sshd's keys.")),
                need("jwkPublicKey", .map(.text())),
                may("labels", .list(.text("What the host would like; they do not count."))),
                need("timestamp", .text("RFC 3339, in UTC.")), may("environmentId", .text()),
                may("orgId", .text()), may("hostId", .text()), may("clientId", .text()),
            ])
        ),
        (
            "Enrolment",
            .object([
                need("registration", .reference("Registration")),
                may("id", .text("The host's id, where it is not the hostname.")),
                may("labels", .map(.text("Without them those of the inventory stay."))),
                may("replace", .flag("Whether a key that the host has already is replaced.")),
            ])
        ),
        ("FleetTrust", fleetTrust), ("HostPrincipals", hostPrincipals),
        (
            "Revocation",
            .object([
                may("serials", .list(.text("A number of 64 bits."))), may("keyIds", .list(.text())),
                may("keys", .list(key)), may("people", .list(.text())),
                may("sessions", .list(.text("A host's id, a slash, and the session's name there."))),
                need("reason", .text()),
            ])
        ),
        (
            "Revoked",
            .object([
                need("revoked", .list(.text("What was revoked, for people."))),
                need("version", .number("The list's; hosts have it or not.")),
                need("acknowledged", .list(.text("Hosts that have it in place."))),
                need(
                    "pending",
                    .list(.object([need("host", .text()), need("reason", .text())]))),
            ])
        ),
        (
            "JoinToken",
            .object([
                may("id", .text()), may("token", .text("In the answer to its making only.")),
                need("hostPattern", .text("A host's name; * stands for any characters, ? for one.")),
                may("labels", .map(.text())), may("lifetime", .number("Seconds; in a wish.", minimum: 1)),
                may("expires", seconds),
            ])
        ),
        (
            "Agent",
            .object([
                need("id", .text()), need("clientId", .text()), need("keyThumbprint", .text()),
                need("joined", seconds), may("connected", seconds), may("lastSeen", seconds),
                need("recorded", .number("The newest of its records that the log has.")),
                may("revocations", .number("The version of the revocation list that it has in place.")),
                may("version", .text()),
                may("protocol", .text("What is spoken on its tunnel.", words: ["daypass", "p0"])),
            ])
        ),
        (
            "Witness",
            .object([
                need("host", .text()), may("key", .text()),
                may("size", .number("The newest size of the log that it cosigned.")),
                may("heard", seconds), may("refusal", .text()),
            ])
        ),
        (
            "CallAnswer",
            .object([
                need("success", .flag()), need("message", .text()), may("output", .text()),
                need("status", .number()),
            ])
        ),
        (
            "HostEvent",
            .object([
                need("index", .number("Its place in the log.")),
                need("recorded", .number("Milliseconds since 1970.")),
                need("happened", .number("Milliseconds since 1970, by the host's clock.")),
                need("host", .text()),
                need("event", .text(words: HostEventRecord.Kind.allCases.map(\.name))),
                need("session", .text()), need("account", .text()), need("who", .text()),
                need("source", .text()), need("method", .text()), need("serial", .text()),
                need("match", .text(words: HostEventRecord.Match.allCases.map(\.name))),
                need("alert", .flag()), may("issuance", .number("Where the log has the issuance.")),
                need("reason", .text()),
            ])
        ),
        ("NewAccessRequest", .object(newAccessRequest)),
        ("AccessRequest", .object(accessRequest)),
        ("HostAccess", .object(hostAccess)), ("Chain", .object(chain)), ("Alert", .object(alert)),
        (
            "Problem",
            .object([
                need("type", .text()), need("title", .text()), need("status", .number()),
                need("code", .text(words: Problem.Code.allCases.map(\.rawValue))),
                need("detail", .text()), may("hint", .text()), may("reasons", .list(.text())),
                need("requestID", .text()), may("serverTime", .number("Milliseconds since 1970.")),
                may(
                    "sessionEnd",
                    .text("Why the session is over.", words: SessionEnd.allCases.map(\.rawValue))),
                may("retryAfter", .number("Seconds.")),
            ])
        ),
    ]
}
