// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire

/// Rows of the directory's tables as what they stand for; what they can't stand for is damage.
extension Row {
    func enrolledKey() throws -> EnrolledKey {
        try undamaged("enrolled_keys") {
            try EnrolledKey(
                key: try key("key"), identity: try Identity(try text("identity")),
                email: try optionalText("email"), groups: try json("groups", as: [String].self),
                added: try time("added"))
        }
    }

    func apiKey() throws -> APIKey {
        try undamaged("api_keys") {
            try APIKey(
                id: try text("id"), name: try text("name"),
                secretDigest: Array(try decode(Data.self, forColumn: "secret_digest")),
                groups: try json("groups", as: [String].self),
                sourceAddresses: try json("source_addresses", as: [String].self).map { try AddressBlock($0) },
                created: try time("created"), expires: try optionalTime("expires"))
        }
    }

    func host() throws -> ManagedHost {
        try undamaged("hosts") {
            try ManagedHost(
                id: try text("id"), names: try json("names", as: [String].self),
                labels: try json("labels", as: [String: String].self))
        }
    }

    func hostPrincipals() throws -> HostPrincipals {
        try undamaged("host_principals") {
            try HostPrincipals(
                host: try text("host"), login: try text("login"),
                principals: try json("principals", as: [String].self))
        }
    }

    func session() throws -> LoginSession {
        try undamaged("sessions") {
            LoginSession(
                id: try text("id"),
                person: Person(
                    identity: try Identity(try text("identity")), provider: try text("provider"),
                    subject: try text("subject"), email: try optionalText("email"),
                    groups: try json("groups", as: [String].self),
                    claims: try json("claims", as: StoredClaim.self).claim,
                    authenticatedAt: try time("authenticated")),
                key: try key("key"), credential: try optionalText("credential"),
                sourceAddress: try text("source"), created: try time("created"), expires: try time("expires"))
        }
    }

    func joinToken() throws -> JoinToken {
        try undamaged("join_tokens") {
            try JoinToken(
                id: try text("id"), secretDigest: Array(try decode(Data.self, forColumn: "secret_digest")),
                hostPattern: try text("host_pattern"),
                labels: try json("labels", as: [String: String].self), expires: try time("expires"),
                creator: try Identity(try text("creator")))
        }
    }

    func enrolledHost() throws -> EnrolledHost {
        try undamaged("enrolled_hosts") {
            EnrolledHost(
                id: try text("id"), clientID: try text("client_id"), key: try key("key"),
                hostKeys: try json("host_keys", as: [String].self).map { line in
                    try PublicKeyLine(line).content.plainKey("host key")
                },
                joined: try time("joined"), isOwnAgent: try decode(Bool.self, forColumn: "own_agent"))
        }
    }

    func identityBinding() throws -> IdentityBinding {
        try undamaged("identity_bindings") {
            IdentityBinding(
                identity: try Identity(try text("identity")), provider: try bytes("provider"),
                subject: try bytes("subject"), firstSeen: try time("first_seen"))
        }
    }

    func grantRequest() throws -> GrantRequest {
        try undamaged("access_requests") {
            var request = GrantRequest(
                id: try text("id"), person: try Identity(try text("person")),
                hosts: try json("hosts", as: [String].self), login: try text("login"),
                wantsSudo: try decode(Bool.self, forColumn: "sudo"),
                permissions: Set(
                    try json("permissions", as: [String].self).map { name in
                        guard let permission = Permission(rawValue: name) else {
                            throw CertAuthorityError(.storeDamaged, "permission \(name) is not known")
                        }
                        return permission
                    }),
                forceCommand: try optionalText("force_command"),
                key: try decode(Data?.self, forColumn: "key").map { try PublicKey(encoded: Array($0)) },
                duration: UInt64(bitPattern: try decode(Int64.self, forColumn: "duration")),
                reason: try text("reason"), ticket: try optionalText("ticket"), rule: try text("rule"),
                isBreakGlass: try decode(Bool.self, forColumn: "break_glass"), created: try time("created"),
                expires: try time("expires"))
            request.approvals = try json("approvals", as: [StoredApproval].self).map { try $0.approval }
            try json("outcome", as: StoredOutcome.self).apply(to: &request)
            return request
        }
    }

    /// Text that is kept as bytes.
    private func bytes(_ column: String) throws -> String {
        String(decoding: try decode(Data.self, forColumn: column), as: UTF8.self)
    }

    func text(_ column: String) throws -> String { try decode(String.self, forColumn: column) }

    private func optionalText(_ column: String) throws -> String? {
        try decode(String?.self, forColumn: column)
    }

    private func time(_ column: String) throws -> UnixTime {
        UnixTime(seconds: UInt64(bitPattern: try decode(Int64.self, forColumn: column)))
    }

    private func optionalTime(_ column: String) throws -> UnixTime? {
        try decode(Int64?.self, forColumn: column).map { UnixTime(seconds: UInt64(bitPattern: $0)) }
    }

    private func key(_ column: String) throws -> PublicKey {
        try PublicKey(encoded: Array(try decode(Data.self, forColumn: column)))
    }

    private func json<Value: Decodable>(_ column: String, as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(try text(column).utf8))
    }

    private func undamaged<Value>(_ table: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw CertAuthorityError(
                .storeDamaged, "table \(table): a row can't be read: \("\(error)".escapedForTerminal)",
                hint: "restore a backup: daypassd restore --help")
        }
    }
}
