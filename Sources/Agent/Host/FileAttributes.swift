// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Who owns a file and who may use it.
public struct FileAttributes: Sendable, Hashable {
    /// Permission bits, at most 0o7777.
    public var mode: UInt32
    public var owner: UInt32
    public var group: UInt32
    /// The `security.selinux` attribute as it is stored, without its last NUL; nil where there is none.
    public var securityLabel: [UInt8]?

    public init(mode: UInt32, owner: UInt32 = 0, group: UInt32 = 0, securityLabel: [UInt8]? = nil) {
        self.mode = mode
        self.owner = owner
        self.group = group
        self.securityLabel = securityLabel
    }
}

/// A regular file as it is, or as it is to be.
public struct FileContent: Sendable, Hashable {
    public var bytes: [UInt8]
    public var attributes: FileAttributes

    public init(_ bytes: [UInt8], _ attributes: FileAttributes) {
        self.bytes = bytes
        self.attributes = attributes
    }
}

/// What stands at a path, links not followed.
public enum FileKind: Sendable, Hashable {
    case file
    case folder
    case other
}
