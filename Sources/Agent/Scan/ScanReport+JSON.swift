// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

extension ScanReport {
    /// The report as docs/scan.md describes it, format 1: members are added, never changed or taken away.
    public var json: JSONValue {
        .members([
            ("format", 1),
            ("host", .string(hostName)),
            ("time", .string(time.description)),
            (
                "sshd",
                .members([
                    ("binary", .string(sshd)),
                    ("configuration", .string(configuration)),
                    ("version", release.map { .string($0.text) } ?? .null),
                    (
                        "incidents",
                        .array(
                            incidents.map {
                                .members([
                                    ("id", .string($0.identifier)), ("summary", .string($0.summary)),
                                    ("certainty", .string($0.certainty.rawValue)),
                                    ("advice", .string($0.advice)),
                                ])
                            })
                    ),
                ])
            ),
            (
                "authorities",
                .array(
                    authorities.map {
                        .members([
                            ("file", .string($0.file)), ("line", .number(Int64($0.line))),
                            ("type", .string($0.identity.type)),
                            ("fingerprint", .string($0.identity.fingerprint)),
                            ("comment", .string($0.comment)),
                        ])
                    })
            ),
            ("records_begin", .time(recordsBegin)),
            (
                "totals",
                .members([
                    ("accounts", .number(Int64(accounts.count))),
                    ("files", .number(Int64(files.count))),
                    ("keys", .number(Int64(keys.count))),
                    (
                        "unreadable_lines",
                        .number(Int64(accounts.flatMap(\.files).reduce(0) { $0 + $1.unreadable.count }))
                    ),
                    ("password_accounts", .number(Int64(accounts.count { $0.passwordLogin.isPossible }))),
                    ("removable", .number(Int64(keys.count { $0.suggestion.kind == .remove }))),
                ])
            ),
            ("accounts", .array(accounts.map(\.json))),
            ("notes", .array(notes.map { .string($0) })),
        ])
    }
}

extension ScanReport.Account {
    fileprivate var json: JSONValue {
        .members([
            ("name", .string(account.name)),
            ("uid", .number(Int64(account.userID))),
            ("home", .string(account.home)),
            ("shell", .string(account.shell)),
            ("password", .string(account.password.rawValue)),
            ("password_login", passwordLogin.json),
            ("keys_useless", .text(keysAreUseless)),
            ("principals", principals.map { .number(Int64($0)) } ?? .null),
            ("settings", settings.json),
            ("files", .array(files.map(\.json))),
            ("problems", .array(problems.map { .string($0) })),
        ])
    }
}

extension ScanAnswer {
    fileprivate var json: JSONValue {
        .members([("possible", .bool(isPossible)), ("reason", .string(reason))])
    }
}

extension ScanSettings {
    fileprivate var json: JSONValue {
        .members([
            ("authorized_keys_file", .array(keyFilePatterns.map { .string($0) })),
            ("authorized_keys_command", .text(keysCommand)),
            ("trusted_user_ca_keys", .text(trustedCAKeys)),
            ("authorized_principals_file", .text(principalsFilePattern)),
            ("authorized_principals_command", .text(principalsCommand)),
            ("revoked_keys", .text(revokedKeys)),
            ("pubkey_authentication", .bool(takesKeys)),
            ("password_authentication", .bool(takesPasswords)),
            ("keyboard_interactive", .bool(takesKeyboardInteractive)),
            ("permit_empty_passwords", .bool(takesEmptyPasswords)),
            ("hostbased_authentication", .bool(takesHostbased)),
            ("gssapi_authentication", .bool(takesGSSAPI)),
            ("kerberos_authentication", .bool(takesKerberos)),
            ("use_pam", .bool(usesPAM)),
            ("strict_modes", .bool(isStrictAboutModes)),
            ("permit_root_login", .string(rootLogin)),
            ("authentication_methods", .array(methods.map { .string($0) })),
            ("access_lists", .array(accessLists.map { .string($0) })),
        ])
    }
}

extension ScanReport.File {
    fileprivate var json: JSONValue {
        .members([
            ("path", .string(path)),
            ("real_path", .text(realPath)),
            ("owner", .number(Int64(owner))),
            ("mode", .string(octal(mode))),
            ("modified", .string(modified.description)),
            ("loose", .text(looseness)),
            (
                "unreadable",
                .array(
                    unreadable.map {
                        .members([("line", .number(Int64($0.line))), ("reason", .string($0.reason))])
                    })
            ),
            ("keys", .array(keys.map(\.json))),
        ])
    }

    private func octal(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

extension ScanReport.Key {
    fileprivate var json: JSONValue {
        .members([
            ("line", .number(Int64(key.line))),
            ("type", .string(key.identity.type)),
            ("bits", key.identity.bits.map { .number(Int64($0)) } ?? .null),
            ("fingerprint", .string(key.identity.fingerprint)),
            ("comment", .string(key.comment)),
            ("options", .string(key.options)),
            ("cert_authority", .bool(key.isCertAuthority)),
            ("restrict", .bool(key.isRestricted)),
            ("command", .text(key.command)),
            ("from", .text(key.from)),
            ("principals", key.principals.map { .array($0.map { .string($0) }) } ?? .null),
            ("expiry", .text(key.expiry?.description ?? key.expiryText)),
            ("refused", .text(key.refusal)),
            ("doubt", .text(key.doubt)),
            ("weak", .text(key.weakness)),
            ("last_use", .time(lastUse)),
            ("other_accounts", .array(otherAccounts.map { .string($0) })),
            ("suggestion", .string(suggestion.kind.rawValue)),
            ("suggestion_reason", .string(suggestion.reason)),
        ])
    }
}

extension JSONValue {
    fileprivate static func members(_ members: [(String, JSONValue)]) -> JSONValue {
        .object(members.map { Member($0.0, $0.1) })
    }
    fileprivate static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    fileprivate static func time(_ time: UnixTime?) -> JSONValue { text(time?.description) }
}
