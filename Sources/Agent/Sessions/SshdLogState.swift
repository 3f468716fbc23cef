// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol

/// What the reading of sshd's log must remember over a restart: how far it was read, and who was logged in then.
struct SshdLogState: Sendable, Hashable {
    /// A session that was open.
    struct Session: Sendable, Hashable {
        var connection: SshdLogConnection
        var session: String
        var processStart: UInt64
        var boot: String
    }

    /// 4,096 connections of at most 2 KiB each.
    static let maximumBytes = 8 << 20

    var position: SshdLogPosition
    var sessions: [Session]

    /// Two lines: the position, and a JSON array of the sessions.
    var encoded: [UInt8] {
        let sessions = JSONValue.array(self.sessions.map(\.json))
        return position.encoded + Array((sessions.text + "\n").utf8)
    }

    init(position: SshdLogPosition, sessions: [Session]) {
        self.position = position
        self.sessions = sessions
    }

    init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        guard lines.count == 2 else { throw ControlProtocolError(.missing, "log state: two lines expected") }
        position = try SshdLogPosition(parsing: Array(lines[0]))
        let list = try JSONValue(parsing: Array(lines[1]), maximumBytes: Self.maximumBytes, maximumDepth: 4)
        guard let values = list.array, values.count <= SshdLogReader.maximumConnections else {
            throw ControlProtocolError(.invalidValue, "log state: a list of sessions expected")
        }
        sessions = []
        for value in values {
            guard let session = Session(value) else {
                throw ControlProtocolError(.invalidValue, "log state: a session expected")
            }
            sessions.append(session)
        }
    }
}

extension SshdLogState.Session {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("pid", .number(Int64(connection.pid))), .init("session", .string(session)),
            .init("start", .string(String(processStart))), .init("boot", .string(boot)),
        ]
        if let account = connection.account { members.append(.init("account", .string(account))) }
        for (name, peer) in [("peer", connection.peer), ("local", connection.local)] {
            guard let peer else { continue }
            members.append(.init(name, .array([.string(peer.address), .number(Int64(peer.port))])))
        }
        return .object(members)
    }

    fileprivate init?(_ value: JSONValue) {
        guard let pid = value["pid"]?.number.flatMap({ Int32(exactly: $0) }), pid > 0,
            let session = value["session"]?.string, let boot = value["boot"]?.string,
            let start = value["start"]?.string.flatMap({ UInt64($0) })
        else { return nil }
        connection = SshdLogConnection(pid: pid)
        connection.account = value["account"]?.string
        connection.peer = Self.peer(value["peer"])
        connection.local = Self.peer(value["local"])
        self.session = session
        self.boot = boot
        processStart = start
    }

    private static func peer(_ value: JSONValue?) -> SshdLogPeer? {
        guard let parts = value?.array, parts.count == 2, let address = parts[0].string,
            let port = parts[1].number.flatMap({ UInt16(exactly: $0) })
        else { return nil }
        return SshdLogPeer(address: address, port: port)
    }
}
