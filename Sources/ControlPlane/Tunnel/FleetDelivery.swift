// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import ControlProtocol
import Logging
import NIOCore
import SSHWire
public import ServiceLifecycle
import Synchronization

/// Brings hosts what they are to have, grants and who may enter accounts for good, and takes grants back there: at once where a
/// host is connected, else when it comes back, after the revocation list.
///
/// Each time that anything changes, what a host has is compared with what it is to have, so nothing is lost when this
/// process or a tunnel ends. Hosts end grants by their own clocks; this is for what ends earlier. What a host has that no
/// request of this authority gave, and accounts of which nothing is said, are left alone.
public final class FleetDelivery: Service {
    let authority: AccessAuthority
    let hub: TunnelHub
    let book = Mutex(DeliveryBook())
    /// Rung with each answer of a host.
    let answered = Doorbell()
    private let wakes: AsyncStream<String>
    private let wake: AsyncStream<String>.Continuation

    /// How long a host may take: it makes accounts, and waits for another change to end.
    private static let timeout = TimeAmount.seconds(60)
    /// How long a host has for ending by its own clock what is over, in seconds, before it is told.
    private static let graceSeconds: UInt64 = 10
    /// How long what became of a grant is shown after its end, in seconds.
    private static let shownSeconds: UInt64 = 3_600
    /// The most bytes of what a host says that are kept: a line of a terminal's, several times over.
    private static let maximumReasonBytes = 1_024
    private static let tick: Duration = .seconds(1)
    /// Ticks between two looks at hosts that have any: a grant may become void without anybody doing anything.
    private static let ticksPerRound = 15

    public init(_ authority: AccessAuthority, _ hub: TunnelHub) {
        self.authority = authority
        self.hub = hub
        (wakes, wake) = AsyncStream.makeStream()
        hub.whenReady { [weak self] link in self?.opened(link) }
    }

