// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What sshd would let one account log in with.
public struct ScanSettings: Sendable, Hashable {
    /// `AuthorizedKeysFile`, its patterns as they are set.
    public let keyFilePatterns: [String]
    /// `AuthorizedKeysCommand`, nil for none.
    public let keysCommand: String?
    /// `TrustedUserCAKeys`, nil for none.
    public let trustedCAKeys: String?
    /// `AuthorizedPrincipalsFile`, nil for none.
    public let principalsFilePattern: String?
    /// `AuthorizedPrincipalsCommand`, nil for none.
    public let principalsCommand: String?
    /// `RevokedKeys`, nil for none.
    public let revokedKeys: String?
    public let takesKeys: Bool
    public let takesPasswords: Bool
    public let takesKeyboardInteractive: Bool
    public let takesEmptyPasswords: Bool
    public let takesHostbased: Bool
    public let takesGSSAPI: Bool
    public let takesKerberos: Bool
    public let usesPAM: Bool
    public let isStrictAboutModes: Bool
    /// `PermitRootLogin`: "yes", "prohibit-password", "forced-commands-only" or "no".
    public let rootLogin: String
    /// `AuthenticationMethods`, each a list of what is needed together; empty when any single method will do.
    public let methods: [String]
    /// `AllowUsers`, `AllowGroups`, `DenyUsers`, `DenyGroups` as "allowusers: a b", which are not weighed here.
    public let accessLists: [String]
    /// The keys that are taken.
    public let algorithms: Set<String>?
    public let requiredRSABits: Int

    public init(_ settings: SshdSettings) {
        func isOn(_ keyword: String) -> Bool { settings.says(keyword, "yes") }
        func path(_ keyword: String) -> String? {
            settings[keyword].flatMap { $0.lowercased() == "none" || $0.isEmpty ? nil : $0 }
        }
        keyFilePatterns = (path("authorizedkeysfile") ?? "").split(separator: " ").map(String.init)
        keysCommand = path("authorizedkeyscommand")
        trustedCAKeys = path("trustedusercakeys")
        principalsFilePattern = path("authorizedprincipalsfile")
        principalsCommand = path("authorizedprincipalscommand")
        revokedKeys = path("revokedkeys")
        takesKeys = isOn("pubkeyauthentication")
        takesPasswords = isOn("passwordauthentication")
        takesKeyboardInteractive =
            isOn("kbdinteractiveauthentication") || isOn("challengeresponseauthentication")
        takesEmptyPasswords = isOn("permitemptypasswords")
        takesHostbased = isOn("hostbasedauthentication")
        takesGSSAPI = isOn("gssapiauthentication")
        takesKerberos = isOn("kerberosauthentication")
        usesPAM = isOn("usepam")
        isStrictAboutModes = !settings.says("strictmodes", "no")
        let root = settings["permitrootlogin"]?.lowercased() ?? "unknown"
        // sshd shows the older of two names.
        rootLogin = root == "without-password" ? "prohibit-password" : root
        methods = (settings["authenticationmethods"] ?? "any").split(separator: " ").map(String.init)
            .filter { $0.lowercased() != "any" }
        accessLists = ["allowusers", "denyusers", "allowgroups", "denygroups"].compactMap { keyword in
            let values = settings.all(keyword)
            return values.isEmpty ? nil : "\(keyword): \(values.joined(separator: " "))"
        }
        algorithms = (settings["pubkeyacceptedalgorithms"] ?? settings["pubkeyacceptedkeytypes"]).map {
            Set($0.split(separator: ",").map(String.init))
        }
        requiredRSABits = settings["requiredrsasize"].flatMap { Int($0) } ?? 1_024
    }

    /// True when a method alone, or with others of the same kind, opens a session.
    func isEnough(_ names: Set<String>) -> Bool {
        methods.isEmpty
            || methods.contains { list in
                list.split(separator: ",").allSatisfy { names.contains(String($0.prefix { $0 != ":" })) }
            }
    }
}

/// Whether something opens an account, and what else it takes.
public struct ScanAnswer: Sendable, Hashable {
    public let isPossible: Bool
    /// By what, or why not: one line.
    public let reason: String
}

extension ScanSettings {
    /// Whether a password opens `account`.
    public func passwordLogin(_ account: HostAccount) -> ScanAnswer {
        var ways: [String] = []
        if takesPasswords { ways.append("password") }
        // Without PAM (or BSD's login.conf) there is nobody to ask the questions.
        if takesKeyboardInteractive, usesPAM { ways.append("keyboard-interactive") }
        guard !ways.isEmpty else { return ScanAnswer(isPossible: false, reason: "sshd takes no passwords") }
        guard isEnough(Set(ways)) else {
            return ScanAnswer(
                isPossible: false, reason: "AuthenticationMethods wants \(methods.joined(separator: " or "))")
        }
        if account.userID == 0, rootLogin != "yes" {
            return ScanAnswer(isPossible: false, reason: "PermitRootLogin \(rootLogin)")
        }
        switch account.password {
        case .locked: return ScanAnswer(isPossible: false, reason: "the account's password is locked")
        case .none: return ScanAnswer(isPossible: false, reason: "the account has no password that will do")
        case .empty:
            return takesEmptyPasswords
                ? ScanAnswer(isPossible: true, reason: "an empty password, which PermitEmptyPasswords takes")
                : ScanAnswer(isPossible: false, reason: "the account's password is empty, which sshd refuses")
        case .set: return ScanAnswer(isPossible: true, reason: ways.joined(separator: ", "))
        case .unknown:
            return usesPAM
                ? ScanAnswer(
                    isPossible: true,
                    reason: "\(ways.joined(separator: ", ")), if a directory has a password for it")
                : ScanAnswer(isPossible: false, reason: "the account has no line in the shadow file")
        }
    }

    /// Why no key opens `account` whatever its files say; nil when keys may.
    public func keysAreUseless(_ account: HostAccount) -> String? {
        if !takesKeys { return "PubkeyAuthentication is off" }
        if account.userID == 0, rootLogin == "no" { return "PermitRootLogin no" }
        if !usesPAM, account.password == .locked { return "the account is locked, and UsePAM is off" }
        return nil
    }
}
