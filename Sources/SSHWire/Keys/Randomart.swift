// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension PublicKey {
    /// The picture of the SHA-256 fingerprint that `ssh-keygen -lv` shows: eleven lines of nineteen characters, without
    /// a line ending at the end (`fingerprint_randomart` in OpenSSH's sshkey.c, "the drunken bishop").
    public var randomart: String {
        let (width, height) = (17, 9)
        let symbols = Array(" .o+=*BOX@%&#/^SE")
        let (start, end) = (symbols.count - 2, symbols.count - 1)
        var visits = [Int](repeating: 0, count: width * height)
        var (x, y) = (width / 2, height / 2)
        for byte in Digest.sha256(encoded) {
            for step in 0..<4 {
                let move = byte >> UInt8(2 * step)
                x = min(max(x + (move & 1 != 0 ? 1 : -1), 0), width - 1)
                y = min(max(y + (move & 2 != 0 ? 1 : -1), 0), height - 1)
                // The last two symbols are for where the walk began and ended.
                visits[y * width + x] = min(visits[y * width + x] + 1, start - 1)
            }
        }
        visits[height / 2 * width + width / 2] = start
        visits[y * width + x] = end
        var lines = [Self.border("[\(keyType.displayName) \(bits)]", "[\(keyType.displayName)]", width)]
        for row in 0..<height {
            lines.append("|" + String(visits[(row * width)..<((row + 1) * width)].map { symbols[$0] }) + "|")
        }
        lines.append(Self.border("[SHA256]", "", width))
        return lines.joined(separator: "\n")
    }

    /// A border with a title in it, the shorter one where the first does not fit.
    private static func border(_ title: String, _ shorter: String, _ width: Int) -> String {
        let title = title.utf8.count <= width ? title : shorter
        let left = (width - title.utf8.count) / 2
        let dashes = { (count: Int) in String(repeating: "-", count: count) }
        return "+" + dashes(left) + title + dashes(width - left - title.utf8.count) + "+"
    }
}
