// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol

/// What is asked of a host so that it has what it is to have (docs/formats/host-operations.md).
///
/// None of these calls has a `requestId`: a host answers a repeated one by what is in place, and mends what is amiss.
enum HostOrder {
    /// The longest answer that says which grants a host has, in bytes: a message holds no more.
    private static let maximumStatusBytes = RPCMessage.maximumBytes

    static let status: JSONValue = .object([.init("command", .string("status"))])

    /// Gives what was approved, always in the same words: with others, a host would refuse the same id.
    static func give(_ request: GrantRequest) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("command", .string("grant")), .init("id", .string(request.id)),
            .init("user", .string(request.login)), .init("createAccount", .bool(true)),
            .init("principals", .array([.string(request.principal)])),
        ]
        if request.wantsSudo { members.append(.init("sudo", .bool(true))) }
        if let until = request.window?.until { members.append(.init("until", .string("\(until)"))) }
        return .object(members)
    }

    static func set(_ said: HostPrincipals) -> JSONValue {
        .object([
            .init("command", .string("principals")), .init("user", .string(said.login)),
            .init("principals", .array(said.principals.map(JSONValue.string))),
        ])
    }

    static func takeBack(_ id: String) -> JSONValue {
        .object([.init("command", .string("revokeGrant")), .init("id", .string(id))])
    }

    /// The whole grants that a host says it has, by their ids; nil where that can't be read.
    ///
    /// P0's are parts, and what an administrator gives by hand has another id: whose an id is, the authority knows.
    static func held(_ reply: TunnelReply) -> [String]? {
        guard let output = reply.outcome.output, output.utf8.count <= maximumStatusBytes,
            let value = try? JSONValue(parsing: Array(output.utf8), maximumBytes: maximumStatusBytes),
            let grants = value["grants"]?.array
        else { return nil }
        return grants.compactMap { grant in
            grant["part"]?.string == "whole" ? grant["id"]?.string : nil
        }
    }
}
