// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Where our lines of sshd's configuration go.
enum TrustPlacement: Sendable, Hashable {
    /// A file of our own in a folder that the main file includes, its path.
    case dropIn(String)
    /// A block in the main file, at its top; moved there when it stands elsewhere and something wins over it.
    case mainFile(moves: Bool)

    /// Its name is before all that people give their files, but for those that begin with a capital or `00-a…`.
    static let dropInName = "00-daypass.conf"

    /// Chooses the place.
    ///
    /// - Parameter keywords: ours, of which each must win.
    /// - Throws: `.file`, `.unsafeFile` for a folder that cannot be looked at.
    static func choose(
        _ configuration: SshdConfiguration, _ own: OwnLines, _ main: String, _ keywords: [String],
        _ files: any HostFiles
    ) throws(AgentError) -> TrustPlacement {
        let others = configuration.directives.enumerated().filter { _, directive in
            directive.conditions.isEmpty && !own.contain(directive)
                && keywords.contains { $0.lowercased() == directive.keyword }
        }
        let firstOther = others.first?.offset ?? .max
        if own.files.contains(main) {
            // What is in the main file stays there: nobody needs it to move.
            let start = configuration.directives.firstIndex { $0.file == main && own.contain($0) } ?? .max
            return .mainFile(moves: firstOther < start)
        }
        for inclusion in configuration.inclusions
        where inclusion.directive.depth == 0 && inclusion.directive.conditions.isEmpty {
            guard let (folder, path) = dropIn(inclusion.pattern), try files.folder(folder) != nil else {
                continue
            }
            let index =
                inclusion.files.firstIndex { !$0.utf8.lexicographicallyPrecedes(path.utf8) }
                ?? inclusion.files.count
            if inclusion.starts.indices.contains(index), inclusion.starts[index] <= firstOther {
                return .dropIn(path)
            }
        }
        return .mainFile(moves: true)
    }

    /// The folder and the path of our file, for patterns that would take it.
    private static func dropIn(_ pattern: String) -> (folder: String, path: String)? {
        let parts = pattern.split(separator: "/")
        guard let last = parts.last, parts.count > 1 else { return nil }
        let globs = parts.dropLast().map { GlobPattern($0.utf8) }
        guard globs.allSatisfy({ !$0.isMagic }), GlobPattern(last.utf8).matches(dropInName),
            GlobPattern(last.utf8).isMagic
        else { return nil }
        let folder = "/" + globs.map(\.literal).joined(separator: "/")
        return (folder, folder + "/" + dropInName)
    }
}
