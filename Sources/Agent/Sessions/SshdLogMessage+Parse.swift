// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension SshdLogMessage {
    /// The most that sshd hands to syslog, in bytes (`"%.500s"` in `do_log`, log.c): a longer message is cut, and the end
    /// of what is left may be a stranger's.
    static let maximumSyslogBytes = 500
    /// sshd's buffer for its own log (`MSGBUFSIZ` in log.c).
    static let maximumBufferBytes = 1_023

    /// Reads a message, from its first byte: what looks like another message further on is a stranger's text.
    ///
    /// - Parameter known: the other end of this process's connection, where an earlier message told it. It decides
    ///   between several ways to read a message.
    public init?(_ message: [UInt8], known: SshdLogPeer? = nil) {
        guard message.count <= SshdLogEntry.maximumMessageBytes else { return nil }
        var text = SshdLogText(message)
        // "[preauth]" is behind what the process that nobody has logged in to yet had to say; cut messages lose it.
        let isCut = message.count == Self.maximumSyslogBytes || message.count >= Self.maximumBufferBytes
        _ = text.takeLast(" [preauth]")
        _ = text.take("error: ") || text.take("fatal: ")
        guard
            let found = Self.authentication(text, isCut, known) ?? Self.refusal(text, isCut)
                ?? Self.beginning(text) ?? Self.end(text)
        else {
            return nil
        }
        self = found
    }

    /// "Accepted publickey for A from X port N ssh2: …" (`auth_log` in auth.c).
    private static func authentication(_ message: SshdLogText, _ isCut: Bool, _ known: SshdLogPeer?)
        -> SshdLogMessage?
    {
        var text = message
        let outcome: Authentication.Outcome
        if text.take("Accepted ") {
            outcome = .accepted
        } else if text.take("Failed ") {
            outcome = .failed
        } else if text.take("Partial ") {
            outcome = .partial
        } else if text.take("Postponed ") {
            outcome = .postponed
        } else {
            return nil
        }
        guard
            let method = text.takeWord(
                upTo: 64,
                { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d || $0 == 0x2f }),
            text.take(" for ")
        else { return nil }
        let isInvalidUser = outcome != .accepted && text.take("invalid user ")
        var ways = splits(text)
        if let known, ways.contains(where: { $0.peer == known }) { ways.removeAll { $0.peer != known } }
        guard let first = ways.first else { return nil }
        // An account that this host has is not called like the rest of a message; the name of one that it hasn't may
        // be anything, and so may a key ID behind it.
        guard !isInvalidUser || ways.count == 1 else {
            return .authentication(
                Authentication(
                    outcome: outcome, method: method, account: nil, isInvalidUser: isInvalidUser,
                    peer: known, key: nil, certificate: nil, isCut: isCut))
        }
        let (key, certificate) = keyAndCertificate(first.extra, method, isCut)
        return .authentication(
            Authentication(
                outcome: outcome, method: method, account: first.account.unescaped,
                isInvalidUser: isInvalidUser, peer: first.peer, key: key, certificate: certificate,
                isCut: isCut))
    }

    /// The ways to split "A from X port N ssh2[: EXTRA]".
    private static func splits(_ text: SshdLogText)
        -> [(account: SshdLogText, peer: SshdLogPeer, extra: SshdLogText)]
    {
        text.places(of: " from ").compactMap { place in
            var rest = text.split(at: place).1
            guard rest.take(" from "), let peer = peer(&rest), rest.take(" ssh2"),
                rest.isEmpty || rest.take(": ")
            else { return nil }
            return (text.split(at: place).0, peer, rest)
        }
    }

    /// "X port N" at the start.
    private static func peer(_ text: inout SshdLogText) -> SshdLogPeer? {
        var rest = text
        guard let address = rest.takeWord(upTo: 200, \.isAddressByte), rest.take(" port "),
            let port: UInt16 = rest.takeNumber()
        else { return nil }
        text = rest
        return SshdLogPeer(address: address, port: port)
    }

    /// "[…]X port N" at the end, and what stands before it.
    private static func takePeerAtEnd(_ text: inout SshdLogText) -> SshdLogPeer? {
        guard let place = text.places(of: " port ").last else { return nil }
        let before = text.split(at: place).0.bytes
        let count = before.reversed().prefix(while: \.isAddressByte).count
        var (front, rest) = text.split(at: before.endIndex - count)
        guard let peer = peer(&rest), rest.isEmpty else { return nil }
        _ = front.takeLast(" ")
        text = front
        return peer
    }

    /// "ED25519-CERT SHA256:… ID K (serial N) CA ED25519 SHA256:…[, …]" (`format_method_key` in auth2-pubkey.c).
    private static func keyAndCertificate(_ extra: SshdLogText, _ method: String, _ isCut: Bool)
        -> (SshdLogKey?, SshdLogCertificate?)
    {
        var text = extra
        guard method == "publickey" || method == "hostbased", let key = key(&text) else { return (nil, nil) }
        guard key.type.hasSuffix("-CERT"), text.take(" ID ") else { return (key, nil) }
        // A host-based login has the client's words behind the certificate: its end cannot be told.
        guard method == "publickey", !isCut, let place = text.places(of: " (serial ").last else {
            return (key, SshdLogCertificate(keyID: text.unescaped, serial: nil, authority: nil))
        }
        var rest = text.split(at: place).1
        guard rest.take(" (serial "), let serial: UInt64 = rest.takeNumber(), rest.take(") CA "),
            let authority = Self.key(&rest), rest.isEmpty || rest.take(", ")
        else { return (key, SshdLogCertificate(keyID: text.unescaped, serial: nil, authority: nil)) }
        let keyID = text.split(at: place).0
        return (key, SshdLogCertificate(keyID: keyID.unescaped, serial: serial, authority: authority))
    }

    /// "ED25519 SHA256:…" at the start.
    private static func key(_ text: inout SshdLogText) -> SshdLogKey? {
        var rest = text
        guard let type = rest.takeWord(upTo: 32, \.isTypeByte), rest.take(" "),
            let fingerprint = rest.takeWord(upTo: 128, \.isFingerprintByte),
            fingerprint.hasPrefix("SHA256:") || fingerprint.hasPrefix("MD5:")
        else { return nil }
        text = rest
        return SshdLogKey(type: type, fingerprint: fingerprint)
    }
}

