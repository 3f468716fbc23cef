// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import ControlClient
import ControlProtocol
import Foundation
import SSHWire

/// Requests for approval, as this machine asks for them and shows them.
struct AccessRequests {
    let state: ClientState

    /// How long the server lets one question wait, in seconds: less than its answer may take.
    private static let waitSeconds = 15
    /// For how long a server that is away is asked again.
    private static let patience: Duration = .seconds(60)
    /// How many digits of an id are shown, and how few may be given.
    private static let shownDigits = 12
    private static let fewestDigits = 6

    init(_ state: ClientState) { self.state = state }

    func ask(_ wish: NewAccessRequest) async throws -> AccessRequestInfo {
        try AccessRequestInfo(
            json: try await state.ask(
                "POST", "/v1/requests", wish.json, idempotencyKey: UUID().uuidString.lowercased()))
    }

    /// Whether what was asked for is granted now.
    ///
    /// - Parameter id: all of it.
    func isGranted(_ id: String) async throws -> Bool {
        try AccessRequestInfo(json: try await state.ask("GET", "/v1/requests/\(id)")).status == "approved"
    }

    /// The request that an id, or the beginning of one, means.
    func find(_ id: String) async throws -> AccessRequestInfo {
        let digits = id.lowercased()
        guard digits.utf8.allSatisfy("0123456789abcdef".utf8.contains), digits.utf8.count <= 32,
            digits.utf8.count >= Self.fewestDigits
        else {
            throw Failure(
                ExitStatus.usage,
                "\(id.escapedForTerminal): \(Self.fewestDigits) to 32 hexadecimal digits expected",
                hint: "daypass requests lists them")
        }
        if digits.utf8.count == 32 {
            return try AccessRequestInfo(json: try await state.ask("GET", "/v1/requests/\(digits)"))
        }
        let found = try await state.list("/v1/requests?scope=all").map { try AccessRequestInfo(json: $0) }
            .filter { $0.id.hasPrefix(digits) }
        guard let first = found.first else {
            throw Failure("there is no request \(digits)", hint: "daypass requests lists them")
        }
        guard found.count == 1 else {
            throw Failure("\(found.count) requests begin with \(digits)", hint: "give more of its digits")
        }
        return first
    }

    /// Waits until somebody has decided.
    ///
    /// - Throws: where the answer is no.
    func wait(for request: AccessRequestInfo) async throws -> AccessRequestInfo {
        var request = request
        if request.status == "pending", Terminal.isWatched(STDERR_FILENO) {
            Terminal.note(
                "waiting for \(Self.approval(request)); to stop waiting press ^C, the request stays: "
                    + "daypass withdraw \(Self.short(request.id))")
        }
        var awaySince: ContinuousClock.Instant?
        while request.status == "pending" {
            do {
                let answer = try await state.ask(
                    "GET", "/v1/requests/\(request.id)?wait=\(Self.waitSeconds)")
                request = try AccessRequestInfo(json: answer)
                awaySince = nil
            } catch let error as ClientError where error.isPassing {
                let start = awaySince ?? .now
                guard ContinuousClock.now - start < Self.patience else { throw error }
                awaySince = start
                try await Task.sleep(for: .seconds(1))
            }
        }
        guard request.status == "approved" else { throw Self.refusal(request) }
        // Hosts that are connected have it within moments; for the others nobody waits.
        if request.delivery.contains(where: { $0.state == .pending }) {
            let answer = try await state.ask("GET", "/v1/requests/\(request.id)?wait=\(Self.waitSeconds)")
            request = try AccessRequestInfo(json: answer)
        }
        return request
    }

    /// Tells of hosts that have not made of it what they should: a line each.
    static func missing(_ request: AccessRequestInfo) -> [String] {
        request.delivery.compactMap { delivery in
            let host = delivery.host.escapedForTerminal
            let why = delivery.reason.map { ": \($0.escapedForTerminal)" } ?? ""
            switch delivery.state {
            case .delivered, .removed: return nil
            case .pending: return "host \(host) does not have the grant yet\(why)"
            case .removing: return "host \(host) has not said yet that the grant is gone\(why)"
            case .refused:
                return
                    "host \(host) does not give the grant\(why); certificates get in where its sshd takes them"
                    + (request.wantsSudo ? ", without sudo" : "")
            // Certificates are all that there is for these, as for everybody who needs no approval.
            case .unmanaged where !request.wantsSudo: return nil
            case .unmanaged: return "host \(host) gives no sudo\(why)"
            }
        }
    }

    /// Why a request opens nothing.
    static func refusal(_ request: AccessRequestInfo) -> Failure {
        let by = request.endedBy.map { " by \($0.escapedForTerminal)" } ?? ""
        let why = request.endReason.flatMap { $0.isEmpty ? nil : ": \($0.escapedForTerminal)" } ?? ""
        return Failure(
            ExitStatus.refused,
            "request \(short(request.id)) is \(request.status.escapedForTerminal)\(by)\(why)",
            hint: request.status == "expired" ? "nobody answered in time: ask again" : nil)
    }

    // MARK: Words

    static func short(_ id: String) -> String { String(id.prefix(shownDigits)) }

    /// "2 approvals by groups has leads (1 is there)".
    static func approval(_ request: AccessRequestInfo) -> String {
        let who = request.mayApprove.escapedForTerminal
        guard request.needed > 1 else { return "approval by \(who)" }
        return "\(request.needed) approvals by \(who) (\(request.approvers.count) so far)"
    }

    /// What was asked for, a line each.
    static func lines(_ request: AccessRequestInfo) -> [String] {
        request.text.split(separator: "\n").map { "  \(String($0).escapedForTerminal)" }
    }

    /// How it stands, in one line.
    static func standing(_ request: AccessRequestInfo) -> String {
        switch request.status {
        case "pending": return "waits for \(approval(request))"
        case "approved":
            let now = Int64(clamping: unixTimeNow().seconds)
            let left = UInt64(max((request.grantedUntil ?? now) - now, 0))
            return "granted for another \(spell(left))"
        default: return refusal(request).reason
        }
    }

    /// All about one request: how it stands, and what each host has made of it.
    static func show(_ request: AccessRequestInfo) {
        Terminal.say("request \(request.id)")
        for line in lines(request) { Terminal.say(line) }
        Terminal.say(standing(request))
        guard !request.delivery.isEmpty else { return }
        Table(
            ["HOST", "GRANT", "WHY"],
            request.delivery.map { delivery in
                [
                    delivery.host.escapedForTerminal, delivery.state.rawValue,
                    delivery.reason?.escapedForTerminal ?? "",
                ]
            }
        ).print()
    }

    static func print(_ requests: [AccessRequestInfo]) {
        Table(
            ["REQUEST", "STATUS", "PERSON", "LOGIN", "HOSTS", "FOR", "REASON"],
            requests.map { request in
                let hosts = request.hosts.prefix(3).map(\.escapedForTerminal).joined(separator: ",")
                let more = request.hosts.count > 3 ? " and \(request.hosts.count - 3) more" : ""
                return [
                    short(request.id), request.status.escapedForTerminal, request.person.escapedForTerminal,
                    request.login.escapedForTerminal + (request.wantsSudo ? " (sudo)" : ""), hosts + more,
                    spell(UInt64(max(request.duration, 0))),
                    (request.isBreakGlass ? "BREAK-GLASS: " : "") + request.reason.escapedForTerminal,
                ]
            }
        ).print()
    }
}
