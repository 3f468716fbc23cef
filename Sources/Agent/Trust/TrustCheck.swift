// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// One thing that was compared with what install left, and what was found.
public struct TrustCheck: Sendable, Hashable {
    /// The setting of sshd, or what the file is for.
    public let subject: String
    /// The file that it is in.
    public let file: String?
    /// The line there.
    public let line: Int?
    /// What is otherwise than it should be: one line, escaped; nil when nothing is.
    public let problem: String?

    init(_ subject: String, _ file: String? = nil, line: Int? = nil, problem: String? = nil) {
        self.subject = subject
        self.file = file
        self.line = line
        self.problem = problem
    }

    /// For programs: `setting`, `file`, `line`, `problem`, null where there is none.
    public var json: JSONValue {
        .object([
            .init("setting", .string(subject)), .init("file", file.map { .string($0) } ?? .null),
            .init("line", line.map { .number(Int64($0)) } ?? .null),
            .init("problem", problem.map { .string($0) } ?? .null),
        ])
    }
}
