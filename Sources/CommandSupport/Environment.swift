// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An environment variable's value.
public func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

/// Milliseconds since 1970.
@Sendable public func millisecondsNow() -> UInt64 { microsecondsNow() / 1_000 }

/// Microseconds since 1970.
@Sendable public func microsecondsNow() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    let seconds = UInt64(clamping: time.tv_sec)
    return seconds &* 1_000_000 &+ UInt64(clamping: time.tv_nsec / 1_000)
}

/// The current second.
public func unixTimeNow() -> UnixTime { UnixTime(seconds: millisecondsNow() / 1_000) }
