// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SSHWire

/// What a program left behind.
public struct ProgramResult: Sendable {
    /// The exit code; 128 plus the signal's number when a signal ended it.
    public let status: Int32
    public let output: [UInt8]
    public let errors: [UInt8]

    public init(status: Int32, output: [UInt8], errors: [UInt8]) {
        self.status = status
        self.output = output
        self.errors = errors
    }

    public var succeeded: Bool { status == 0 }
    public var outputText: String { String(decoding: output, as: UTF8.self) }
    /// What it said on standard error, one line, escaped.
    public var complaint: String {
        String(decoding: errors, as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "; ")
            .escapedForTerminal
    }
}

/// Runs another program with a vector of arguments; no shell is involved.
public protocol ProgramRunner: Sendable {
    /// Runs `path` to its end.
    ///
    /// - Parameters:
    ///   - input: what it reads from standard input.
    ///   - seconds: after which it is killed.
    /// - Throws: `.program` when it cannot be started, takes too long or says too much. Another status than 0 is a
    ///   result.
    func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
}

extension ProgramRunner {
    public func run(_ path: String, _ arguments: [String], seconds: Int = 30) throws(AgentError)
        -> ProgramResult
    {
        try run(path, arguments, input: [], seconds: seconds)
    }
}

/// The machine's own programs, with a small fixed environment.
public struct SystemPrograms: ProgramRunner {
    /// The most that a program may say, in bytes.
    static let maximumBytes = 16 << 20

    public init() {}

    public func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
    {
        guard path.hasPrefix("/") else {
            throw AgentError(.program, "\(path.escapedForTerminal): an absolute path expected")
        }
        let (stdin, stdout, stderr) = (try Pipe(), try Pipe(), try Pipe())
        let pid = try spawn(path, arguments, stdin.reader, stdout.writer, stderr.writer)
        for end in [stdin.reader, stdout.writer, stderr.writer] { close(end) }
        var streams = Streams(
            input: stdin.writer, output: stdout.reader, errors: stderr.reader, pending: input)
        let isComplete = streams.exchange(milliseconds: seconds * 1_000)
        streams.close()
        if !isComplete { kill(pid, SIGKILL) }
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard isComplete else {
            throw AgentError(
                .program, "\(path.escapedForTerminal): not done after \(seconds) s, or said too much; killed")
        }
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        return ProgramResult(status: code, output: streams.outputBytes, errors: streams.errorBytes)
    }

    private func spawn(
        _ path: String, _ arguments: [String], _ stdin: Int32, _ stdout: Int32, _ stderr: Int32
    ) throws(AgentError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (index, number) in [stdin, stdout, stderr].enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, number, Int32(index))
        }
        do throws(AgentError) {
            return try unsafe Agent.spawn(path, arguments, &actions)
        } catch {
            for end in [stdin, stdout, stderr] { close(end) }
            throw error
        }
    }
}

/// Both ends of a pipe, closed in children, away from the standard numbers.
private struct Pipe {
    let reader, writer: Int32

    init() throws(AgentError) {
        var ends: [Int32] = [0, 0]
        guard unsafe daypass_pipe(&ends, O_CLOEXEC) == 0 else { throw .system("cannot make", "a pipe") }
        // dup2 onto itself would leave the close-on-exec flag, so no end may be one of the standard numbers.
        for index in 0..<2 where ends[index] <= 2 {
            let moved = fcntl(ends[index], F_DUPFD_CLOEXEC, 3)
            close(ends[index])
            ends[index] = moved
        }
        (reader, writer) = (ends[0], ends[1])
    }
}

/// Feeds a program's input and drains its outputs at the same time, so that neither side waits for the other.
private struct Streams {
    var input, output, errors: Int32
    var pending: [UInt8]
    var outputBytes: [UInt8] = []
    var errorBytes: [UInt8] = []

    init(input: Int32, output: Int32, errors: Int32, pending: [UInt8]) {
        (self.input, self.output, self.errors, self.pending) = (input, output, errors, pending)
        for number in [input, output, errors] { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
    }

    /// - Returns: false when the time is over or there is too much output.
    mutating func exchange(milliseconds: Int) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while output >= 0 || errors >= 0 {
            if pending.isEmpty, input >= 0 {
                Glibc.close(input)
                input = -1
            }
            let rest = deadline - .now
            guard rest > .zero else { return false }
            var polled = [
                pollfd(fd: input, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
            ]
            let wait = Int32(clamping: rest.components.seconds * 1_000 + 1_000)
            guard unsafe poll(&polled, 3, min(wait, 1_000)) >= 0 || errno == EINTR else { return false }
            if polled[0].revents != 0 { feed() }
            if polled[1].revents != 0, !Self.drain(output, &chunk, into: &outputBytes) {
                Glibc.close(output)
                output = -1
            }
            if polled[2].revents != 0, !Self.drain(errors, &chunk, into: &errorBytes) {
                Glibc.close(errors)
                errors = -1
            }
            guard outputBytes.count + errorBytes.count <= SystemPrograms.maximumBytes else { return false }
        }
        return true
    }

    private mutating func feed() {
        let count = unsafe write(input, pending, pending.count)
        if count > 0 { pending.removeFirst(count) }
        // It closed its input: what it did not want is nobody's business.
        if count < 0, errno != EAGAIN, errno != EINTR { pending = [] }
    }

    /// - Returns: false at the end.
    private static func drain(_ number: Int32, _ chunk: inout [UInt8], into bytes: inout [UInt8]) -> Bool {
        let count = unsafe read(number, &chunk, chunk.count)
        if count > 0 { bytes += chunk[..<count] }
        return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))
    }

    func close() {
        for number in [input, output, errors] where number >= 0 { Glibc.close(number) }
    }
}
