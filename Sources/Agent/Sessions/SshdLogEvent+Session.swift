// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

extension SshdLogEvent {
    /// The moment and the process of an event, which a log does not tell.
    public struct Place: Sendable, Hashable {
        public var time: RecordTime
        /// Microseconds since the machine started.
        public var uptimeMicroseconds: UInt64
        public var boot: String
        /// When ``SshdLogConnection/pid`` began (`/proc/PID/stat`, field 22): to be looked up when the connection opens,
        /// and kept for its end. nil when the process was gone before anybody looked.
        public var processStart: UInt64?

        public init(time: RecordTime, uptimeMicroseconds: UInt64, boot: String, processStart: UInt64?) {
            self.time = time
            self.uptimeMicroseconds = uptimeMicroseconds
            self.boot = boot
            self.processStart = processStart
        }
    }

    /// What the session records say of it; nil for what they have no kind for.
    ///
    /// - Parameter trusted: the fingerprints of the CAs that this host trusts, and the comments behind them.
    public func sessionEvent(at place: Place, trusted: [String: String?]) -> SessionEvent? {
        let kind: SessionEvent.Kind
        switch self.kind {
        case .opened: kind = .open
        case .ended: kind = .close
        case .refused(_, let refusal):
            // A client offers every key that it has until one is taken: no news (and told at LogLevel VERBOSE only).
            if refusal.method == "publickey", refusal.certificate == nil, !refusal.isInvalidUser {
                return nil
            }
            kind = .denied
        case .sessionStarted: return nil
        }
        var event = SessionEvent(
            kind, via: .log, time: place.time, uptimeMicroseconds: place.uptimeMicroseconds)
        event.account = connection.account
        event.pid = connection.pid
        event.processStart = place.processStart
        event.boot = place.boot
        event.source = connection.peer.map { SessionEvent.Endpoint(address: $0.address, port: $0.port) }
        event.destination = connection.local.map { SessionEvent.Endpoint(address: $0.address, port: $0.port) }
        if repeats > 1 { event.count = UInt64(repeats) }
        switch self.kind {
        case .opened(let attempt):
            event.session = place.processStart.map {
                SessionID.make(boot: place.boot, pid: connection.pid, processStart: $0)
            }
            event.methods = [
                Self.method(attempt.method, attempt.key, attempt.certificate, trusted)
            ]
        case .ended(let cause):
            event.session = place.processStart.map {
                SessionID.make(boot: place.boot, pid: connection.pid, processStart: $0)
            }
            event.reason = cause
        case .refused(let reason, let refusal):
            event.account = refusal.account ?? connection.account
            event.reason = reason
            if refusal.method != nil || refusal.key != nil || refusal.certificate != nil {
                event.methods = [
                    Self.method(refusal.method ?? "publickey", refusal.key, refusal.certificate, trusted)
                ]
            }
        case .sessionStarted: return nil
        }
        return event
    }

    private static func method(
        _ name: String, _ key: SshdLogKey?, _ certificate: SshdLogCertificate?, _ trusted: [String: String?]
    ) -> LoginMethod {
        guard let certificate else {
            return LoginMethod(name, key.map { .key(type: $0.wireType, fingerprint: $0.fingerprint) })
        }
        guard let serial = certificate.serial, let authority = certificate.authority else {
            return LoginMethod(
                name,
                .unreadable(
                    reason: "sshd cut its message about a certificate",
                    sha256: hexadecimal(Digest.sha256(Array(certificate.keyID.utf8)))))
        }
        var use = CertificateUse(
            serial: serial, keyID: certificate.keyID,
            authority: CertificateUse.Authority(
                fingerprint: authority.fingerprint, type: authority.wireType,
                name: trusted[authority.fingerprint] ?? nil,
                isTrusted: trusted[authority.fingerprint] != nil))
        use.keyFingerprint = key?.fingerprint
        return LoginMethod(name, .certificate(use))
    }
}

extension SshdLogKey {
    /// The type's name on the wire where sshd's short name is one type's alone ("ECDSA" is three).
    var wireType: String {
        switch type {
        case "ED25519", "ED25519-CERT": "ssh-ed25519"
        case "RSA", "RSA-CERT": "ssh-rsa"
        case "ED25519-SK", "ED25519-SK-CERT": "sk-ssh-ed25519@openssh.com"
        case "ECDSA-SK", "ECDSA-SK-CERT": "sk-ecdsa-sha2-nistp256@openssh.com"
        default: type
        }
    }
}
