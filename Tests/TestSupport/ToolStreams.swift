// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension Tool {
    static func ownEnvironment() -> [String: String] { ProcessInfo.processInfo.environment }
}

/// A running program together with our ends of its three pipes.
struct ToolStreams: ~Copyable {
    private let process: ChildProcess
    private let output: Descriptor
    private let errors: Descriptor
    private var input: Descriptor?
    private var pending: ArraySlice<UInt8>

    /// Writing to a program that has gone is an error to look at here, not a reason for the test run to die.
    private static let brokenPipesAreErrors: Void = { _ = Foundation.signal(SIGPIPE, SIG_IGN) }()

    init(_ spawn: Spawn, input bytes: [UInt8]?) throws {
        Self.brokenPipesAreErrors
        let stdout = try Descriptor.pipe()
        let stderr = try Descriptor.pipe()
        if let bytes {
            let stdin = try Descriptor.pipe()
            process = try ChildProcess(
                spawn, stdin: stdin.reader.number, stdout: stdout.writer.number, stderr: stderr.writer.number)
            stdin.writer.setNonblocking()
            input = .some(stdin.writer)
            pending = bytes[...]
        } else {
            let null = try Descriptor.open("/dev/null", O_RDONLY)
            process = try ChildProcess(
                spawn, stdin: null.number, stdout: stdout.writer.number, stderr: stderr.writer.number)
            input = nil
            pending = []
        }
        output = stdout.reader
        errors = stderr.reader
        output.setNonblocking()
        errors.setNonblocking()
    }

    /// Feeds and drains the pipes until the program has ended; ``Tool/run(_:_:stdin:environment:in:timeout:)``.
    consuming func finish(command: String, timeout: Duration) throws -> ToolResult {
        let deadline = Deadline(after: timeout)
        var stdout = Collected()
        var stderr = Collected()
        while true {
            if pending.isEmpty { input = nil }
            // A negative number tells poll(2) to leave the entry alone.
            let events = waitForEvents(
                on: [
                    (process.exitSignal, Int32(POLLIN)),
                    (stdout.isAtEnd ? -1 : output.number, Int32(POLLIN)),
                    (stderr.isAtEnd ? -1 : errors.number, Int32(POLLIN)),
                    (inputNumber, Int32(POLLOUT)),
                ], milliseconds: deadline.milliseconds)
            if events[1] != 0 { stdout.drain(output.number) }
            if events[2] != 0 { stderr.drain(errors.number) }
            if events[3] != 0 { writePending() }
            if events[0] != 0 { break }
            if stdout.isTooLong || stderr.isTooLong {
                process.stop()
                throw TestSupportError("\(command): wrote more than \(Tool.maximumOutputBytes) bytes")
            }
            if deadline.hasPassed {
                process.stop()
                throw TestSupportError(
                    "\(command): still running after \(timeout)\nstdout: \(stdout)\nstderr: \(stderr)")
            }
        }
        // All that it wrote is in the pipes by now. They may have other writers that live on, so end-of-file is
        // not waited for.
        stdout.drain(output.number)
        stderr.drain(errors.number)
        switch process.stop() {
        case .exited(let code):
            return ToolResult(status: code, signal: nil, stdout: stdout.bytes, stderr: stderr.bytes)
        case .signalled(let signal):
            return ToolResult(
                status: 128 + signal, signal: signal, stdout: stdout.bytes, stderr: stderr.bytes)
        }
    }

    private var inputNumber: Int32 {
        switch input {
        case .some(let descriptor): descriptor.number
        case .none: -1
        }
    }

    private mutating func writePending() {
        let number = inputNumber
        let written = unsafe pending.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
        if written > 0 {
            pending = pending.dropFirst(written)
        } else if written < 0, errno != EAGAIN, errno != EINTR {
            pending = []  // It closed its input: what it did not want is nobody's business.
        }
    }
}

/// What came out of one pipe so far.
private struct Collected: CustomStringConvertible {
    private(set) var bytes: [UInt8] = []
    private(set) var isAtEnd = false

    var isTooLong: Bool { bytes.count > Tool.maximumOutputBytes }
    var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Takes what is there now, without waiting for more.
    mutating func drain(_ descriptor: Int32) {
        while !isAtEnd, !isTooLong {
            let before = bytes.count
            // Nobody but the kernel fills the room, so it is not set to zero first.
            let chunk = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = unsafe max(0, read(descriptor, buffer.baseAddress, buffer.count))
                if count == 0 { isAtEnd = errno != EAGAIN && errno != EINTR }
            }
            bytes += chunk
            if bytes.count == before { return }
        }
    }
}
