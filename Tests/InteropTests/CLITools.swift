// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A folder that is somebody's home, and the built program run in it. With a CA it is in `.daypass`.
struct CLITools {
    let folder: TemporaryFolder

    /// A home without a CA.
    init() throws { folder = try TemporaryFolder() }

    /// A home with a CA and a key pair, `id` and `id.pub`; a copy of one that was made once, as every test changes its
    /// own.
    static func withCA() throws -> CLITools {
        let tools = try CLITools()
        let original = try Self.original.get()
        for name in [".daypass", "id", "id.pub"] {
            try FileManager.default.copyItem(
                atPath: original.folder.path(name), toPath: tools.folder.path(name))
        }
        return tools
    }

    private static let original = Result {
        let tools = try CLITools()
        try tools.daypass(["ca", "init", "--no-passphrase"]).orThrow("ca init")
        try tools.makeKey("id")
        return tools
    }

    /// What programs are given to run in this home.
    var environment: [String: String] { Tool.environment(adding: ["HOME": folder.path, "TZ": "UTC"]) }

    /// Runs daypass there.
    func daypass(
        _ arguments: [String], stdin: [UInt8]? = nil, environment added: [String: String] = [:]
    ) throws -> ToolResult {
        try Tool.run(
            try BuiltProduct.path("daypass"), arguments, stdin: stdin,
            environment: environment.merging(added) { $1 }, in: folder.path)
    }

    /// Runs another program there, to its end and without an error.
    @discardableResult
    func run(_ program: String, _ arguments: [String], environment added: [String: String] = [:]) throws
        -> ToolResult
    {
        try Tool.run(
            program, arguments, environment: environment.merging(added) { $1 }, in: folder.path
        ).orThrow("\(program) \(arguments)")
    }

    /// Makes a key pair with ssh-keygen.
    func makeKey(_ name: String, _ options: [String] = ["-t", "ed25519"], passphrase: String = "") throws {
        try run("ssh-keygen", ["-q", "-N", passphrase, "-C", "\(name)@example", "-f", name] + options)
    }

    /// What ssh-keygen says about a certificate, line by line.
    func certificateLines(_ name: String) throws -> [String] {
        try run("ssh-keygen", ["-L", "-f", name]).stdoutText.split(separator: "\n").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
    }

    /// Issues a user certificate on `id.pub` to `id-cert.pub`.
    @discardableResult
    func issue(_ more: [String] = [], key: String = "id.pub") throws -> ToolResult {
        try daypass(["issue", "user", "--key", key, "--identity", "al", "--principal", "deploy"] + more)
    }

    /// Everything in the log.
    func log() throws -> [LoggedEntry] {
        let result = try daypass(["log", "list", "--limit", "0", "--format", "json"]).orThrow("log list")
        return try decode([LoggedEntry].self, result)
    }

    /// A result in JSON.
    func decode<Value: Decodable>(_ type: Value.Type, _ result: ToolResult) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(result.stdout))
    }

    /// The names in a folder, hidden ones too.
    func names(in name: String = ".") throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.path(name)))
    }

    /// Every file of the CA with its content.
    func authorityFiles() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try names(in: ".daypass") { files[name] = try folder.read(".daypass/\(name)") }
        return files
    }

    /// Runs Python with text for `-c`, and arguments.
    func python(_ script: String, _ arguments: [String] = []) throws -> ToolResult {
        try Tool.run(
            try PythonScript.program.get(), ["-c", script] + arguments, environment: environment,
            in: folder.path)
    }
}

/// An entry of `log list --format json`, by its documented names.
struct LoggedEntry: Decodable, Equatable {
    let index: UInt64
    let time, requester, event, summary: String
    let serial, keyId, validAfter, validBefore, fingerprint, authority: String?
    let principals, reasons: [String]?
}

/// One result of `issue --format json`.
struct IssuedReport: Decodable {
    let key: String
    let certificate, serial, keyId, validAfter, validBefore: String?
    let logIndex: UInt64?
    let refused: [String]?
}

/// Python, for terminals and for other people's hands on the database.
enum PythonScript {
    static let program = Result { try Tool.find("python3") }
    static let isInstalled = (try? program.get()) != nil
}

/// Expects an end with this exit code and just these lines on standard error, and no result.
func expectFailure(
    _ result: ToolResult, _ status: Int32, _ error: String, hint: String? = nil,
    _ location: SourceLocation = #_sourceLocation
) {
    #expect(result.status == status, "\(result)", sourceLocation: location)
    #expect(
        result.stderrText == "error: \(error)\n" + (hint.map { "hint: \($0)\n" } ?? ""),
        sourceLocation: location)
    #expect(result.stdout.isEmpty, "\(result)", sourceLocation: location)
}
