// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What install wrote, and what was there before: `trust.originals`, from which `remove` restores and `status` judges.
struct TrustRecord: Sendable, Hashable {
    /// One file.
    struct File: Sendable, Hashable {
        enum Kind: String, Sendable {
            /// All of it is ours.
            case whole
            /// Ours are the lines of a block: sshd's settings, or the session hook.
            case settingsBlock, hookBlock
        }

        var path: String
        var kind: Kind
        /// What was there; nil when nothing was.
        var original: FileContent?
        /// SHA-256 of the content that was written.
        var sha256: [UInt8]
        /// Our block in it, with its marks; nil for whole files.
        var block: String?
        /// The owner and mode that it was written with.
        var attributes: FileAttributes
    }

    /// Every file that we wrote.
    var files: [File] = []
    /// The folders that we made.
    var folders: [String] = []
    /// What `sshd -T` must show.
    var settings: [Setting] = []
    /// The version of the revocation list that was installed last.
    var revocationVersion: UInt64 = 0

    struct Setting: Sendable, Hashable {
        var keyword: String
        var value: String
    }

    subscript(_ path: String) -> File? {
        get { files.first { $0.path == path } }
        set {
            let index = files.firstIndex { $0.path == path }
            switch (index, newValue) {
            case (let index?, let file?): files[index] = file
            case (let index?, nil): files.remove(at: index)
            case (nil, let file?): files.append(file)
            case (nil, nil): break
            }
        }
    }

    /// The most bytes of an original that are kept: a configuration of sshd has a few thousand.
    static let maximumOriginalBytes = 1 << 20
    /// The most bytes of the record.
    static let maximumBytes = 16 << 20
    /// The most files in it: a principals file for each account.
    static let maximumFiles = 1 << 16
}
