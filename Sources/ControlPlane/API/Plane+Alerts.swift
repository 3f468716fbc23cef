// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Hummingbird
import SSHWire

/// What somebody should look at.
extension Plane {
    func addAlerts(_ v1: RouterGroup<PlaneContext>) {
        v1.get("alerts") { [self] request, context in
            _ = try await authenticateAdministrator(request, context)
            let query = request.uri.queryParameters
            let since = try number(query["since"], "since", 0...UInt64.max)
            let limit = Int(try number(query["limit"], "limit", 1...1_000) ?? 100)
            let before = try number(query["after"], "after", 0...UInt64.max)
            let found = try await alerts.store.alerts(before: before, limit: limit)
            let shown = found.prefix { $0.milliseconds >= since ?? 0 }
            var members = [JSONValue.Member("items", .array(shown.map { AlertInfo($0).json }))]
            if shown.count == limit, let last = shown.last {
                members.append(.init("next", .string(String(last.index))))
            }
            return Response(json: .object(members))
        }
        v1.post("alerts/test") { [self] request, context in
            let caller = try await authenticateAdministrator(request, context)
            return try await remember(request, of: caller) {
                guard let alert = try await alerts.test(by: caller.session.person.identity) else {
                    throw Problem(.internalError, "something went wrong here")
                }
                metrics.countAlert(alert.event.rawValue)
                return Answer(.created, json: AlertInfo(alert).json)
            }
        }
    }
}

extension AlertInfo {
    init(_ alert: Alert) {
        self.init(
            index: alert.index, recorded: alert.milliseconds, event: alert.event.rawValue, host: alert.host,
            text: alert.sentence, fields: alert.fields.map { .init(name: $0.name.rawValue, value: $0.value) })
    }
}
