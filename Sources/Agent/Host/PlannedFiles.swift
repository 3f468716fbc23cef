// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A host's files as they will be once a plan is carried out; only for reading.
struct PlannedFiles: HostFiles {
    private let files: any HostFiles
    private var changes: [String: FileContent?] = [:]

    init(_ files: any HostFiles, after steps: [Plan.Step]) {
        self.files = files
        for step in steps {
            if case .file(let path, _, let after) = step.change { changes.updateValue(after, forKey: path) }
        }
    }

    func kind(_ path: String) throws(AgentError) -> FileKind? {
        if let change = changes[path] { return change == nil ? nil : .file }
        return try files.kind(path)
    }

    func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent? {
        if let change = changes[path] { return change }
        return try files.read(path, maximumBytes: maximumBytes)
    }

    func folder(_ path: String) throws(AgentError) -> FileAttributes? { try files.folder(path) }

    func list(_ path: String) throws(AgentError) -> [String]? {
        guard var names = try files.list(path) else { return nil }
        let prefix = path == "/" ? path : path + "/"
        for (changed, content) in changes where changed.hasPrefix(prefix) {
            let name = String(changed.dropFirst(prefix.count))
            guard !name.contains("/") else { continue }
            names.removeAll { $0 == name }
            if content != nil { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    func create(_ path: String, _ content: FileContent) throws(AgentError) { throw Self.readOnly(path) }
    func rename(_ from: String, to path: String) throws(AgentError) { throw Self.readOnly(path) }
    func remove(_ path: String) throws(AgentError) { throw Self.readOnly(path) }
    func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        throw Self.readOnly(path)
    }
    func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        throw Self.readOnly(path)
    }
    func removeFolder(_ path: String) throws(AgentError) { throw Self.readOnly(path) }

    private static func readOnly(_ path: String) -> AgentError {
        AgentError(.file, "\(path): a plan changes nothing")
    }
}
