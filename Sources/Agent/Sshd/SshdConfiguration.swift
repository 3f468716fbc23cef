// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// sshd's configuration as it reads it: the main file, and where an `Include` stands the files that it names.
public struct SshdConfiguration: Sendable {
    /// A line, and where it stands.
    public struct Directive: Sendable, Hashable {
        /// In lower case.
        public let keyword: String
        public let arguments: [String]
        /// The file's absolute path.
        public let file: String
        /// Its line there, from 1.
        public let line: Int
        /// What must hold for it to count: one `Match` line, or several where a file is included within another's
        /// block. Empty for a line that counts always.
        public let conditions: [Condition]
        /// How many files of `Include` are around it; 0 in the main file.
        public let depth: Int

        /// The arguments, one blank between them.
        public var value: String { arguments.joined(separator: " ") }
        /// "file line n", escaped.
        public var place: String { "\(file.escapedForTerminal) line \(line)" }
    }

    /// A `Match` line.
    public struct Condition: Sendable, Hashable {
        /// What stands behind `Match`.
        public let arguments: [String]
        public let file: String
        public let line: Int

        /// True for `Match all`.
        public var isAll: Bool { arguments.first?.lowercased() == "all" }
        /// "match user backup", as people write it.
        public var text: String { "Match " + arguments.joined(separator: " ") }
    }

    /// One pattern of an `Include`.
    public struct Inclusion: Sendable, Hashable {
        /// The line that it stands on.
        public let directive: Directive
        /// An absolute path, perhaps a pattern.
        public let pattern: String
        /// The files that it names now, in sshd's order.
        public let files: [String]
        /// How many directives stand before those of each file, and before what follows the last.
        public internal(set) var starts: [Int]
    }

    /// Every line in the order in which sshd meets it, those with `Include` and `Match` too.
    public private(set) var directives: [Directive] = []
    /// Every pattern of an `Include`, in the same order.
    public private(set) var inclusions: [Inclusion] = []
    /// Every file that was read, the main one first; a file that is included twice stands here once.
    public private(set) var filePaths: [String] = []
    private var contents: [String: FileContent] = [:]

    /// How deep files may include files (servconf.h, SERVCONF_MAX_DEPTH).
    static let maximumDepth = 16
    /// The most lines of all files together.
    static let maximumDirectives = 1 << 18
    /// Where relative paths of `Include` start, whatever the main file is (SSHDIR).
    public static let systemFolder = "/etc/ssh"

    /// Reads a configuration.
    ///
    /// - Parameter systemFolder: where relative paths of `Include` start.
    /// - Throws: `.sshd` for what makes sshd refuse it, `.file` for a file that is not there or cannot be read,
    ///   `.unsafeFile` for one that is reached through a link.
    public init(
        reading file: String, from files: any HostFiles, systemFolder: String = SshdConfiguration.systemFolder
    ) throws(AgentError) {
        var active: [Condition] = []
        try read(file, files, systemFolder, &active, depth: 0)
    }

    /// The content and attributes of a file that was read.
    public func content(of file: String) -> FileContent? { contents[file] }

    private mutating func read(
        _ file: String, _ files: any HostFiles, _ systemFolder: String, _ conditions: inout [Condition],
        depth: Int
    ) throws(AgentError) {
        guard depth <= Self.maximumDepth else {
            throw AgentError(
                .sshd, "\(file.escapedForTerminal): files include each other over \(Self.maximumDepth) deep")
        }
        let content: FileContent
        if let known = contents[file] {
            content = known
        } else {
            guard let found = try files.read(file) else {
                throw AgentError(
                    .file, "\(file.escapedForTerminal) does not exist",
                    hint: depth == 0 ? "--sshd-config names sshd's configuration" : nil)
            }
            content = found
            contents[file] = found
            filePaths.append(file)
        }
        let outer = conditions
        for line in try ConfigurationLine.parse(content.bytes, name: file) {
            guard directives.count < Self.maximumDirectives else {
                throw AgentError(
                    .sshd, "\(file.escapedForTerminal): over \(Self.maximumDirectives) lines in all")
            }
            if line.keyword == "match" {
                // A Match line ends the block before it, but not the one around the file.
                conditions = outer + [Condition(arguments: line.arguments, file: file, line: line.number)]
            }
            let directive = Directive(
                keyword: line.keyword, arguments: line.arguments, file: file, line: line.number,
                conditions: conditions, depth: depth)
            directives.append(directive)
            guard line.keyword == "include" else { continue }
            for argument in line.arguments {
                // sshd doesn't expand "~" here, and nothing is called so.
                if argument.hasPrefix("~") { continue }
                let pattern = argument.hasPrefix("/") ? argument : "\(systemFolder)/\(argument)"
                let found = try Self.expand(pattern, files)
                inclusions.append(
                    Inclusion(directive: directive, pattern: pattern, files: found, starts: []))
                let inclusion = inclusions.count - 1
                for path in found {
                    inclusions[inclusion].starts.append(directives.count)
                    // A block that a file opens ends with the file.
                    var inner = conditions
                    try read(path, files, systemFolder, &inner, depth: depth + 1)
                }
                inclusions[inclusion].starts.append(directives.count)
            }
        }
    }

    /// The files that a pattern names, sorted by their bytes, as sshd's glob(3) does.
    static func expand(_ pattern: String, _ files: any HostFiles) throws(AgentError) -> [String] {
        var paths = [""]
        let parts = pattern.split(separator: "/")
        for (index, part) in parts.enumerated() {
            let glob = GlobPattern(part.utf8)
            let isLast = index == parts.count - 1
            var next: [String] = []
            for path in paths {
                guard glob.isMagic else {
                    next.append("\(path)/\(glob.literal)")
                    continue
                }
                let kind = path.isEmpty ? .folder : try files.kind(path)
                if kind == nil || kind == .file { continue }
                guard kind == .folder else {
                    throw AgentError(
                        .unsafeFile,
                        "\(path.escapedForTerminal): a symbolic link or no folder, which is not followed",
                        hint: "name the real path in Include")
                }
                for name in try files.list(path.isEmpty ? "/" : path) ?? [] where glob.matches(name) {
                    let found = "\(path)/\(name)"
                    // What more is asked for below a file is not there.
                    if !isLast, try files.kind(found) == .file { continue }
                    next.append(found)
                }
            }
            guard next.count <= maximumFiles else {
                throw AgentError(.sshd, "\(pattern.escapedForTerminal): it names over \(maximumFiles) files")
            }
            paths = next
            if isLast {
                var existing: [String] = []
                for path in paths {
                    // sshd opens a folder too, and finds no line in it.
                    if let kind = try files.kind(path), kind != .folder { existing.append(path) }
                }
                paths = existing
            }
        }
        return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The most files of one `Include`.
    static let maximumFiles = 4_096
}

extension SshdConfiguration {
    /// The lines with a keyword, in sshd's order.
    public func all(_ keyword: String) -> [Directive] {
        let keyword = keyword.lowercased()
        return directives.filter { $0.keyword == keyword }
    }

    /// The line that gives a keyword its value for a connection of which nothing is known: the first in a block that
    /// holds for everybody, else the first outside of blocks. nil leaves sshd's default.
    ///
    /// For keywords that `Match` blocks may hold and that have one value.
    public func winner(_ keyword: String) -> Directive? {
        let lines = all(keyword)
        // What a block says replaces what was said outside of blocks (servconf.c, parse_server_match_config).
        return lines.first { !$0.conditions.isEmpty && $0.conditions.allSatisfy(\.isAll) }
            ?? lines.first(where: \.conditions.isEmpty)
    }
}
