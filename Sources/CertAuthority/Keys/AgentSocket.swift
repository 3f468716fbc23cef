// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A connection to an ssh-agent's Unix socket, closed when the last reference goes.
///
/// Every exchange has a deadline of its own. An exchange that failed leaves the connection in an unknown state, so
/// every later one is refused.
public final class AgentSocket: AgentTransport {
    private let descriptor: Int32
    private let timeout: Duration
    private var isUsable = true

    /// Connects to the socket at `path`, usually the value of `SSH_AUTH_SOCK`.
    ///
    /// - Parameter timeout: how long connecting, and then each exchange, may take. Leave room for a person where keys
    ///   ask for confirmation or a touch.
    /// - Throws: `.agentRefused` when nothing listens there, `.tooLong` when the path does not fit an address (107
    ///   bytes on Linux, 103 on macOS).
    public init(path: String, timeout: Duration = .seconds(60)) throws(SSHWireError) {
        self.timeout = timeout
        var address = try Self.address(path)
        #if canImport(Glibc)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        let descriptor = socket(AF_UNIX, stream, 0)
        guard descriptor >= 0 else { throw Self.failure("socket") }
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        #if canImport(Darwin)
            var on: Int32 = 1
            _ = unsafe setsockopt(
                descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
        #endif
        // A Unix socket connects at once, or says EAGAIN while the agent's queue is full: nothing to poll for then.
        let deadline = ContinuousClock.now + timeout
        while !Self.connect(descriptor, &address) {
            guard errno == EAGAIN || errno == EINTR, ContinuousClock.now < deadline else {
                throw Self.failure("connect to \(path.escapedForTerminal)")
            }
            _ = poll(nil, 0, 10)
        }
    }

    deinit { _ = close(descriptor) }

    public func exchange(
        _ request: Span<UInt8>, maximumReplyBytes: Int
    ) throws(SSHWireError) -> [UInt8] {
        guard isUsable else {
            throw SSHWireError(.agentRefused, "ssh-agent: the connection failed before")
        }
        guard let length = UInt32(exactly: request.count) else {
            throw SSHWireError(.tooLong, "agent request: \(request.count) bytes")
        }
        isUsable = false
        let deadline = ContinuousClock.now + timeout
        var header = WireWriter(reserving: 4)
        header.write(length)
        try send(header.bytes.span, until: deadline)
        try send(request, until: deadline)
        let announced = try receive(4, until: deadline)
        var reader = WireReader(announced.span)
        let replyLength = try reader.readUInt32("agent reply length")
        guard let count = Int(exactly: replyLength), count > 0, count <= maximumReplyBytes else {
            throw SSHWireError(
                .tooLong,
                "agent reply: \(replyLength) bytes announced, 1 to \(maximumReplyBytes) are allowed")
        }
        let reply = try receive(count, until: deadline)
        isUsable = true
        return reply
    }

    private func send(_ bytes: Span<UInt8>, until deadline: ContinuousClock.Instant) throws(SSHWireError) {
        #if canImport(Darwin)
            let flags: Int32 = 0
        #else
            let flags = Int32(MSG_NOSIGNAL)
        #endif
        var sent = 0
        while sent < bytes.count {
            let rest = bytes.extracting(sent..<bytes.count)
            let count = unsafe rest.withUnsafeBufferPointer {
                unsafe Self.sendSome(descriptor, $0.baseAddress, $0.count, flags)
            }
            if count > 0 {
                sent += count
            } else {
                try wait(for: Int16(POLLOUT), "send to", until: deadline)
            }
        }
    }

    /// Reads exactly `count` bytes, which has been tested against a limit.
    private func receive(
        _ count: Int, until deadline: ContinuousClock.Instant
    ) throws(SSHWireError) -> [UInt8] {
        var received: [UInt8] = []
        received.reserveCapacity(count)
        var chunk = [UInt8](repeating: 0, count: min(count, 16 << 10))
        while received.count < count {
            let read = unsafe recv(descriptor, &chunk, min(chunk.count, count - received.count), 0)
            if read > 0 {
                received += chunk[..<read]
            } else if read == 0 {
                throw SSHWireError(
                    .agentRefused,
                    "ssh-agent: closed the connection after \(received.count) of \(count) bytes")
            } else {
                try wait(for: Int16(POLLIN), "read from", until: deadline)
            }
        }
        return received
    }

    /// After a call that did nothing: waits until it may do something, or says why it never will.
    private func wait(
        for events: Int16, _ purpose: String, until deadline: ContinuousClock.Instant
    ) throws(SSHWireError) {
        guard errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR else {
            throw Self.failure("\(purpose) the agent")
        }
        let left = deadline - .now
        guard left > .zero else {
            throw SSHWireError(.agentRefused, "ssh-agent: no answer within \(timeout)")
        }
        // An hour at most, so that the number fits; the caller asks again.
        let milliseconds = left < .seconds(3_600) ? left / .milliseconds(1) : 3_600_000
        var polled = pollfd(fd: descriptor, events: events, revents: 0)
        _ = unsafe poll(&polled, 1, Int32(milliseconds) + 1)
    }

    private static func address(_ path: String) throws(SSHWireError) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard !bytes.isEmpty, !bytes.contains(0) else {
            throw SSHWireError(.invalidValue, "ssh-agent: no path of a socket")
        }
        guard bytes.count <= room else {
            throw SSHWireError(
                .tooLong, "ssh-agent: the socket's path has \(bytes.count) bytes, at most \(room) fit")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return address
    }

    private static func connect(_ descriptor: Int32, _ address: inout sockaddr_un) -> Bool {
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                let size = socklen_t(MemoryLayout<sockaddr_un>.size)
                #if canImport(Darwin)
                    return unsafe Darwin.connect(descriptor, generic, size) == 0
                #elseif canImport(Glibc)
                    return unsafe Glibc.connect(descriptor, generic, size) == 0
                #elseif canImport(Musl)
                    return unsafe Musl.connect(descriptor, generic, size) == 0
                #endif
            }
        }
    }

    private static func sendSome(
        _ descriptor: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int, _ flags: Int32
    ) -> Int {
        #if canImport(Darwin)
            unsafe Darwin.send(descriptor, bytes, count, flags)
        #elseif canImport(Glibc)
            unsafe Glibc.send(descriptor, bytes, count, flags)
        #elseif canImport(Musl)
            unsafe Musl.send(descriptor, bytes, count, flags)
        #endif
    }

    private static func failure(_ attempt: String) -> SSHWireError {
        let text = unsafe String(cString: strerror(errno))
        return SSHWireError(.agentRefused, "ssh-agent: \(attempt): \(text)")
    }
}
