// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import NIOCore
import SSHWire

@testable import ControlPlane

/// A host's end of a tunnel through which it is asked about grants.
struct GrantingHost {
    /// What it is asked: the whole of a call's data.
    struct Asked {
        let id: RPCID
        let data: JSONValue

        var command: String { data["command"]?.string ?? "" }
        /// The grant that it is about.
        var grant: String? { data["id"]?.string }
    }

    let host: TestTunnel.Host
    private var tunnel: TestTunnel
    /// Calls that came before the host was told that it is known.
    private var early: [Asked] = []

    /// Opens a tunnel and says who is there.
    init(_ plane: TestPlane, _ host: TestTunnel.Host) async throws {
        self.host = host
        tunnel = try await TestTunnel(asking: plane, token: try host.token(plane))
        try await tunnel.passHead()
        try await tunnel.say(
            .request(
                id: .number(0), method: Tunnel.setClientID,
                params: .object([.init("clientId", .string(host.host.clientID))])))
        while true {
            let message = try await tunnel.hear()
            if case .result = message { break }
            early.append(try Self.asked(message))
        }
    }

    private static func asked(_ message: RPCMessage) throws -> Asked {
        guard case .request(let id, Tunnel.call, let params) = message else {
            throw UnexpectedOutcome(what: "\(message)")
        }
        return Asked(id: id, data: try TunnelCall(params: params).data)
    }

    /// The next call.
    mutating func asked(within timeout: Duration = .seconds(60)) async throws -> Asked {
        if !early.isEmpty { return early.removeFirst() }
        let end = ContinuousClock.now + timeout
        while ContinuousClock.now < end {
            switch try await tunnel.event(within: end - .now) {
            case .text(let bytes): return try Self.asked(RPCMessage(parsing: bytes))
            // A host that says nothing for 15 seconds is cut off, and a test may wait for longer.
            case .ping(let payload): try await tunnel.say(.pong, payload)
            default: break
            }
        }
        throw UnexpectedOutcome(what: "the server asks nothing")
    }

    /// The next call, which must be this command.
    mutating func asked(for command: String) async throws -> Asked {
        let asked = try await asked()
        guard asked.command == command else {
            throw UnexpectedOutcome(what: "\(asked.data.text) instead of \(command)")
        }
        return asked
    }

    func answer(_ asked: Asked, _ message: String = "done", success: Bool = true, output: String? = nil)
        async throws
    {
        try await tunnel.say(
            .result(
                id: asked.id,
                TunnelReply(
                    clientID: host.host.clientID, command: asked.command,
                    outcome: HostOutcome(success: success, message: message, output: output), time: .always
                ).value))
    }

    /// Answers the question which grants it has, which comes first.
    ///
    /// - Parameter grants: ids with their parts.
    mutating func compare(having grants: [(id: String, part: String)] = []) async throws {
        let items = grants.map { grant in
            JSONValue.object([
                .init("id", .string(grant.id)), .init("part", .string(grant.part)),
                .init("state", "in force"),
            ])
        }
        try await answer(
            try await asked(for: "status"), output: JSONValue.object([.init("grants", .array(items))]).text)
    }

    func close() async throws { try await tunnel.connection.channel.close() }
}
