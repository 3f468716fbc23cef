// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The file of principals that may enter an account.
enum PrincipalsFile {
    /// What 4,096 principals of 255 bytes take, with room to spare.
    private static let maximumBytes = 2 << 20

    /// The lines of a file of root's that are one principal each, without options; sshd reads them as a principals file.
    ///
    /// A line that is more than that is left out: options, quotes and the like would be sshd's to interpret.
    ///
    /// - Returns: nil when there is no such file, or others than root may write to it or to its folder.
    static func read(_ folderPath: String, _ account: String) -> [UInt8]? {
        let folder = unsafe open(folderPath, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard folder >= 0 else { return refuse("the folder of principals: \(describe(errno))") }
        defer { close(folder) }
        let file = unsafe openat(folder, account, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return refuse("the account's principals: \(describe(errno))") }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(folder, &status) == 0, isRoots(status) else {
            return refuse("the folder of principals is not root's alone to write")
        }
        guard unsafe fstat(file, &status) == 0, isRoots(status), status.st_mode & S_IFMT == S_IFREG else {
            return refuse("the account's principals are no file that is root's alone to write")
        }
        guard status.st_size <= maximumBytes else { return refuse("the account's principals are too many") }
        var content = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < content.count {
            let more = unsafe content[count...].withUnsafeMutableBytes {
                unsafe Glibc.read(file, $0.baseAddress, $0.count)
            }
            if more == 0 { break }
            if more > 0 {
                count += more
            } else if errno != EINTR {
                return refuse("cannot read the account's principals")
            }
        }
        return printable(content[..<count])
    }

    private static func printable(_ content: ArraySlice<UInt8>) -> [UInt8] {
        var lines: [UInt8] = []
        var isComplete = true
        for line in content.split(separator: UInt8(ascii: "\n")) {
            let text = line.drop { isBlank($0) }
            let end = text.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? text.startIndex
            let principal = text[..<end]
            guard let first = principal.first, first != UInt8(ascii: "#") else { continue }
            guard principal.count <= 255,
                principal.allSatisfy({ isWord($0) || "._-@+=/:$".utf8.contains($0) })
            else {
                isComplete = false
                continue
            }
            lines += principal
            lines.append(UInt8(ascii: "\n"))
        }
        if !isComplete { say(LOG_WARNING, "authorize: lines that are not one plain principal are left out") }
        return lines
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }

    private static func isRoots(_ status: stat) -> Bool { status.st_uid == 0 && status.st_mode & 0o022 == 0 }

    private static func refuse(_ text: String) -> [UInt8]? {
        say(LOG_ERR, "authorize: \(text)")
        return nil
    }
}
