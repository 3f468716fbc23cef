// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The control plane's settings, as `daypassd.yaml` holds them (docs/daypassd.md lists the keys).
///
/// A key that is not known is an error. Each value can be overridden by an environment variable: `DAYPASSD_` and the
/// key's path in capitals, for example `DAYPASSD_LISTEN`.
public struct ServerConfiguration: Sendable, Hashable {
    /// Where to listen: an address, and a port or 0.
    public var address = "127.0.0.1"
    public var port = 8443
    /// The names and addresses by which clients call the server; the first is shown to people.
    public var names = ["localhost", "127.0.0.1"]
    /// How browsers reach the server, without a slash at the end; nil for its first name and the port that it listens on.
    public var url: String?
    /// The policy file; relative to the configuration's folder.
    public var policyFile = "policy.yaml"
    /// The server's certificate chain and its key as PEM files; nil for the server's own.
    public var certificateFile: String?
    public var privateKeyFile: String?
    /// Patterns of host names for which the host CA speaks.
    public var hostPatterns: [String] = []
    /// How long a session lasts, in seconds.
    public var sessionLifetime: UInt64 = 12 * 3_600
    /// Whether enrolled SSH keys may log in.
    public var takesEnrolledKeys = true
    /// The identity providers by which people log in.
    public var providers: [ProviderSettings] = []
    /// Where workloads' tokens are believed.
    public var workloads: [WorkloadSettings] = []
    /// The socket of a signer that somebody else started; nil for one of the server's own.
    public var signerSocket: String?
    /// A file with the passphrase of the CA's keys; nil where they have none.
    public var passphraseFile: String?
    /// A file of the fleet's root keys; nil where the signer of the first statement is the root.
    public var fleetRootsFile: String?
    /// How often and by how many connections the server may be asked.
    public var limits = Limits()
    /// When hosts raise alerts, and who is told.
    public var alerts = Alerts()

    /// The largest configuration file, in bytes.
    public static let maximumBytes = 256 << 10
    private static let form = YAMLForm(maximumBytes: maximumBytes, maximumIndicators: 1_024)
    private static let maximumNames = 64
    private static let maximumProviders = 32

    public init() {}

    /// Parses a configuration file.
    ///
    /// - Parameters:
    ///   - name: the file's name, for errors.
    ///   - environment: variables by name.
    /// - Throws: `.configuration`, naming the key.
    public init(
        yaml: String, name: String, environment: [String: String] = [:]
    ) throws(CertAuthorityError) {
        var root = try Self.form.mapping(yaml, name: name)
        guard try root.text("version") == "1" else {
            throw CertAuthorityError(.configuration, "\(name): version: 1 expected")
        }
        func setting(_ key: String, _ value: String?) -> String? {
            environment["DAYPASSD_" + key.uppercased().replacing(".", with: "_")] ?? value
        }
        if let listen = setting("listen", try root.text("listen")) {
            (address, port) = try Self.listen(listen, name)
        }
        if let names = try root.list("names", maximum: Self.maximumNames) { self.names = names }
        if let text = setting("names", nil) { names = text.split(separator: ",").map(String.init) }
        guard !names.isEmpty else {
            throw CertAuthorityError(.configuration, "\(name): names: none is given")
        }
        if let url = setting("url", try root.text("url")) {
            self.url = try Self.publicURL(url, names, name)
        }
        policyFile = setting("policy", try root.text("policy")) ?? policyFile
        if var tls = try root.mapping("tls") {
            certificateFile = setting("tls.certificate", try tls.text("certificate"))
            privateKeyFile = setting("tls.key", try tls.text("key"))
            try tls.finish()
        }
        guard (certificateFile == nil) == (privateKeyFile == nil) else {
            throw CertAuthorityError(
                .configuration, "\(name): tls: certificate and key are given together or not at all")
        }
        hostPatterns = try root.list("host_patterns", maximum: Self.maximumNames) ?? []
        if let all = hostPatterns.first(where: { $0.utf8.allSatisfy("*?.!".utf8.contains) }) {
            throw CertAuthorityError(
                .configuration,
                "\(name): host_patterns: \"\(all)\" would let the host CA speak for every host",
                hint: "name the domains of your hosts, for example \"*.example.com\"")
        }
        if let text = setting("session_lifetime", try root.text("session_lifetime")) {
            do {
                sessionLifetime = try parseTimeSpan(text, field: "session_lifetime")
            } catch {
                throw CertAuthorityError(.configuration, "\(name): \(error.reason)")
            }
        }
        if let value = try root.bool("enrolled_keys") { takesEnrolledKeys = value }
        if let list = root.value("providers") {
            for value in try list.items("providers", maximum: Self.maximumProviders) {
                providers.append(try ProviderSettings(value))
            }
        }
        if let list = root.value("workloads") {
            for value in try list.items("workloads", maximum: Self.maximumProviders) {
                workloads.append(try WorkloadSettings(value))
            }
        }
        let called = providers.map(\.name) + workloads.map(\.name)
        guard Set(called).count == called.count, Person.reservedProviders.isDisjoint(with: called) else {
            let reserved = Person.reservedProviders.sorted().joined(separator: " or ")
            throw CertAuthorityError(
                .configuration,
                "\(name): providers, workloads: each needs a name of its own, and not \(reserved)")
        }
        signerSocket = setting("signer_socket", try root.text("signer_socket"))
        passphraseFile = setting("passphrase_file", try root.text("passphrase_file"))
        fleetRootsFile = setting("fleet_roots", try root.text("fleet_roots"))
        limits = try Limits(try root.mapping("limits"), name: name, setting)
        alerts = try Alerts(try root.mapping("alerts"), name: name, setting)
        try root.finish()
    }

