// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// The folder of principals files, one an account.
public struct PrincipalsFolder: Sendable {
    /// A file of it.
    public struct Entry: Sendable, Hashable {
        /// The file's name.
        public let account: String
        /// Who may enter.
        public let principals: [ExactText]
        /// Lines that sshd reads otherwise than it seems, with their numbers.
        public let problems: [String]
    }

    private let files: any HostFiles
    private let layout: HostLayout

    public init(_ files: any HostFiles, _ layout: HostLayout) {
        self.files = files
        self.layout = layout
    }

    /// A principals file of these principals; each once.
    static func content(_ principals: [ExactText]) -> [UInt8] {
        var unique: [ExactText] = []
        for principal in principals where !unique.contains(principal) { unique.append(principal) }
        return Array(unique.map { $0.string + "\n" }.joined().utf8)
    }
}
