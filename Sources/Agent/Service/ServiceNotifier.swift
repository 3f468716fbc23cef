// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Tells a service manager how we are (sd_notify(3)), where one asked for it.
struct ServiceNotifier {
    private let path: [UInt8]?
    /// Nanoseconds between two signs of life; nil when nobody waits for any. Half of what is asked for.
    let watchdogNanoseconds: UInt64?

    init() {
        path = Self.variable("NOTIFY_SOCKET").flatMap { text in
            let bytes = Array(text.utf8)
            return bytes.first == UInt8(ascii: "/") || bytes.first == UInt8(ascii: "@") ? bytes : nil
        }
        let isOurs = Self.variable("WATCHDOG_PID").map { $0 == String(getpid()) } ?? true
        let interval = Self.variable("WATCHDOG_USEC").flatMap { UInt64($0) }
        watchdogNanoseconds = isOurs ? interval.flatMap { $0 > 0 && $0 < 1 << 50 ? $0 * 500 : nil } : nil
    }

    /// Sends "READY=1", "WATCHDOG=1", "STOPPING=1" or "STATUS=…". What nobody takes is lost, and does not matter.
    func send(_ state: String) {
        guard var name = path, name.count < 108 else { return }
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return }
        let descriptor = Descriptor(owning: number)
        let message = Array(state.utf8)
        _ = unsafe withUnixAddress(name) { address, size in
            unsafe sendto(
                descriptor.number, message, message.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), address,
                size)
        }
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}

/// Lends the address of a Unix socket; nil for a path that is too long for one (unix(7)).
func withUnixAddress<Result>(_ path: [UInt8], _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result)
    -> Result?
{
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
        guard path.count < room.count else { return false }
        unsafe room.copyBytes(from: path)
        return true
    }
    guard fits else { return nil }
    // An abstract name ends with its length; a path's NUL counts or doesn't.
    let size = socklen_t(MemoryLayout<sa_family_t>.size + path.count + (path.first == 0 ? 0 : 1))
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
    }
}
