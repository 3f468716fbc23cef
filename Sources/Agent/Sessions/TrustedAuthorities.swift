// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
public import SSHWire

/// The CAs whose certificates this host takes: what sshd reads as `TrustedUserCAKeys`.
public struct TrustedAuthorities: Sendable {
    /// Comments by the keys' bytes.
    private let names: [[UInt8]: String]

    /// Nobody is trusted.
    public static let none = TrustedAuthorities(names: [:])

    private init(names: [[UInt8]: String]) { self.names = names }

    /// Takes a file's content apart; lines that are no key are skipped, as sshd does.
    public init(file content: [UInt8]) {
        var names: [[UInt8]: String] = [:]
        guard let file = try? AuthorizedKeysFile(content) else {
            self.names = [:]
            return
        }
        for (_, entry) in file.entries { names[entry.key.encoded] = entry.comment.string }
        self.names = names
    }

    /// Reads the file of a host; nobody is trusted where there is none.
    public init(path: String, files: any HostFiles) throws(AgentError) {
        self.init(file: try files.read(path)?.bytes ?? [])
    }

    /// What a record says about a CA's key.
    public func authority(_ key: PublicKey) -> CertificateUse.Authority {
        let name = names[key.encoded]
        return CertificateUse.Authority(
            fingerprint: key.fingerprint, type: key.keyType.rawValue,
            name: name.flatMap { $0.isEmpty ? nil : $0 }, isTrusted: name != nil)
    }
}
