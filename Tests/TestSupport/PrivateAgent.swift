// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A real ssh-agent of one test's own, on a socket in a folder of its own.
public final class PrivateAgent: Sendable {
    /// The socket's path, for `SSH_AUTH_SOCK`.
    public let socket: String
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts an agent and waits until it answers.
    ///
    /// - Parameters:
    ///   - options: further arguments of ssh-agent(1), such as `-t 60`.
    ///   - added: variables for the agent and the helpers that it starts.
    /// - Throws: ``TestSupportError`` with what the agent said.
    public init(options: [String] = [], environment added: [String: String] = [:]) throws {
        folder = try TemporaryFolder()
        socket = folder.path("agent")
        process = try ChildProcess(
            Tool.find("ssh-agent"), ["-D", "-a", socket] + options,
            environment: Tool.environment(adding: added), log: folder.path("log"))
        let deadline = Deadline(after: .seconds(10))
        while !LocalSocket.isAnswering(path: socket) {
            let ended = process.wait(for: .milliseconds(2))
            guard ended == nil, !deadline.hasPassed else {
                let log = try folder.readText("log")
                throw TestSupportError(
                    "ssh-agent does not answer (\(ended.map { "\($0)" } ?? "runs")): \(log)")
            }
        }
    }

    deinit { stop() }

    /// The environment of a program that is to find this agent.
    public var environment: [String: String] { Tool.environment(adding: ["SSH_AUTH_SOCK": socket]) }

    /// The agent's process, for tests that stop or kill it themselves.
    public var pid: Int32 { process.pid }

    /// Ends the agent; what it held is gone.
    public func stop() { process.stop() }
}
