// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// One of the agent's own commands, run beside its loop now and then: what takes programs must not make a login wait.
final class OwnCommand {
    /// What a run may say at most, in bytes; more is read and left out.
    static let maximumBytes = 1 << 20

    private let program: String
    private let arguments: [String]
    private var running: RunningProgram?
    private var output: [UInt8] = []

    /// - Parameter program: an absolute path.
    init(_ program: String, _ arguments: [String]) {
        self.program = program
        self.arguments = arguments
    }

    /// Where its output comes from while it runs.
    var descriptors: [Int32] {
        switch running {
        case .some(let program): [program.output.number]
        case .none: []
        }
    }

    var isRunning: Bool { !descriptors.isEmpty }

    func start() throws(AgentError) {
        output = []
        running = try RunningProgram(program, arguments)
    }

    /// Reads what has come.
    ///
    /// - Returns: all that it said, once it has ended.
    func read() -> [UInt8]? {
        guard let number = descriptors.first else { return nil }
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        let count = unsafe Glibc.read(number, &chunk, chunk.count)
        if count > 0, output.count < Self.maximumBytes { output += chunk[..<count] }
        guard count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) else { return nil }
        running = nil
        return output
    }
}