    /// How browsers reach the server, where it listens on `port`: what providers are told to send them back to begins so.
    public func publicURL(port: Int) -> String {
        if let url { return url }
        let host = names[0].contains(":") ? "[\(names[0])]" : names[0]
        return port == 443 ? "https://\(host)" : "https://\(host):\(port)"
    }

    /// What must be registered at a provider where people sign in by pages.
    public func redirectURI(of provider: String, port: Int) -> String {
        Self.redirectURI(of: provider, at: publicURL(port: port))
    }

    /// One for each provider, so that an answer of one is never taken for another's (RFC 9700, section 4.4.2).
    public static func redirectURI(of provider: String, at url: String) -> String {
        "\(url)/callback/\(provider)"
    }

    /// Takes `https://`, one of the names and perhaps a port: the pages' cookies are for a whole host, and what is made for
    /// another name is refused.
    private static func publicURL(
        _ text: String, _ names: [String], _ name: String
    ) throws(CertAuthorityError) -> String {
        let isOwn = names.contains { own in
            let start = "https://" + (own.contains(":") ? "[\(own)]" : own)
            guard text.hasPrefix(start) else { return false }
            let rest = text.dropFirst(start.count)
            guard rest.hasPrefix(":") else { return rest.isEmpty }
            return UInt16(rest.dropFirst()).map { $0 > 0 && String($0) == rest.dropFirst() } ?? false
        }
        guard isOwn else {
            throw CertAuthorityError(
                .configuration,
                "\(name): url: \"\(text.escapedForTerminal)\", https:// and one of names expected, perhaps with a port",
                hint: "for example https://\(names[0]); nothing behind it, no slash either")
        }
        return text
    }

    private static func listen(_ text: String, _ name: String) throws(CertAuthorityError) -> (String, Int) {
        let refusal = CertAuthorityError(
            .configuration,
            "\(name): listen: \"\(text.escapedForTerminal)\", an address and a port like 0.0.0.0:8443 or [::]:8443 expected"
        )
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw refusal
        }
        var address = text[..<colon]
        if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        guard (try? IPAddress(String(address))) != nil else { throw refusal }
        return (String(address), Int(port))
    }

    /// The file that a new control plane starts with.
    public static func template(listen: String, names: [String]) -> String {
        """
        # Settings of this control plane. Unknown keys are refused; DAYPASSD_LISTEN and so on override them.
        version: 1

        # Where to listen, and the names and addresses by which clients call this server.
        listen: "\(listen)"
        names: [\(names.map { "\"\($0)\"" }.joined(separator: ", "))]

        # Who may have what. Read again on SIGHUP; a policy that doesn't pass its own tests is not taken.
        policy: policy.yaml

        # A certificate of your own: tls: {certificate: /etc/ssl/daypass.pem, key: /etc/ssl/daypass.key}.
        # Without, this server makes one, whose fingerprint clients pin.

        # The names of hosts for which the host CA speaks, as known_hosts has them: ["*.example.com"].
        host_patterns: []

        # How long a person stays logged in.
        session_lifetime: 12h

        # Whether people log in by SSH keys that an administrator enrolled.
        enrolled_keys: true

        """
    }
}
