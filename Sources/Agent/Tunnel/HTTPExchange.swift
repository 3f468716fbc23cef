// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// One HTTP/1.1 request and its answer, over the tunnel's own way to a server: for registering, which happens once.
///
/// It waits, for ``seconds`` at most: not for the agent's loop.
public struct HTTPExchange: Sendable {
    /// What came back.
    public struct Response: Sendable {
        public let status: Int
        public let body: [UInt8]

        /// What a server says with another status than was hoped for: a problem's title where it is one. Escaped.
        public var refusal: String {
            let json = try? JSONValue(parsing: body, maximumBytes: 64 << 10, otherNumbers: .null)
            let words = json?["detail"]?.string ?? json?["title"]?.string
            return "status \(status)" + (words.map { ": \($0.escapedForTerminal)" } ?? "")
        }
    }

    /// The longest answer, in bytes.
    public static let maximumBodyBytes = 1 << 20
    /// How long all of it may take, in seconds.
    public static let seconds: UInt64 = 30

    private let url: TunnelURL
    private let trust: TLSTrust
    private let proxies: ProxySettings
    private let userAgent: String

    /// - Throws: `.invalidRequest` for a URL that is not `https`, or `http` to another machine.
    public init(
        _ url: TunnelURL, trust: TLSTrust, proxies: ProxySettings, userAgent: String,
        allowingInsecureTransport isAllowed: Bool = false
    ) throws(AgentError) {
        guard !url.isWebSocket else { throw AgentError(.invalidRequest, "\(url): https://… expected") }
        guard url.isEncrypted || url.isLoopback || isAllowed else {
            throw AgentError(
                .invalidRequest, "\(url): without TLS what is sent could be read and used by others",
                hint: "use https://, or say --insecure-transport")
        }
        (self.url, self.trust, self.proxies, self.userAgent) = (url, trust, proxies, userAgent)
    }

    /// Sends a JSON text and waits for the answer.
    ///
    /// - Parameter bearer: the value behind `Authorization: Bearer`, if there is one.
    /// - Throws: `.network`, `.untrusted`, or `.refused` by a proxy. Every status is an answer; none is followed elsewhere.
    public func post(_ json: JSONValue, bearer: String? = nil) throws(AgentError) -> Response {
        let body = Array(json.text.utf8)
        var head = "POST \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\nUser-Agent: \(userAgent)\r\n"
        if let bearer {
            guard bearer.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                throw AgentError(.invalidRequest, "the token: printable characters without spaces expected")
            }
            head += "Authorization: Bearer \(bearer)\r\n"
        }
        head +=
            "Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n"
        head += "Connection: close\r\n\r\n"
        let deadline = Moment.now.boot &+ Self.seconds * 1_000_000_000
        let stream = try open(until: deadline)
        try stream.send(Array(head.utf8) + body)
        return try answer(stream, until: deadline)
    }

    /// Connects and goes away again: whether the server is there and the one that is meant.
    ///
    /// - Returns: "TLSv1.3", or "plain".
    public static func reach(_ url: TunnelURL, trust: TLSTrust, proxies: ProxySettings) throws(AgentError)
        -> String
    {
        let destination = NetworkStream.Destination(url: url, trust: trust, proxy: proxies.proxy(for: url))
        let stream = try open(destination, until: Moment.now.boot &+ 10_000_000_000)
        stream.close()
        return stream.security
    }

    private func open(until deadline: UInt64) throws(AgentError) -> NetworkStream {
        try Self.open(.init(url: url, trust: trust, proxy: proxies.proxy(for: url)), until: deadline)
    }

    private static func open(_ destination: NetworkStream.Destination, until deadline: UInt64)
        throws(AgentError)
        -> NetworkStream
    {
        let (host, port) = destination.resolvedHost
        let stream = NetworkStream(destination, addresses: try SocketAddress.resolve(host: host, port: port))
        while try !stream.open(at: Moment.now.boot) { try wait(stream, until: deadline) }
        return stream
    }

    private static func wait(_ stream: NetworkStream, until deadline: UInt64) throws(AgentError) {
        guard Moment.now.boot < deadline, let number = stream.descriptor else {
            throw AgentError(.network, "no answer in time")
        }
        let events = (stream.wantsToRead ? POLLIN : 0) | (stream.wantsToWrite ? POLLOUT : 0)
        var polled = [pollfd(fd: number, events: Int16(events), revents: 0)]
        _ = unsafe poll(&polled, 1, 500)
    }

    private func answer(_ stream: NetworkStream, until deadline: UInt64) throws(AgentError) -> Response {
        var bytes: [UInt8] = []
        var isOpen = true
        while true {
            try stream.flush()
            let received = try stream.receive { bytes += $0 }
            isOpen = received.isOpen
            guard bytes.count <= HTTPResponseHead.maximumBytes + Self.maximumBodyBytes else {
                throw AgentError(.network, "the answer has over \(Self.maximumBodyBytes) bytes")
            }
            let came = bytes
            if let response = try understand(
                "the answer",
                { () throws(ControlProtocolError) in
                    try Self.response(came, isComplete: !isOpen)
                })
            {
                return response
            }
            guard isOpen else {
                throw AgentError(.network, "the server ended the connection within its answer")
            }
            if !received.hasMore { try Self.wait(stream, until: deadline) }
        }
    }

    /// The answer in these bytes; nil when more must come.
    static func response(_ bytes: [UInt8], isComplete: Bool) throws(ControlProtocolError) -> Response? {
        guard let (head, count) = try HTTPResponseHead.read(bytes) else { return nil }
        let rest = bytes[count...]
        if head.lists("chunked", in: "transfer-encoding") {
            guard let body = try dechunked(rest) else { return nil }
            return Response(status: head.status, body: body)
        }
        if head.fields.contains(where: { $0.name == "content-length" }) {
            guard let text = head.value("content-length"), let length = Int(text), String(length) == text,
                (0...maximumBodyBytes).contains(length)
            else {
                throw ControlProtocolError(
                    .tooLong, "content-length: one number up to \(maximumBodyBytes) expected")
            }
            return rest.count >= length
                ? Response(status: head.status, body: Array(rest.prefix(length))) : nil
        }
        return isComplete ? Response(status: head.status, body: Array(rest)) : nil
    }

    /// A body in chunks (RFC 9112, section 7.1), put together; nil when more must come.
    private static func dechunked(_ bytes: ArraySlice<UInt8>) throws(ControlProtocolError) -> [UInt8]? {
        var body: [UInt8] = []
        var rest = bytes
        while true {
            guard let end = rest.firstRange(of: [0x0d, 0x0a]) else {
                guard rest.count <= 64 else {
                    throw ControlProtocolError(.invalidValue, "chunk: a size expected")
                }
                return nil
            }
            let digits = rest[..<end.lowerBound].prefix { $0 != UInt8(ascii: ";") }
            guard (1...8).contains(digits.count), digits.first != UInt8(ascii: "+"),
                digits.first != UInt8(ascii: "-"),
                let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
            else { throw ControlProtocolError(.invalidValue, "chunk: a size expected") }
            guard size <= maximumBodyBytes - body.count else {
                throw ControlProtocolError(.tooLong, "body: over \(maximumBodyBytes) bytes")
            }
            // What is behind the last chunk, trailers, is nothing that we asked for.
            if size == 0 { return body }
            rest = rest[end.upperBound...]
            guard rest.count >= size + 2 else { return nil }
            guard rest.dropFirst(size).starts(with: [0x0d, 0x0a]) else {
                throw ControlProtocolError(.invalidValue, "chunk: not of the size that it says")
            }
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
    }
}
