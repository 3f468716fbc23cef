// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// One question to the agent: a packet there, a packet back, within a deadline.
enum Exchange {
    /// Sends a packet and waits for the answer.
    ///
    /// - Parameter room: the most that an answer may have, in bytes; what is beyond it is cut.
    /// - Returns: the answer; the reason as an error number when there is none.
    static func ask(_ path: String, _ packet: [UInt8], milliseconds: Int, room: Int) -> Result<
        [UInt8], SystemError
    > {
        let number = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return .failure(.last) }
        defer { close(number) }
        return ask(number, path, packet, deadline: monotonicNanoseconds() + milliseconds * 1_000_000, room)
    }

    private static func ask(
        _ number: Int32, _ path: String, _ packet: [UInt8], deadline: Int, _ room: Int
    ) -> Result<[UInt8], SystemError> {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
            guard name.count < place.count else { return false }
            unsafe place.copyBytes(from: name)
            return true
        }
        guard fits else { return .failure(SystemError(number: ENAMETOOLONG)) }
        // Linux's own buffer has room for an ordinary packet only.
        if packet.count > 64 << 10 {
            var size = Int32(packet.count * 2)
            let length = socklen_t(MemoryLayout<Int32>.size)
            if unsafe setsockopt(number, SOL_SOCKET, SO_SNDBUFFORCE, &size, length) != 0 {
                unsafe setsockopt(number, SOL_SOCKET, SO_SNDBUF, &size, length)
            }
        }
        // Not non-blocking: connect(2) then fails at once when the agent's queue is full, with nothing to poll(2) for.
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        while true {
            guard arm(number, SO_SNDTIMEO, deadline) else { return .failure(SystemError(number: ETIMEDOUT)) }
            let result = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(number, $0, size)
                }
            }
            if result == 0 { break }
            guard errno == EINTR else { return .failure(.last) }
        }
        guard isTrusted(number) else { return .failure(SystemError(number: EPERM)) }
        guard
            unsafe send(number, packet, packet.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
                == packet.count
        else { return .failure(.last) }
        var answer = [UInt8](repeating: 0, count: room)
        while true {
            guard arm(number, SO_RCVTIMEO, deadline) else { return .failure(SystemError(number: ETIMEDOUT)) }
            let count = unsafe recv(number, &answer, room, 0)
            if count > 0 { return .success(Array(answer[..<count])) }
            guard count < 0 else { return .failure(SystemError(number: EPROTO)) }
            guard errno == EINTR else { return .failure(.last) }
        }
    }

    /// Bounds the next wait on the socket by what is left of the deadline.
    private static func arm(_ number: Int32, _ option: Int32, _ deadline: Int) -> Bool {
        let rest = (deadline - monotonicNanoseconds()) / 1_000
        guard rest > 0 else { return false }
        var wait = timeval(tv_sec: rest / 1_000_000, tv_usec: rest % 1_000_000)
        return unsafe setsockopt(number, SOL_SOCKET, option, &wait, socklen_t(MemoryLayout<timeval>.size))
            == 0
    }

    /// True when root listens, or whoever runs this: nobody else is told who logs in, or says who may.
    private static func isTrusted(_ number: Int32) -> Bool {
        // struct ucred (unix(7)), which Swift's Glibc does not show: process, user, group.
        var peer: (Int32, UInt32, UInt32) = (0, .max, .max)
        var length = socklen_t(MemoryLayout.size(ofValue: peer))
        guard unsafe getsockopt(number, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 else { return false }
        return peer.1 == 0 || peer.1 == geteuid()
    }

    private static func monotonicNanoseconds() -> Int { Int(clamping: nanoseconds(CLOCK_MONOTONIC)) }
}

/// An error number of the system.
struct SystemError: Error {
    let number: Int32

    static var last: SystemError { SystemError(number: errno) }

    /// The system's words; a wait that ended by its bound is a time-out.
    var text: String { describe(number == EAGAIN ? ETIMEDOUT : number) }
}

/// A clock's time.
func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
    return UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)
}
