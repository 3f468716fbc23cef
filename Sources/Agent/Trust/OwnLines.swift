// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Which lines of sshd's configuration are ours.
struct OwnLines {
    private var blocks: [String: ClosedRange<Int>] = [:]

    /// - Throws: `.conflict` for marks that are not a pair.
    init(_ configuration: SshdConfiguration) throws(AgentError) {
        for file in configuration.filePaths {
            guard let content = configuration.content(of: file) else { continue }
            if let place = try TrustBlock.find(in: content.bytes, name: file) { blocks[file] = place.lines }
        }
    }

    /// The files that hold a block of ours.
    var files: [String] { blocks.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    func contain(_ directive: SshdConfiguration.Directive) -> Bool {
        blocks[directive.file]?.contains(directive.line) ?? false
    }
}
