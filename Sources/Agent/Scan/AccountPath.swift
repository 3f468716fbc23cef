// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A path of sshd_config with tokens in it: `AuthorizedKeysFile`, `AuthorizedPrincipalsFile`.
enum AccountPath {
    /// Puts %h, %u, %U and %% in, and the account's home before a relative path (auth.c, `expand_authorized_keys`).
    ///
    /// - Returns: nil for "none", for a token that sshd does not know there (it would end the connection), and for a
    ///   home that is no absolute path.
    static func expand(_ pattern: String, for account: HostAccount) -> String? {
        guard pattern.lowercased() != "none", !pattern.isEmpty else { return nil }
        var path = ""
        var scalars = pattern.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            guard scalar == "%" else {
                path.unicodeScalars.append(scalar)
                continue
            }
            switch scalars.next() {
            case "h": path += account.home
            case "u": path += account.name
            case "U": path += String(account.userID)
            case "%": path += "%"
            default: return nil
            }
        }
        if !path.hasPrefix("/") { path = account.home + "/" + path }
        return path.hasPrefix("/") ? path : nil
    }
}
