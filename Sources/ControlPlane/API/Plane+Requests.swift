// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import Logging
import SSHWire
import ServiceLifecycle

/// Requests for what others have to approve, and their answers.
extension Plane {
    /// The longest that an answer waits for something to happen, in seconds.
    static let longestWait = 30
    /// How long hosts that are connected are waited for, so that a grant is there when its certificate is.
    static let settling: Duration = .seconds(8)

    func addRequests(_ v1: RouterGroup<PlaneContext>) {
        v1.get("requests") { [self] request, context in
            let caller = try await authenticate(request, context)
            let scope: AccessAuthority.RequestScope
            switch request.uri.queryParameters["scope"] {
            case nil, "mine": scope = .mine
            case "to-approve": scope = .toApprove
            case "all": scope = .all
            default: throw Problem(.invalidRequest, "scope: mine, to-approve or all expected")
            }
            let found = authority.requests(scope, for: caller.session, from: context.sourceAddress)
            return try page(found, request, by: Self.place) { info($0).json }
        }
        v1.post("requests") { [self] request, context in
            let caller = try await authenticate(request, context)
            let wish = try wish(NewAccessRequest(json: try json(caller.body)))
            return try await remember(request, of: caller) {
                let outcome = try await authority.ask(wish, for: caller.session, from: context.sourceAddress)
                let made = try self.request(outcome)
                if made.isBreakGlass { announce(made, context.logger) }
                return Answer(.created, json: info(made).json)
            }
        }
        v1.get("requests/:id") { [self] request, context in
            let caller = try await authenticate(request, context)
            var wait = 0
            if let text = request.uri.queryParameters["wait"] {
                guard let number = Int(text), (0...Self.longestWait).contains(number) else {
                    throw Problem(
                        .invalidRequest, "wait: a number of seconds from 0 to \(Self.longestWait) expected")
                }
                wait = number
            }
            let found = try await answered(
                try context.parameters.require("id"), caller.session, context, within: wait)
            return Response(json: info(found).json)
        }
        v1.post("requests/:id/approve") { [self] request, context in
            let caller = try await authenticate(request, context)
            let id = try context.parameters.require("id")
            let text = try RequestAnswer.signature(json: try json(caller.body))
            let signature: SSHSignature
            do {
                signature = try SSHSignature(armoured: Array(text.utf8))
            } catch {
                throw Problem(.invalidRequest, "signature: \(error)")
            }
            return try await remember(request, of: caller) {
                let outcome = try await authority.approve(
                    id, by: signature, of: caller.session, from: context.sourceAddress)
                return Answer(json: info(try self.request(outcome)).json)
            }
        }
        v1.post("requests/:id/deny") { [self] request, context in
            let caller = try await authenticate(request, context)
            let id = try context.parameters.require("id")
            let reason = try RequestAnswer.reason(json: try json(caller.body))
            return try await remember(request, of: caller) {
                let outcome = try await authority.deny(
                    id, reason: reason, by: caller.session, from: context.sourceAddress)
                return Answer(json: info(try self.request(outcome)).json)
            }
        }
        v1.delete("requests/:id") { [self] request, context in
            let caller = try await authenticate(request, context)
            let reason = request.uri.queryParameters["reason"].map(String.init) ?? ""
            let outcome = try await authority.takeBack(
                try context.parameters.require("id"), reason: reason, by: caller.session,
                from: context.sourceAddress)
            let ended = try self.request(outcome)
            if !ended.certificates.isEmpty { await deliverRevocations(context.logger) }
            await delivery?.settle(ended.id, within: Self.settling)
            return Response(json: info(ended).json)
        }
    }

    /// Tells hosts of certificates that went with a grant. That it is revoked stands, whether they can be told now or
    /// when they come back.
    private func deliverRevocations(_ logger: Logger) async {
        do {
            try await hub.refreshRevocations()
            _ = await hub.deliverRevocations()
        } catch {
            logger.error(
                "revocations not delivered", metadata: ["daypass.error": "\("\(error)".escapedForTerminal)"])
        }
    }