extension SshdLogMessage {
    /// sshd's whole messages about certificates before 10.1 (auth2-pubkey.c, sshkey.c).
    private static let reasons: Set<String> = [
        "Certificate does not contain an authorized principal", "Certificate invalid: expired",
        "Certificate invalid: not yet valid", "Certificate invalid: not a user certificate",
        "Certificate invalid: not a host certificate", "Certificate invalid: name is not a listed principal",
        "Certificate lacks principal list", "Certificate contains unsupported critical options",
        "Certificate signed with disallowed algorithm", "Invalid certificate options",
        "Refused by certificate options", "Refused by certificate principals options",
        "Certificate and principals options conflict",
    ]

    private static func refusal(_ message: SshdLogText, _ isCut: Bool) -> SshdLogMessage? {
        var text = message
        if text.take("Refusing certificate ID \"") { return refusedCertificate(text, isCut) }
        if text.take("Invalid user ") {
            let whole = text
            guard let peer = takePeerAtEnd(&text), text.takeLast(" from") else {
                // Before 7.4 without a port; a cut one too. Nobody is told by halves.
                return .invalidUser(account: whole.unescaped, peer: nil)
            }
            return .invalidUser(account: text.unescaped, peer: peer)
        }
        if text.take("Authentication key "), let key = key(&text), text.take(" revoked by file ") {
            return .keyRevoked(key)
        }
        text = message
        if text.take("User "), let place = text.places(of: " not allowed because ").last {
            var (account, reason) = text.split(at: place)
            guard reason.take(" not allowed because ") else { return nil }
            // "User A from HOST not allowed …": HOST has no blank, an account may.
            if let from = account.places(of: " from ").last { account = account.split(at: from).0 }
            return .notAllowed(account: account.unescaped, reason: reason.unescaped)
        }
        let whole = String(decoding: message.bytes, as: UTF8.self)
        if reasons.contains(whole) { return .certificateRefused(reason: whole, nil) }
        text = message
        if let place = text.places(of: ": Authentication tried for ").first,
            text.bytes[..<place].first == 0x2f
        {
            return .wrongSource(reason: text.unescaped)
        }
        return nil
    }

