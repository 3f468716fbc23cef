// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension FuzzTarget {
    /// The bytes of a WebSocket connection, as a client gets them: whole, and in pieces of three.
    static let webSocket = FuzzTarget("websocket") { input throws(BrokenProperty) in
        let whole = try events(input, pieces: max(1, input.count))
        let pieces = try events(input, pieces: 3)
        try require(whole.events == pieces.events, "what comes in pieces is what came whole")
        try require(whole.isRefused == pieces.isRefused, "pieces are refused when the whole is")
        for event in whole.events {
            guard case .text(let bytes) = event else { continue }
            try require(String(validating: bytes, as: UTF8.self) != nil, "a text is UTF-8")
            let again = WebSocketFrame.encode(.text, bytes, mask: nil)
            try require(try events(again, pieces: again.count).events == [event], "a text is read back")
        }
        return whole.events.isEmpty ? .refused : .accepted
    }

    private static func events(_ input: [UInt8], pieces size: Int) throws(BrokenProperty) -> (
        events: [WebSocketEvent], isRefused: Bool
    ) {
        var reader = WebSocketReader(expectsMasks: false, maximumMessageBytes: 1_000)
        var events: [WebSocketEvent] = []
        var rest = input[...]
        while !rest.isEmpty {
            reader.append(rest.prefix(size))
            rest = rest.dropFirst(size)
            while true {
                var next: WebSocketEvent?
                guard try attempt({ next = try reader.next() }) != nil else { return (events, true) }
                guard let event = next else { break }
                events.append(event)
            }
        }
        return (events, false)
    }

    /// A JSON-RPC message, and the call in it.
    static let rpcMessage = FuzzTarget("rpc-message") { input throws(BrokenProperty) in
        guard let message = try attempt({ try RPCMessage(parsing: input) }) else { return .refused }
        try require(
            try attempt { try RPCMessage(parsing: message.encoded) } == message, "a message is read back")
        guard case .request(_, _, let params) = message,
            let call = try attempt({ try TunnelCall(params: params) })
        else { return .accepted }
        try require(try attempt { try TunnelCall(params: call.value) } == call, "a call is read back")
        _ = try attempt { try call.hostCall() }
        return .accepted
    }

    /// The head of an HTTP answer.
    static let httpHead = FuzzTarget("http-head") { input throws(BrokenProperty) in
        guard let found = try attempt({ try HTTPResponseHead.read(input) }), let (head, count) = found else {
            return .refused
        }
        try require((1...input.count).contains(count), "a head is within its bytes")
        try require((100...599).contains(head.status), "a status has three digits")
        _ = try attempt { try WebSocketUpgrade(nonce: [1], subprotocols: ["daypass.v1"]).judge(head) }
        return .accepted
    }

    /// A host's key as JWK.
    static let jsonWebKey = FuzzTarget("jwk") { input throws(BrokenProperty) in
        guard let key = try attempt({ try JSONWebKey(parsing: input) }) else { return .refused }
        let again = try attempt { try JSONWebKey(parsing: Array(key.fileText.utf8)) }
        try require(again == key, "a key is read back")
        try require(again?.thumbprint == key.thumbprint, "a key has one name")
        if let secret = try attempt({ try HostKey(parsing: input) }) {
            try require(secret.publicKey == key, "halves of a key belong together")
        }
        return .accepted
    }

    /// A URL of a tunnel.
    static let tunnelURL = FuzzTarget("tunnel-url") { input throws(BrokenProperty) in
        guard let url = try attempt({ try TunnelURL(String(decoding: input, as: UTF8.self)) }) else {
            return .refused
        }
        try requireOneLine(url.description, "a URL")
        try require(!url.target.contains(" "), "a target is one word of a request line")
        let again = try attempt { try TunnelURL(url.origin + url.target) }
        try require(again?.target == url.target && again?.origin == url.origin, "a URL is read back")
        return .accepted
    }
}
