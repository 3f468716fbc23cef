// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes
import Hummingbird
import SSHWire

/// What a browser is known by while somebody signs in: 256 random bits in a cookie that no script reads, that comes back
/// to this host over TLS alone (RFC 6265bis section 4.1.3.2), and that no other site's form brings along.
///
/// One browser has one, whatever number of sign-ins it has open.
struct BrowserCookie {
    let value: String

    private static let name = "__Host-daypass-browser"
    private static let bytes = 32
    /// In seconds: longer than a sign-in.
    private static let lifetime = 3_600

    /// A new one.
    init(randomBytes: (Int) -> [UInt8]) { value = Base64URL.encode(randomBytes(Self.bytes)) }

    /// The browser's own; nil when it has none, or several.
    init?(_ request: Request) {
        let all = request.headers[values: .cookie].flatMap { $0.split(separator: ";") }
        let mine = all.compactMap { pair -> String? in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == Self.name else { return nil }
            return String(parts[1])
        }
        guard mine.count == 1, let bytes = try? Base64URL.decode("cookie", mine[0]), bytes.count == Self.bytes
        else { return nil }
        value = mine[0]
    }

    var field: String {
        "\(Self.name)=\(value); Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=\(Self.lifetime)"
    }

    /// What the forms of a sign-in's pages carry: only who knows the cookie can make it, and no other site does.
    func token(for link: String) -> String {
        Base64URL.encode(Digest.sha256(Array("daypass login form\nlink \(link)\nbrowser \(value)\n".utf8)))
    }

    /// Whether a form came from a page that this browser was given.
    func made(_ token: String?, for link: String) -> Bool {
        areEqualInConstantTime(Array((token ?? "").utf8), Array(self.token(for: link).utf8))
    }
}
