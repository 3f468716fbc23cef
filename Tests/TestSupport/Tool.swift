// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a program left behind: how it ended and every byte that it wrote.
public struct ToolResult: Sendable, CustomStringConvertible {
    /// The exit code; 128 plus the signal's number when a signal ended it, as shells count.
    public let status: Int32
    /// The signal that ended it, if one did.
    public let signal: Int32?
    public let stdout: [UInt8]
    public let stderr: [UInt8]

    /// True when it returned 0.
    public var succeeded: Bool { status == 0 }
    /// Standard output as text; bytes that are not UTF-8 become replacement characters.
    public var stdoutText: String { String(decoding: stdout, as: UTF8.self) }
    /// Standard error as text; bytes that are not UTF-8 become replacement characters.
    public var stderrText: String { String(decoding: stderr, as: UTF8.self) }

    public var description: String { "status \(status)\nstdout: \(stdoutText)\nstderr: \(stderrText)" }

    /// The result itself when it returned 0, for steps that a test cannot go on without.
    ///
    /// - Throws: ``TestSupportError`` with all that the program said.
    @discardableResult
    public func orThrow(_ what: String) throws -> ToolResult {
        guard succeeded else { throw TestSupportError("\(what): \(self)") }
        return self
    }
}

/// Runs the real programs that tests talk to.
public enum Tool {
    /// The most that a program may write to its output or its errors, in bytes, before it is ended.
    public static let maximumOutputBytes = 64 << 20

    /// Where system programs are that an ordinary user's search path leaves out.
    private static let systemFolders = [
        "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin",
    ]

    /// The absolute path of a program, from the search path and then the system's folders.
    ///
    /// - Throws: ``TestSupportError`` when it is nowhere.
    public static func find(_ name: String) throws -> String {
        let searched = environmentValue("PATH")?.split(separator: ":").map(String.init) ?? []
        for folder in searched + systemFolders where folder.hasPrefix("/") {
            let path = "\(folder)/\(name)"
            if unsafe access(path, X_OK) == 0 { return path }
        }
        throw TestSupportError("\(name) is not installed: run scripts/setup")
    }

    /// The environment that programs get: the caller's own, without what would make a test depend on who runs it
    /// (an agent, a way to ask for passphrases, a CA folder).
    public static func environment(adding added: [String: String] = [:]) -> [String: String] {
        var variables = ownEnvironment()
        for name in [
            "SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY",
            "WAYLAND_DISPLAY",
            "DAYPASS_HOME",
        ] { variables[name] = nil }
        return variables.merging(added) { $1 }
    }

    /// Runs a program to its end with a vector of arguments, and waits for it; no shell is involved.
    ///
    /// It reads its input and both outputs at the same time, so neither side can wait for the other over a full
    /// pipe. Whatever the program leaves running in its process group is killed when it has ended. The calling
    /// thread is blocked meanwhile.
    ///
    /// - Parameters:
    ///   - path: a path, or a bare name for ``find(_:)``.
    ///   - stdin: all of its input; `nil` is /dev/null. What it doesn't read is dropped.
    ///   - environment: the whole environment; `nil` is ``environment(adding:)`` with nothing added.
    ///   - folder: where it starts; `nil` is the current folder.
    ///   - timeout: after which it and everything below it is killed.
    /// - Throws: ``TestSupportError`` when it cannot be started, runs too long or writes too much. Returning a
    ///   code other than 0 is a result.
    public static func run(
        _ path: String, _ arguments: [String], stdin: [UInt8]? = nil, environment: [String: String]? = nil,
        in folder: String? = nil, timeout: Duration = .seconds(60)
    ) throws -> ToolResult {
        let program = path.utf8.contains(UInt8(ascii: "/")) ? path : try find(path)
        let spawn = Spawn(
            path: program, arguments: arguments, environment: environment ?? Self.environment(),
            folder: folder)
        let streams = try ToolStreams(spawn, input: stdin)
        return try streams.finish(
            command: ([path] + arguments).joined(separator: " "), timeout: timeout)
    }

    private static func environmentValue(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
