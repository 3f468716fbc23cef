// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

extension TunnelPart {
    // MARK: What the server asks for

    /// Begins an operation, or answers from memory.
    func begin(_ call: TunnelCall, _ id: RPCID?, at now: UInt64) {
        guard let hostCall = (try? call.hostCall()) ?? nil else {
            answer(id, on: connectionNumber, .noCommand(clientID: settings.clientID, time: clock))
            return
        }
        let timeout = call.timeoutMilliseconds ?? Self.defaultTimeoutMilliseconds
        let caller = Caller(
            connection: connectionNumber, id: id, command: hostCall.command,
            deadline: now &+ timeout &* 1_000_000)
        let request = hostCall.requestID.map { " (request \($0.escapedForTerminal))" } ?? ""
        let what = "\(hostCall.command.escapedForTerminal)\(request)"
        switch memory.begin(hostCall, dryRun: settings.dryRun, at: now) {
        case .known(let outcome):
            say("tunnel: \(what): done before, answered again")
            answer(caller, outcome)
        case .wait(let ticket):
            say("tunnel: \(what): is being done, the repeated call waits")
            callers[ticket, default: []].append(caller)
        case .run(let ticket):
            let (operations, dryRun) = (operations, settings.dryRun)
            let isStarted = workers.start(ticket) { operations.perform(hostCall, dryRun: dryRun) }
            guard isStarted else {
                memory.abandon(ticket)
                answer(caller, HostOutcome(success: false, message: "busy: \(workers.count) operations wait"))
                return
            }
            announce(hostCall.command, "tunnel: \(what): begun")
            callers[ticket] = [caller]
        }
    }

    /// Says what is done for the server; what comes every few seconds and went well, only to who wants every step.
    private func announce(_ command: String, _ line: String) {
        if command == HostOperation.Kind.checkpoint.rawValue { debug(line) } else { say(line) }
    }

    /// Answers for operations that are done.
    func takeOutcomes(at now: UInt64) {
        for (ticket, outcome) in workers.take() {
            memory.finish(ticket, outcome, at: now)
            let waiting = callers.removeValue(forKey: ticket) ?? []
            if let command = waiting.first?.command {
                announce(
                    outcome.success ? command : "",
                    "tunnel: \(command.escapedForTerminal): \(outcome.success ? "done" : "failed"): \(outcome.message.escapedForTerminal)"
                )
            }
            for caller in waiting { answer(caller, outcome) }
        }
    }

    /// Answers callers whose time is over. The operation goes on; a repeated call gets its outcome.
    func passDeadlines(at now: UInt64) {
        for (ticket, waiting) in callers {
            let late = waiting.filter { now >= $0.deadline }
            guard !late.isEmpty else { continue }
            callers[ticket] = waiting.filter { now < $0.deadline }
            for caller in late {
                let outcome = HostOutcome(
                    success: false,
                    message:
                        "not done in time; it goes on, and the same request will be told what became of it")
                answer(caller.id, on: caller.connection, reply(caller.command, outcome, status: 504))
            }
        }
    }

    private func answer(_ caller: Caller, _ outcome: HostOutcome) {
        answer(caller.id, on: caller.connection, reply(caller.command, outcome, status: nil))
    }

    private func answer(_ id: RPCID?, on number: UInt64, _ reply: TunnelReply) {
        guard let id, number == connectionNumber, case .open = connection else { return }
        let bytes = RPCMessage.result(id: id, reply.value).encoded
        guard bytes.count > RPCMessage.maximumBytes else { return send(.text, bytes) }
        let outcome = HostOutcome(
            success: false,
            message: "done, but what there is to say has over \(RPCMessage.maximumBytes) bytes")
        send(.text, RPCMessage.result(id: id, self.reply(reply.command, outcome, status: nil).value).encoded)
    }

    private func reply(_ command: String, _ outcome: HostOutcome, status: Int?) -> TunnelReply {
        TunnelReply(
            clientID: settings.clientID, command: command, outcome: outcome, status: status, time: clock)
    }

    private var clock: UnixTime { UnixTime(seconds: Moment.now.wall / 1_000_000_000) }

    // MARK: What we ask for

    /// Asks the server for something (`daypass.v1` only), now or when the tunnel is open again.
    ///
    /// - Parameter completion: called once, from the agent's loop. ``Reply/unanswered`` leaves open whether the server took
    ///   it: what must not happen twice needs a cursor of its own.
    /// - Returns: false when too much waits already; the completion is not called then.
    @discardableResult
    public func send(_ method: String, _ params: JSONValue, completion: @escaping (Reply) -> Void) -> Bool {
        guard queued.count < Self.maximumQueued else { return false }
        let ticket = nextTicket
        nextTicket &+= 1
        queued.append((ticket, method, params))
        completions[ticket] = completion
        return true
    }

    func sendQueued(_ talk: Talk, at now: UInt64) {
        while !queued.isEmpty, talk.conversation.mayRequest {
            let (ticket, method, params) = queued.removeFirst()
            send(.text, talk.conversation.send(method, params, ticket: ticket, at: now).encoded)
        }
    }

    func complete(_ ticket: UInt64, _ reply: Reply) { completions.removeValue(forKey: ticket)?(reply) }

    // MARK: The end

    /// Waits a little for what is being done and says goodbye: the server knows then that nobody has to be waited for.
    public func stop(at moment: Moment) {
        lifecycle.stop()
        let end = moment.boot &+ 5_000_000_000
        while !callers.isEmpty, Moment.now.boot < end {
            var polled = [pollfd(fd: workers.descriptor, events: Int16(POLLIN), revents: 0)]
            _ = unsafe poll(&polled, 1, 100)
            takeOutcomes(at: Moment.now.boot)
            passDeadlines(at: Moment.now.boot)
            callers = callers.filter { !$0.value.isEmpty }
        }
        guard case .open(let talk) = connection else { return disconnect(nil) }
        send(.close, WebSocketClose.goingAway.payload)
        // Half a second for the goodbye to leave and be returned: longer is nobody's service.
        let goodbye = Moment.now.boot &+ 500_000_000
        var hasEnded = false
        while !hasEnded, Moment.now.boot < goodbye, let number = talk.stream.descriptor {
            var polled = [
                pollfd(
                    fd: number, events: Int16(talk.stream.wantsToWrite ? POLLIN | POLLOUT : POLLIN),
                    revents: 0)
            ]
            _ = unsafe poll(&polled, 1, 50)
            try? talk.stream.flush()
            let isOpen = try? talk.stream.receive { talk.reader.append($0) }.isOpen
            while let event = (try? talk.reader.next()) ?? nil { if case .close = event { hasEnded = true } }
            if isOpen != true { hasEnded = true }
        }
        disconnect(nil)
    }
}
