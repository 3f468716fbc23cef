// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// The certificate by which this host's sshd proves its names to clients.
public struct HostCertificate: Sendable {
    public let certificate: Certificate

    /// The largest file of one, in bytes.
    static let maximumBytes = 1 << 20

    /// Judges what a server or an administrator hands over.
    ///
    /// - Throws: `.invalidRequest` for a user's certificate, one without names or without end, and one whose signature
    ///   is not its CA's.
    public init(_ certificate: Certificate) throws(AgentError) {
        let fields = certificate.fields
        guard fields.kind == .host else {
            throw AgentError(.invalidRequest, "host certificate: this is a user's certificate")
        }
        guard !fields.principals.isEmpty else {
            throw AgentError(.invalidRequest, "host certificate: it names no host")
        }
        guard fields.validAfter < fields.validBefore, fields.validBefore != .forever else {
            throw AgentError(
                .invalidRequest,
                "host certificate: \(fields.validAfter) to \(fields.validBefore): a time with an end expected"
            )
        }
        do throws(SSHWireError) {
            try certificate.verifySignature()
        } catch {
            throw AgentError(.invalidRequest, "host certificate: \(error.reason)")
        }
        self.certificate = certificate
    }

    /// Reads the text of a `-cert.pub` file.
    public init(parsing bytes: [UInt8], name: String) throws(AgentError) {
        let line: PublicKeyLine
        do throws(SSHWireError) {
            line = try PublicKeyLine(file: bytes)
        } catch {
            throw AgentError(.invalidRequest, "\(name.escapedForTerminal): \(error.reason)")
        }
        guard case .certificate(let certificate) = line.content else {
            throw AgentError(.invalidRequest, "\(name.escapedForTerminal): a plain key, not a certificate")
        }
        try self.init(certificate)
    }

    /// The one that is installed; nil without one.
    ///
    /// - Throws: `.invalidRequest` for a file that holds none.
    public static func installed(
        _ files: any HostFiles, _ layout: HostLayout
    ) throws(AgentError) -> HostCertificate? {
        let path = layout.hostCertificate
        guard let content = try files.read(path, maximumBytes: maximumBytes) else { return nil }
        return try HostCertificate(parsing: content.bytes, name: path)
    }

    /// The names that it proves, escaped.
    public var names: [String] { certificate.fields.principals.map(\.string.escapedForTerminal) }
    /// The first second in which it is good no more.
    public var end: UnixTime { certificate.fields.validBefore }

    /// When the next one is asked for: after two thirds of its life, or up to a twentieth of it earlier, by its own
    /// bytes, so that hosts that got theirs at once don't ask at once.
    public var renewal: UnixTime {
        let fields = certificate.fields
        let life = fields.validBefore.seconds - fields.validAfter.seconds
        let twoThirds = life / 3 * 2
        let share = Digest.sha256(certificate.encoded).prefix(2).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let early = (life / 20).multipliedFullWidth(by: share << 48).high
        return fields.validAfter.adding(twoThirds - min(early, twoThirds)) ?? fields.validBefore
    }

    /// Checks that it may take the place of another one.
    ///
    /// - Parameter removed: names that the server says were taken from this host.
    /// - Throws: `.conflict` when a name would vanish that was not taken away, or when it ends earlier.
    public func checkSuccession(of old: HostCertificate, removed: [String]) throws(AgentError) {
        let taken = Set(removed.map { ExactText($0) })
        let lost = old.certificate.fields.principals.filter { name in
            !certificate.fields.principals.contains(name) && !taken.contains(name)
        }
        guard lost.isEmpty else {
            throw AgentError(
                .conflict,
                "host certificate: it lacks \(lost.map(\.string.escapedForTerminal).joined(separator: ", ")), which the "
                    + "installed one proves",
                hint: "give the host that name: daypass hosts add ID --name NAME")
        }
        guard end > old.end else {
            throw AgentError(
                .conflict, "host certificate: it ends \(end), and the installed one \(old.end)",
                hint: "the installed one stays")
        }
    }
}

extension HostLayout {
    /// What a server has sent and what is not installed yet.
    public var nextHostCertificate: String { state + "/host_certificate.next" }
}
