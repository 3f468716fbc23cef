// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The file operations of the agent, so that each can be made to fail.
///
/// No operation follows a symbolic link, in no part of a path, and none touches a file with several hard links. What
/// is written is complete or not there: a file gets its content, owner, mode and label under another name, is synced,
/// and is moved to its place in one step.
public protocol HostFiles: Sendable {
    /// What is at a path; nil when nothing is.
    func kind(_ path: String) throws(AgentError) -> FileKind?

    /// A regular file's content and attributes; nil when nothing is there.
    ///
    /// - Throws: `.unsafeFile` for anything else than a regular file with one name, `.file` over `maximumBytes`.
    func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent?

    /// A folder's attributes; nil when nothing is there.
    func folder(_ path: String) throws(AgentError) -> FileAttributes?

    /// The names in a folder, sorted by their bytes, without "." and ".."; nil when there is no folder.
    func list(_ path: String) throws(AgentError) -> [String]?

    /// Writes and syncs a file that does not exist yet.
    func create(_ path: String, _ content: FileContent) throws(AgentError)

    /// Moves a file over another one or to a free place, in the same folder, and syncs the folder.
    func rename(_ from: String, to path: String) throws(AgentError)

    /// Removes a file and syncs its folder; nothing happens when there is none.
    func remove(_ path: String) throws(AgentError)

    /// Makes a folder whose parent is there.
    func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError)

    /// Gives a folder that is there other attributes, and syncs it.
    func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError)

    /// Removes an empty folder; nothing happens when there is none.
    func removeFolder(_ path: String) throws(AgentError)
}

extension HostFiles {
    /// What a configuration file of sshd, a list of keys or a principals file may have at most.
    public static var maximumBytes: Int { 16 << 20 }

    /// A regular file's content and attributes; nil when nothing is there.
    public func read(_ path: String) throws(AgentError) -> FileContent? {
        try read(path, maximumBytes: Self.maximumBytes)
    }

    /// Replaces or creates a file in one step.
    public func replace(_ path: String, _ content: FileContent) throws(AgentError) {
        let staged = stagedName(path)
        try remove(staged)
        try create(staged, content)
        do throws(AgentError) {
            try rename(staged, to: path)
        } catch {
            try? remove(staged)
            throw error
        }
    }
}

/// Where a file's next content waits: beside it, under a name that neither sshd's `Include *.conf` nor run-parts takes.
///
/// The name is fixed, so that what a killed process left is found and removed.
public func stagedName(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return ".\(path).daypass-new" }
    return "\(path[...slash]).\(path[path.index(after: slash)...]).daypass-new"
}
