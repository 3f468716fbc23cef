// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// When a file of records is full, and how much is kept.
public struct RecordLimits: Sendable, Hashable {
    /// The bytes at which a file is full. All of it is read when the agent starts: 8 MiB, some 4,000 logins, are read
    /// in a fraction of a second.
    public var fileBytes: Int64 = 8 << 20
    /// The seconds after which a file is full, so that a quiet host's files have an end that can be put away: 30 days.
    public var fileSeconds: UInt64 = 30 * 86_400
    /// The bytes that are kept in all: 512 MiB, over 200,000 logins, and little on any disk that holds a system.
    public var keptBytes: Int64 = 512 << 20
    /// The full files that are kept: more than a year of daily ones.
    public var keptFiles = 400

    public init() {}
}

/// The calls by which records become durable, so that each can be made to fail.
public struct RecordIO: Sendable {
    /// write(2): how many bytes were written, or -1 and errno.
    public var write: @Sendable (Int32, ArraySlice<UInt8>) -> Int = { number, bytes in
        unsafe bytes.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress, $0.count) }
    }
    /// fdatasync(2).
    public var sync: @Sendable (Int32) -> Int32 = { fdatasync($0) }
    /// ftruncate(2).
    public var truncate: @Sendable (Int32, Int64) -> Int32 = { ftruncate($0, off_t($1)) }

    public init() {}
}
