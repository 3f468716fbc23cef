// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Logging
import NIOCore
public import SSHWire

/// A revocation list as hosts get it.
struct SignedRevocations: Sendable {
    let version: UInt64
    /// The operation, with the list in base64 and its signature.
    let call: JSONValue
}

/// The key that signs revocation lists.
public struct RevocationSigner: Sendable {
    /// Hosts keep it when they join.
    public let publicKey: PublicKey
    let sign: @Sendable ([UInt8]) throws -> SSHSignature

    /// - Parameter sign: makes a signature in the namespace ``TunnelHub/revocationNamespace``.
    public init(_ publicKey: PublicKey, sign: @escaping @Sendable ([UInt8]) throws -> SSHSignature) {
        self.publicKey = publicKey
        self.sign = sign
    }

    /// Signs with a key of this process.
    public init(_ key: PrivateKey) {
        self.init(key.publicKey) { bytes in
            try SSHSignature.sign(
                bytes, namespace: TunnelHub.revocationNamespace, signer: .key(key.publicKey)
            ) { (message, algorithm) throws(SSHWireError) in try key.sign(message, with: algorithm) }
        }
    }
}

/// The list of what is revoked, on its way to the hosts.
extension TunnelHub {
    /// The namespace of the list's signature: sshd reads no signature inside of it, so it comes beside.
    public static let revocationNamespace: ExactText = "daypass-krl"
    /// How long hosts are waited for; those that are away get the list when they come back.
    static let revocationTimeout = TimeAmount.seconds(5)

    /// What became of a list.
    public struct Delivery: Sendable {
        public let version: UInt64
        /// The hosts that have it in place, by id.
        public let acknowledged: [String]
        /// Those that have not, and why.
        public let pending: [(host: String, reason: String)]
    }

    /// Makes the list anew out of what the log says. To be called at the start, and after each revocation.
    public func refreshRevocations() async throws {
        guard let revocationSigner else { return }
        let version = nextRevocationVersion()
        guard let list = try await fleet.revocationList(version: version) else { return }
        let bytes = try list.checkedEncoding()
        let signature = try revocationSigner.sign(bytes)
        setRevocations(
            SignedRevocations(
                version: version,
                call: .object([
                    .init("command", .string("revocations")), .init("version", .string(String(version))),
                    .init("krl", .string(Base64.encode(bytes))),
                    .init("signature", .string(signature.armoured)),
                ])))
    }

    /// Sends the list to every host, and waits until it is in place there, at most ``revocationTimeout``.
    public func deliverRevocations() async -> Delivery {
        guard let revocations else { return Delivery(version: 0, acknowledged: [], pending: []) }
        var acknowledged: [String] = []
        var pending: [(host: String, reason: String)] = []
        await withTaskGroup(of: (String, String?).self) { group in
            for host in fleet.hosts {
                group.addTask { (host.id, await self.deliver(revocations, to: host.id)) }
            }
            for await (host, problem) in group {
                if let problem { pending.append((host, problem)) } else { acknowledged.append(host) }
            }
        }
        return Delivery(
            version: revocations.version, acknowledged: acknowledged.sorted(),
            pending: pending.sorted { $0.host < $1.host })
    }

    /// - Returns: why the host does not have it; nil when it does.
    private func deliver(_ revocations: SignedRevocations, to host: String) async -> String? {
        do {
            let reply = try await call(host, revocations.call, timeout: Self.revocationTimeout)
            acknowledged(host, revocations, reply)
            guard reply.outcome.success else { return reply.outcome.message }
            return onlySays(host) ? Self.onlySaying : nil
        } catch let problem as Problem {
            return problem.detail
        } catch {
            return "\(error)"
        }
    }

    /// What a tunnel carries first.
    ///
    /// - Parameter next: called once, when the host has answered or there is nothing to send.
    func sendRevocations(
        through link: TunnelLink, then next: @escaping @Sendable () -> Void = {}
    ) {
        guard let revocations else { return next() }
        link.call(TunnelCall(data: revocations.call, timeoutMilliseconds: 30_000), timeout: .seconds(30)) {
            result in
            defer { next() }
            guard case .success(let value) = result, let reply = try? TunnelReply(value) else { return }
            self.acknowledged(link.host.id, revocations, reply)
        }
    }

    private func acknowledged(_ host: String, _ revocations: SignedRevocations, _ reply: TunnelReply) {
        guard reply.outcome.success else {
            logger.warning(
                "revocations refused",
                metadata: [
                    "daypass.host": "\(host)",
                    "daypass.reason": "\(reply.outcome.message.escapedForTerminal)",
                ])
            return
        }
        setAcknowledged(host, revocations.version)
    }
}