    /// `K" serial=N signed by T CA F[ via FILE]: REASON` (auth2-pubkey.c, auth2-pubkeyfile.c, 10.1 and later).
    private static func refusedCertificate(_ message: SshdLogText, _ isCut: Bool) -> SshdLogMessage? {
        var text = message
        guard !isCut, let keyID = text.takeUpToLast("\" serial="), let serial: UInt64 = text.takeNumber(),
            text.take(" signed by "), let type = text.takeWord(upTo: 32, \.isTypeByte), text.take(" CA "),
            let fingerprint = text.takeWord(
                upTo: 128,
                // The reason's colon is behind it.
                { $0.isFingerprintByte })
        else {
            return .certificateRefused(
                reason: "the message was cut",
                SshdLogCertificate(keyID: message.unescaped, serial: nil, authority: nil))
        }
        // "SHA256:…:" : the fingerprint's own bytes hold colons, the last one is the reason's.
        let isFollowed = !fingerprint.hasSuffix(":")
        let authority = SshdLogKey(
            type: type, fingerprint: isFollowed ? fingerprint : String(fingerprint.dropLast()))
        if isFollowed {
            guard text.take(" via "), text.takeUpTo(": ") != nil else { return nil }
        } else {
            guard text.take(" ") else { return nil }
        }
        return .certificateRefused(
            reason: text.unescaped,
            SshdLogCertificate(keyID: keyID.unescaped, serial: serial, authority: authority))
    }

    private static func beginning(_ message: SshdLogText) -> SshdLogMessage? {
        var text = message
        if text.take("Connection from "), let from = peer(&text), text.take(" on "), let to = peer(&text) {
            return .connected(from: from, to: to)
        }
        text = message
        if text.take("User child is on pid "), let pid: Int32 = text.takeNumber(), text.isEmpty {
            return .child(pid: pid)
        }
        text = message
        if text.take("Starting session: "), let (peer, number) = sessionEnd(&text),
            let place = text.places(of: " for ").last
        {
            var kind = text.split(at: place).0
            var terminal: String?
            // "shell on pts/3"; a forced command's own text may hold " on " too, but none has a terminal's name.
            if let on = kind.places(of: " on ").last {
                var name = kind.split(at: on).1
                if name.take(" on "), let word = name.takeWord(upTo: 64, { $0 > 0x20 && $0 < 0x7f }),
                    name.isEmpty
                {
                    terminal = word
                    kind = kind.split(at: on).0
                }
            }
            return .sessionStarted(kind: kind.unescaped, terminal: terminal, number: number, peer: peer)
        }
        text = message
        if text.take("Close session: user "), let (peer, number) = sessionEnd(&text) {
            return .sessionClosed(number: number, peer: peer)
        }
        return nil
    }

    /// "… from X port N id M" at the end.
    private static func sessionEnd(_ text: inout SshdLogText) -> (SshdLogPeer?, Int32)? {
        guard let place = text.places(of: " id ").last else { return nil }
        var (front, rest) = text.split(at: place)
        guard rest.take(" id "), let number: Int32 = rest.takeNumber(), rest.isEmpty else { return nil }
        let peer = takePeerAtEnd(&front)
        _ = front.takeLast(" from")
        text = front
        return (peer, number)
    }

    /// How a connection ends (packet.c, serverloop.c, sshd-session.c).
    private static func end(_ message: SshdLogText) -> SshdLogMessage? {
        var text = message
        if text.take("Received disconnect from "), let peer = peer(&text), text.take(":") {
            // Where the client's own words begin; that the connection is over says the message behind this one.
            return .ended(cause: "disconnect received:\(text.unescaped)", peer: peer, isAuthenticated: true)
        }
        for beginning in beginnings {
            text = message
            guard text.take(beginning) else { continue }
            var isAuthenticated = true
            if text.take("authenticating user ") || text.take("invalid user ") { isAuthenticated = false }
            _ = text.takeLast(" timed out")
            // Behind the port of "Read error from remote host X port N: …" come the system's words.
            if let colon = text.places(of: ": ").last,
                beginning.utf8CodeUnitCount > 20 || beginning.description == "Disconnecting "
            {
                text = text.split(at: colon).0
            }
            guard let peer = takePeerAtEnd(&text) else { continue }
            return .ended(
                cause: beginning.description.split(separator: " ").joined(separator: " ").lowercased(),
                peer: peer,
                isAuthenticated: isAuthenticated)
        }
        return nil
    }

    private static let beginnings: [StaticString] = [
        "Connection closed by ", "Connection reset by ", "Disconnected from ", "Disconnecting ",
        "Timeout, client not responding from ", "terminating inactive connection from ",
        "Read error from remote host ", "Closing connection to ", "Connection from ",
    ]
}
