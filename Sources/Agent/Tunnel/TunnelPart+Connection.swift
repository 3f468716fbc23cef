// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension TunnelPart {
    /// What the server sees in `User-Agent`.
    private var userAgent: String { "daypass-agent/\(settings.agentVersion)" }

    private var destination: NetworkStream.Destination {
        .init(url: settings.url, trust: settings.trust, proxy: settings.proxies.proxy(for: settings.url))
    }

    /// Begins an attempt: looks the addresses up, on a thread where that may take long.
    func connect(at now: UInt64) {
        connectionNumber &+= 1
        let destination = destination
        let (host, port) = destination.resolvedHost
        debug(
            "tunnel: connecting to \(settings.url)"
                + (destination.proxy.map { " through the proxy \($0)" } ?? ""))
        if (try? IPAddress(host)) != nil {
            do throws(AgentError) {
                open(try SocketAddress.resolve(host: host, port: port), at: now)
            } catch {
                lose(error.reason, at: now)
            }
            return
        }
        connection = .resolving(ticket: connectionNumber)
        let isStarted = resolver.start(connectionNumber) {
            Result { () throws(AgentError) in try SocketAddress.resolve(host: host, port: port) }
        }
        if !isStarted { lose("\(host): the system's resolver does not answer", at: now) }
    }

    func takeAddresses(at now: UInt64) {
        for (ticket, result) in resolver.take() {
            guard case .resolving(ticket) = connection else { continue }
            switch result {
            case .success(let addresses): open(addresses, at: now)
            case .failure(let error): lose(error.reason, at: now)
            }
        }
    }

    private func open(_ addresses: [SocketAddress], at now: UInt64) {
        connection = .opening(NetworkStream(destination, addresses: addresses))
        advance(at: now)
    }

    /// Goes on with whatever the connection is at.
    func advance(at now: UInt64) {
        do throws(AgentError) {
            if case .opening(let stream) = connection, try stream.open(at: now) { try beginUpgrade(stream) }
            if case .upgrading(let stream, let upgrade, let head) = connection {
                try goOnUpgrading(stream, upgrade, head, at: now)
            }
            if case .open(let talk) = connection { try goOnTalking(talk, at: now) }
        } catch {
            lose(error.reason, at: now)
            if error.code == .refused { readKeyAgain() }
        }
    }

    private func beginUpgrade(_ stream: NetworkStream) throws(AgentError) {
        let nonce = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        // P0's servers, Node's ws, choose whatever is offered first, and then know none of it.
        let upgrade = WebSocketUpgrade(
            nonce: nonce, subprotocols: settings.dialect == .daypass ? [Tunnel.subprotocol] : [])
        let request = upgrade.request(to: settings.url, token: try token(), userAgent: userAgent)
        debug("tunnel: connected (\(stream.security)); GET \(settings.url), Authorization: Bearer <redacted>")
        try stream.send(request)
        connection = .upgrading(stream, upgrade, head: [])
    }

    /// A new token for each attempt.
    private func token() throws(AgentError) -> String {
        let now = UnixTime(seconds: Moment.now.wall / 1_000_000_000)
        let (subject, url, key) = (settings.clientID, settings.url, settings.key)
        let name = HostToken.tokenID(using: &random)
        let dialect = settings.dialect
        return try understand("token") { () throws(ControlProtocolError) in
            switch dialect {
            case .p0: try HostToken.signP0(subject: subject, now: now, by: key)
            case .daypass:
                try HostToken.sign(subject: subject, audience: url.origin, tokenID: name, now: now, by: key)
            }
        }
    }

    private func goOnUpgrading(
        _ stream: NetworkStream, _ upgrade: WebSocketUpgrade, _ head: [UInt8], at now: UInt64
    ) throws(AgentError) {
        try stream.flush()
        var bytes = head
        let (isOpen, _) = try stream.receive { bytes += $0 }
        let came = bytes
        let found = try understand("upgrade") { () throws(ControlProtocolError) in
            try HTTPResponseHead.read(came)
        }
        guard let (answer, count) = found else {
            guard isOpen else {
                throw AgentError(.network, "the server ended the connection before an answer")
            }
            connection = .upgrading(stream, upgrade, head: bytes)
            return
        }
        debug("tunnel: status \(answer.status)")
        if answer.status == 401 || answer.status == 403 {
            throw AgentError(.refused, "the server does not let this host in (status \(answer.status))")
        }
        let chosen = try understand("upgrade") { () throws(ControlProtocolError) in try upgrade.judge(answer)
        }
        let dialect: Tunnel.Dialect = chosen == Tunnel.subprotocol ? .daypass : .p0
        let talk = Talk(
            stream,
            TunnelConversation(
                clientID: settings.clientID, heartbeatSeconds: settings.heartbeatSeconds, dialect: dialect,
                at: now))
        talk.reader.append(bytes[count...])
        // What came behind the head is read with the rest.
        talk.hasMore = count < bytes.count
        connection = .open(talk)
        lifecycle.opened(at: now)
        debug("tunnel: open, \(chosen ?? "no subprotocol")")
    }

    private func goOnTalking(_ talk: Talk, at now: UInt64) throws(AgentError) {
        try talk.stream.flush()
        let (isOpen, hasMore) = try talk.stream.receive { (bytes) throws(AgentError) in
            talk.reader.append(bytes)
            lifecycle.heard(at: now)
            try takeEvents(of: talk, at: now)
        }
        talk.hasMore = hasMore
        try takeEvents(of: talk, at: now)
        guard isCurrent(talk) else { return }
        perform(talk.conversation.tick(at: now), at: now)
        guard isCurrent(talk) else { return }
        guard isOpen else { throw AgentError(.network, "the server ended the connection") }
        sendQueued(talk, at: now)
    }

    /// False once what was said made the connection go.
    private func isCurrent(_ talk: Talk) -> Bool {
        if case .open(let current) = connection { current === talk } else { false }
    }

    private func takeEvents(of talk: Talk, at now: UInt64) throws(AgentError) {
        while isCurrent(talk) {
            let event: WebSocketEvent?
            do throws(ControlProtocolError) {
                event = try talk.reader.next()
            } catch {
                send(.close, WebSocketClose(because: error).payload)
                throw AgentError(.network, error.reason)
            }
            switch event {
            case nil: return
            // P0's agent takes binary messages too.
            case .text(let bytes)?, .binary(let bytes)?: perform(talk.conversation.take(bytes), at: now)
            case .ping(let payload)?: send(.pong, payload)
            case .pong?: break
            case .close(let close)?:
                // Said back, as RFC 6455, section 5.5.1 asks for.
                send(.close, (close ?? .normal).payload)
                let reason = close.map {
                    " (\($0.code)\($0.reason.isEmpty ? "" : " \($0.reason.escapedForTerminal)"))"
                }
                throw AgentError(.network, "the server closed the tunnel\(reason ?? "")")
            }
        }
    }

    /// Does what a conversation asks for.
    private func perform(_ actions: [TunnelConversation.Action], at now: UInt64) {
        for action in actions {
            guard case .open(let talk) = connection else { return }
            switch action {
            case .send(let message): send(.text, message.encoded)
            case .call(let id, let call): begin(call, id, at: now)
            case .registered(let answer):
                announce("tunnel: connected to \(settings.url)")
                tidiesAt = now &+ 2_000_000_000
                if talk.conversation.dialect == .daypass {
                    let state = HostState(
                        agentVersion: settings.agentVersion, hostName: settings.hostName,
                        dryRun: settings.dryRun,
                        at: .now)
                    send(Tunnel.state, state.value) { [debug] in
                        debug("tunnel: state: \($0.isResult ? "taken" : "not taken")")
                    }
                    onRegistered?(answer)
                }
            case .answered(let ticket, let result):
                switch result {
                case .result(let value): complete(ticket, .result(value))
                case .refused(let error): complete(ticket, .refused(error))
                case .late: complete(ticket, .unanswered)
                }
            case .note(let text): debug("tunnel: \(text)")
            case .giveUp(let cause):
                send(.close, WebSocketClose.goingAway.payload)
                lose(cause, at: now)
            }
        }
    }
}

extension TunnelPart.Reply {
    var isResult: Bool { if case .result = self { true } else { false } }
}