    public func run() async {
        // Before the first look: what changes meanwhile is not missed.
        let changes = authority.grantChanges()
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    for await change in changes { self.look(at: change.request.hosts) }
                }
                group.addTask { await self.lookNowAndThen() }
                for await host in self.wakes { group.addTask { await self.settle(host) } }
                group.cancelAll()
            }
        }
    }

    // MARK: When to look

    private func opened(_ link: TunnelLink) {
        book.withLock { $0.opened(link) }
        wake.yield(link.host.id)
    }

    func look(at hosts: some Sequence<String>) {
        for host in hosts where book.withLock({ $0.touch(host) }) { wake.yield(host) }
    }

    private func lookNowAndThen() async {
        var ticks = 0
        while (try? await Task.sleep(for: Self.tick)) != nil {
            ticks = (ticks + 1) % Self.ticksPerRound
            look(at: book.withLock { ticks == 0 ? $0.holders : $0.due(at: .now) })
        }
    }

    // MARK: One host

    private func settle(_ host: String) async {
        guard let link = book.withLock({ $0.begin(host) }) else { return }
        var wanted = DeliveryBook.Wanted()
        while !Task.isCancelled {
            if book.withLock({ $0.takeStaleness(host) }) { wanted = self.wanted(host) }
            guard let action = book.withLock({ $0.next(host, wanted, through: link, at: .now) }) else {
                break
            }
            let outcome = await perform(action, link)
            book.withLock { $0.note(action, outcome, of: host, at: .now) }
            answered.ring()
        }
        let now = authority.now
        let again = book.withLock { book in
            book.finish(
                host, through: link,
                due: wanted.ending.isEmpty ? nil : .now + .seconds(Int64(Self.graceSeconds)),
                at: .now, isKept: { self.isShown($0, $1, wanted, at: now) })
        }
        answered.ring()
        if again { wake.yield(host) }
    }

    private func wanted(_ host: String) -> DeliveryBook.Wanted {
        let now = authority.now
        var wanted = DeliveryBook.Wanted()
        wanted.live = authority.liveGrants(on: host)
        wanted.principals = hub.fleet.principals(of: host)
        wanted.void = Set(authority.voidGrants(on: host).map(\.id))
        for id in book.withLock({ $0.hosts[host]?.mayHave ?? [] }) {
            guard let request = authority.keptRequest(id), request.status(at: now) == .ended,
                let until = request.window?.until,
                now < until.adding(Self.graceSeconds) ?? .forever
            else { continue }
            wanted.ending.insert(id)
        }
        return wanted
    }

    private func isShown(
        _ subject: DeliveryBook.Subject, _ item: DeliveryBook.Item, _ wanted: DeliveryBook.Wanted,
        at now: UnixTime
    ) -> Bool {
        let id: String
        switch subject {
        case .principals(let login): return wanted.principals.contains { $0.login == login }
        case .grant where item.state != .removed && item.state != .refused: return true
        case .grant(let grant): id = grant
        }
        guard let until = authority.keptRequest(id)?.window?.until else { return false }
        return now < until.adding(Self.shownSeconds) ?? .forever
    }

    private func perform(_ action: DeliveryBook.Action, _ link: TunnelLink) async -> DeliveryBook.Outcome {
        let data: JSONValue =
            switch action {
            case .compare: HostOrder.status
            case .takeBack(let id): HostOrder.takeBack(id)
            case .set(let said): HostOrder.set(said)
            case .give(let request): HostOrder.give(request)
            }
        let outcome: DeliveryBook.Outcome
        var said = ""
        // A host that takes no grants has none, and none that could be taken back.
        if link.dialect == .p0 {
            switch action {
            case .compare, .takeBack: return .done()
            case .set, .give: break
            }
        }
        do {
            let milliseconds = UInt64(clamping: Self.timeout.nanoseconds / 1_000_000)
            let reply = try await link.call(
                TunnelCall(data: data, timeoutMilliseconds: milliseconds), timeout: Self.timeout)
            said = Self.shortened(reply.outcome.message)
            outcome = self.outcome(of: action, reply, said, from: link.host.id)
        } catch let problem as Problem {
            outcome = .unanswered(problem.detail)
        } catch {
            outcome = .unanswered("\(error)")
        }
        tell(action, outcome, said, of: link.host.id)
        return outcome
    }

    /// A host's words as far as they are kept and shown.
    private static func shortened(_ text: String) -> String {
        guard text.utf8.count > maximumReasonBytes else { return text }
        return String(decoding: text.utf8.prefix(maximumReasonBytes), as: UTF8.self) + "…"
    }

    private func outcome(
        of action: DeliveryBook.Action, _ reply: TunnelReply, _ said: String, from host: String
    ) -> DeliveryBook.Outcome {
        guard reply.outcome.success else { return .refused(said) }
        guard case .compare = action else {
            return hub.onlySays(host) ? .refused(TunnelHub.onlySaying) : .done()
        }
        guard let held = HostOrder.held(reply) else {
            return .refused("its answer does not say which grants it has")
        }
        // Ours are those that were asked for here; all others are somebody else's.
        return .done(held: Set(held.filter { authority.keptRequest($0) != nil }))
    }

    // MARK: What is said of it

    private func tell(
        _ action: DeliveryBook.Action, _ outcome: DeliveryBook.Outcome, _ said: String, of host: String
    ) {
        let (message, id, success): (Logger.Message, String?, String) =
            switch action {
            case .compare: ("grants compared", nil, "")
            case .takeBack(let id): ("grant taken back", id, "revoked")
            case .set: ("principals set", nil, "set")
            case .give(let request): ("grant given", request.id, "granted")
            }
        var metadata: Logger.Metadata = ["daypass.host": "\(host)"]
        if let id { metadata["daypass.request"] = "\(id)" }
        if case .set(let said) = action { metadata["daypass.account"] = "\(said.login.escapedForTerminal)" }
        switch outcome {
        case .done:
            if case .compare = action { return }
            if id != nil { hub.metrics.countGrantDelivery(success) }
            metadata["daypass.answer"] = "\(said.escapedForTerminal)"
            hub.logger.info(message, metadata: metadata)
        case .refused(let reason), .unanswered(let reason):
            let isRefusal = if case .refused = outcome { true } else { false }
            if id != nil { hub.metrics.countGrantDelivery(isRefusal ? "refused" : "unanswered") }
            metadata["daypass.reason"] = "\(reason.escapedForTerminal)"
            hub.logger.warning("not done: \(message)", metadata: metadata)
        }
    }
}
