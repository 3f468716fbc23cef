// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0
// TEMPORARY
import CSodium
public final class SecretBytes: @unchecked Sendable {
    public let count: Int
    let p: UnsafeMutableRawPointer
    public init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(SSHWireError) -> Void)
        throws(SSHWireError)
    {
        self.count = count
        _ = sodium_init()
        guard let q = unsafe sodium_malloc(count) else { throw SSHWireError(.cryptoFailure, "memory") }
        unsafe p = q
        try unsafe fill(UnsafeMutableRawBufferPointer(start: p, count: count))
    }
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(start: p, count: count))
    }
    deinit { unsafe sodium_free(p) }
}
