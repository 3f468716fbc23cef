// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import Synchronization

/// A host's files in memory, all of them root's.
final class MemoryFiles: HostFiles {
    private struct State {
        var files: [String: FileContent] = [:]
        var folders: [String: FileAttributes] = [:]
        var maxima: [String: Int] = [:]
    }

    private let state = Mutex(State())

    /// - Parameter texts: files' contents by their paths; the folders above them are made.
    init(_ texts: [String: String] = [:]) {
        makeFolders(above: "/var/lib/daypass/x")
        makeFolders(above: "/etc/x")
        for (path, text) in texts { put(path, Array(text.utf8)) }
    }

    /// Writes a file, whatever is there.
    func put(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) {
        makeFolders(above: path)
        state.withLock { $0.files[path] = FileContent(bytes, FileAttributes(mode: mode)) }
    }

    /// The most bytes that a reader of this path would have taken; nil when nobody read.
    func largestRead(_ path: String) -> Int? { state.withLock { $0.maxima[path] } }

    func text(_ path: String) -> String? {
        state.withLock { $0.files[path].map { String(decoding: $0.bytes, as: UTF8.self) } }
    }

    /// Every file and folder, to compare.
    var everything: [String: FileContent] {
        state.withLock { state in
            state.files.merging(state.folders.map { ($0.key + "/", FileContent([], $0.value)) }) { one, _ in
                one
            }
        }
    }

    /// Carries out a plan.
    func apply(_ plan: Plan) throws(AgentError) {
        for step in plan.steps {
            switch step.change {
            case .folder(let path, nil, let attributes?): try makeFolder(path, attributes)
            case .folder(let path, _, let attributes?): try changeFolder(path, attributes)
            case .folder(let path, _, nil):
                if try list(path)?.isEmpty ?? false { try removeFolder(path) }
            case .file(let path, let before, let after):
                guard try read(path) == before else { throw AgentError(.busy, path) }
                if let after { try replace(path, after) } else { try remove(path) }
            }
        }
    }

    private func makeFolders(above path: String) {
        state.withLock { state in
            state.folders["/"] = FileAttributes(mode: 0o755)
            var folder = ""
            for part in path.split(separator: "/").dropLast() {
                folder += "/\(part)"
                if state.folders[folder] == nil { state.folders[folder] = FileAttributes(mode: 0o755) }
            }
        }
    }

    func kind(_ path: String) throws(AgentError) -> FileKind? {
        state.withLock { $0.files[path] != nil ? .file : $0.folders[path] != nil ? .folder : nil }
    }

    func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent? {
        state.withLock { state in
            state.maxima[path] = max(maximumBytes, state.maxima[path] ?? 0)
            return state.files[path]
        }
    }

    func folder(_ path: String) throws(AgentError) -> FileAttributes? { state.withLock { $0.folders[path] } }

    func list(_ path: String) throws(AgentError) -> [String]? {
        state.withLock { state in
            guard state.folders[path] != nil else { return nil }
            let prefix = path == "/" ? "/" : path + "/"
            return (Array(state.files.keys) + Array(state.folders.keys))
                .filter { $0.hasPrefix(prefix) && $0 != path && !$0.dropFirst(prefix.count).contains("/") }
                .map { String($0.dropFirst(prefix.count)) }.filter { !$0.isEmpty }.sorted()
        }
    }

    func create(_ path: String, _ content: FileContent) throws(AgentError) {
        guard try folder(Self.parent(path)) != nil, try kind(path) == nil else {
            throw AgentError(.file, path)
        }
        state.withLock { $0.files[path] = content }
    }

    func rename(_ from: String, to path: String) throws(AgentError) {
        state.withLock { $0.files[path] = $0.files.removeValue(forKey: from) }
    }

    func remove(_ path: String) throws(AgentError) { state.withLock { $0.files[path] = nil } }

    func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        guard try folder(Self.parent(path)) != nil, try kind(path) == nil else {
            throw AgentError(.file, path)
        }
        state.withLock { $0.folders[path] = attributes }
    }

    func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        state.withLock { $0.folders[path] = attributes }
    }

    func removeFolder(_ path: String) throws(AgentError) { state.withLock { $0.folders[path] = nil } }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}

/// An sshd that says what it is told to say.
struct SaidSettings: ProgramRunner {
    let output: String

    func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
    {
        ProgramResult(status: 0, output: Array(output.utf8), errors: [])
    }
}
