// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The question of `daypass-session authorize` to the agent: may this certificate enter this account
/// (docs/formats/session-report.md)?
///
/// Both fields come from whoever connects to sshd; what passed is form alone.
public struct AuthorizeRequest: Sendable, Hashable {
    /// An argument of Linux, in which sshd hands over the certificate, ends at 128 KiB.
    public static let maximumBytes = 136 << 10
    /// The first field.
    static let mark = "daypass-authorize"

    /// The account, sshd's `%u`.
    public let account: String
    /// The certificate in base64, sshd's `%k`.
    public let certificate: String

    /// - Throws: `.invalidValue` for other characters than an account's and base64's.
    public init(account: String, certificate: String) throws(ControlProtocolError) {
        guard !account.isEmpty, account.utf8.allSatisfy({ isWord($0) || "._-@+$".utf8.contains($0) }) else {
            throw ControlProtocolError(.invalidValue, "user: no account's name")
        }
        guard !certificate.isEmpty, certificate.utf8.allSatisfy({ isWord($0) || "+/=".utf8.contains($0) })
        else {
            throw ControlProtocolError(.invalidValue, "certificate: no base64")
        }
        self.account = account
        self.certificate = certificate
    }

    /// Parses a request to its last byte.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        var fields = try ReportFields(bytes, Self.mark, maximumBytes: Self.maximumBytes)
        let account = try fields.take("user", upTo: 255)
        let certificate = try fields.take("certificate", upTo: 128 << 10)
        try fields.finish()
        try self.init(account: account, certificate: certificate)
    }

    /// The request as it is sent.
    public var encoded: [UInt8] {
        Array("\(Self.mark)=1\0user=\(account)\0certificate=\(certificate)\0".utf8)
    }
}

/// The agent's answer to an ``AuthorizeRequest``.
public enum AuthorizeAnswer: Sendable, Hashable {
    /// Nothing speaks against it; the account's principals still decide.
    case allow
    /// It is known as bad; the reason is for the log.
    case deny(String)

    /// The most that a reason may have, in bytes.
    static let maximumReasonBytes = 400

    /// The answer as it is sent; a reason is made printable and cut.
    public var encoded: [UInt8] {
        switch self {
        case .allow: Array("allow\0".utf8)
        case .deny(let reason):
            Array("deny\0".utf8)
                + reason.utf8.prefix(Self.maximumReasonBytes).map { (0x20...0x7e).contains($0) ? $0 : 0x3f }
                + [0]
        }
    }
}

private func isWord(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}
