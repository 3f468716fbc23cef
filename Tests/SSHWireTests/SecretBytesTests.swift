// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

@Suite struct SecretBytesTests {
    @Test(arguments: [0, 1, 15, 16, 4_096, 100_000]) func whatIsFilledInIsReadBack(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let secret = try secret(bytes)
        #expect(secret.count == count)
        #expect(exposed(secret) == bytes)
        #expect(secret.withSpan { [UInt8]($0) } == bytes)
    }

    @Test func lessThanTheCapacityMayBeFilledIn() throws {
        let secret = try unsafe SecretBytes(upTo: 100) { buffer throws(SSHWireError) in
            unsafe buffer[0] = 42
            return 1
        }
        #expect(exposed(secret) == [42])
    }

    @Test(arguments: [-1, 101]) func aNumberOfBytesThatCannotHaveBeenWrittenIsRefused(count: Int) {
        #expect(throws: SSHWireError(.invalidValue, "")) {
            try unsafe SecretBytes(upTo: 100) { _ throws(SSHWireError) in count }
        }
    }

    @Test func aNegativeSizeIsRefused() {
        #expect(throws: SSHWireError(.invalidValue, "")) { try unsafe SecretBytes(count: -1) { _ in } }
    }

    @Test func whatFillingThrowsComesOut() {
        #expect(throws: SSHWireError(.truncated, "")) {
            try unsafe SecretBytes(count: 1) { _ throws(SSHWireError) in throw SSHWireError(.truncated, "x") }
        }
    }

    @Test func manyThreadsReadWhileOthersCloseIt() throws {
        let secret = try secret(Array(0..<64))
        let expected: [UInt8] = Array(0..<64)
        let wrong = Locked(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<2_000 {
                secret.withSpan { outer in
                    // A borrow inside a borrow must not close the outer one.
                    let inner = secret.withSpan { [UInt8]($0) }
                    if inner != expected || [UInt8](outer) != expected { wrong.add(1) }
                }
            }
        }
        #expect(wrong.value == 0)
    }

    @Test(
        .disabled(
            if: Running.underAddressSanitizer || Running.underThreadSanitizer,
            "they answer the signal themselves"))
    func readingOutsideABorrowEndsTheProcess() throws {
        let folder = try PrivateKeyFolder()
        _ = try folder.keygen(["-t", "ed25519"])
        let result = try run(memoryProbe(), [folder.file("key"), "--read-closed"])
        #expect(result.signal == SIGSEGV, "\(result)")
        #expect(!result.stdoutText.contains("read"))
    }
}

/// A number behind a lock.
private final class Locked: @unchecked Sendable {
    private let lock = NSLock()
    private var number: Int
    init(_ number: Int) { self.number = number }
    func add(_ more: Int) { lock.withLock { number += more } }
    var value: Int { lock.withLock { number } }
}

/// The probe that was built beside the tests.
func memoryProbe() throws -> String {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(filePath: tests).deletingLastPathComponent().path + "/MemoryProbe"
}