    func addReviews(_ v1: RouterGroup<PlaneContext>) {
        v1.get("reviews") { [self] request, context in
            let caller = try await authenticate(request, context)
            let found = authority.openReviews(for: caller.session, from: context.sourceAddress)
            return try page(found, request, by: Self.place) { info($0).json }
        }
        v1.post("reviews/:id/acknowledge") { [self] request, context in
            let caller = try await authenticate(request, context)
            let id = try context.parameters.require("id")
            let note = try RequestAnswer.reason(json: try json(caller.body))
            return try await remember(request, of: caller) {
                let outcome = try await authority.acknowledgeReview(
                    id, note: note, by: caller.session, from: context.sourceAddress)
                return Answer(json: info(try self.request(outcome)).json)
            }
        }
    }

    /// Lists are in the order of asking.
    private static func place(_ request: GrantRequest) -> String {
        "\(String(request.created.seconds + 1_000_000_000_000))\n\(request.id)"
    }

    /// A request once it is answered, or as it is when the time is up.
    private func answered(
        _ id: String, _ session: LoginSession, _ context: PlaneContext, within seconds: Int
    ) async throws -> GrantRequest {
        // Before the look: what happens in between is not missed.
        let changes = authority.grantChanges()
        let found = try authority.request(id, for: session, from: context.sourceAddress)
        guard seconds > 0 else { return found }
        let end = ContinuousClock.now + .seconds(seconds)
        guard found.status(at: authority.now) == .pending else {
            if found.status(at: authority.now) == .approved {
                await delivery?.settle(id, within: min(.seconds(seconds), Self.settling))
            }
            return found
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await change in changes where change.request.id == id { return }
            }
            group.addTask {
                await cancelWhenGracefulShutdown { try? await Task.sleep(for: .seconds(seconds)) }
            }
            await group.next()
            group.cancelAll()
        }
        guard authority.sessions.isOpen(session.id, at: authority.now) else {
            throw Problem(.notLoggedIn, "the session is over", hint: "log in: daypass login")
        }
        let answered = try authority.request(id, for: session, from: context.sourceAddress)
        if answered.status(at: authority.now) == .approved {
            await delivery?.settle(id, within: max(.zero, min(end - .now, Self.settling)))
        }
        return answered
    }

    private func wish(_ message: NewAccessRequest) throws -> GrantWish {
        try GrantWish(
            target: message.host.map { .host($0) } ?? .labels(message.labels), login: message.login,
            duration: message.duration, wantsSudo: message.wantsSudo,
            permissions: try message.permissions.map(permissions), forceCommand: message.forceCommand,
            key: message.key, reason: message.reason, ticket: message.ticket,
            isBreakGlass: message.isBreakGlass)
    }

    private func request(_ outcome: GrantOutcome) throws -> GrantRequest {
        switch outcome {
        case .done(let request):
            metrics.countRequest(request.status(at: authority.now).rawValue)
            return request
        case .refused(let decision): throw refusal(decision)
        }
    }

    /// What must not go unseen.
    private func announce(_ request: GrantRequest, _ logger: Logger) {
        metrics.countBreakGlass()
        logger.warning(
            "break-glass: access without approval",
            metadata: [
                "daypass.request": "\(request.id)", "daypass.person": "\(request.person)",
                "daypass.hosts": "\(request.hosts.joined(separator: " "))",
                "daypass.login": "\(request.login)", "daypass.reason": "\(request.reason.escapedForTerminal)",
            ])
    }

    private func info(_ request: GrantRequest) -> AccessRequestInfo {
        let now = authority.now
        let demand = authority.policy.approvalDemand(rule: request.rule)
        return AccessRequestInfo(
            id: request.id, status: request.status(at: now).rawValue, person: request.person.description,
            hosts: request.hosts, login: request.login, wantsSudo: request.wantsSudo,
            duration: Int64(clamping: request.duration), reason: request.reason, ticket: request.ticket,
            rule: request.rule, isBreakGlass: request.isBreakGlass,
            created: Int64(clamping: request.created.seconds),
            expires: Int64(clamping: request.expires.seconds),
            grantedUntil: request.window.map { Int64(clamping: $0.until.seconds) },
            approvers: request.approvals.map(\.person.identity.description),
            needed: Int64(demand?.count ?? 0), mayApprove: demand?.approvers ?? "",
            endedBy: request.end?.by.description, endReason: request.end?.reason,
            review: request.review.map { $0.isOpen ? "open" : "acknowledged" },
            reviewedBy: request.review?.acknowledgedBy?.description,
            note: request.review.flatMap { $0.isOpen ? nil : $0.note },
            text: request.text(origin: authority.origin), delivery: delivery?.deliveries(of: request) ?? [])
    }
}
