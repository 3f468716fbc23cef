// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
public import SSHWire

/// How a host's certificate is: what `daypass-agent host-certificate show` says.
public struct HostCertificateLook: Sendable, Hashable {
    /// The names that it proves; empty without one.
    public var names: [String] = []
    /// Until when it is good, and when the next one is asked for; nil without one.
    public var end: UnixTime?
    public var renewal: UnixTime?
    /// The key that is to be certified; nil where there is a problem.
    public var key: PublicKey?
    /// Why no certificate is asked for.
    public var problem: String?

    /// Looks at the host. Starts sshd once, to ask which keys it has.
    public init(_ files: any HostFiles, _ sshd: Sshd, _ layout: HostLayout) {
        do throws(AgentError) {
            if let installed = try? HostCertificate.installed(files, layout) {
                (names, end, renewal) = (installed.names, installed.end, installed.renewal)
            }
            guard let record = try TrustRecord.read(files, layout), !record.settings.isEmpty else {
                throw AgentError(.conflict, "trust is not installed on this host")
            }
            try HostCertificatePlan.checkOthers(sshd, files)
            let key = try HostCertificatePlan.key(sshd, files)
            // A certificate for a key that sshd no longer has proves nothing.
            if let installed = try? HostCertificate.installed(files, layout),
                installed.certificate.fields.key != key
            {
                renewal = .always
            }
            self.key = key
        } catch {
            problem = error.reason
        }
    }

    public var json: JSONValue {
        .object([
            .init("names", .array(names.map(JSONValue.string))),
            .init("validUntil", end.map { .string($0.description) } ?? .null),
            .init("renewal", renewal.map { .string($0.description) } ?? .null),
            .init("renewalSeconds", renewal.map { .number(Int64(clamping: $0.seconds)) } ?? .null),
            .init("key", key.map { .string($0.text) } ?? .null),
            .init("problem", problem.map(JSONValue.string) ?? .null),
        ])
    }
}
