// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Gives back what the start, a handshake, and other rare work took.
enum ResidentMemory {
    /// Lets go of free memory, and of the pages of programs and libraries that are mapped and not used: most of what an
    /// idle agent has resident is code that ran once.
    ///
    /// Only mappings that can be executed and not written: nothing in them is ours, and what is needed again comes from the
    /// file (madvise(2), MADV_DONTNEED on a private mapping of a file).
    /// The stack below this function goes as well, as deep as parsing arguments ever was.
    static func release() {
        defer { daypass_trim_heap() }
        for line in ProcessTable.text("/proc/self/maps").split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            let range = (fields.first ?? "").split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard fields.count >= 6, range.count == 2, range[1] > range[0] else { continue }
            if fields[1] == "r-xp", fields[5].hasPrefix("/") { forget(range[0]..<range[1]) }
            if fields[5] == "[stack]" {
                let here = unsafe withUnsafePointer(to: range) { UInt(bitPattern: $0) }
                // Two pages are left for what this function calls.
                let end = here & ~(pageBytes - 1)
                if (range[0]..<range[1]).contains(end), end - range[0] > 2 * pageBytes {
                    forget(range[0]..<(end - 2 * pageBytes))
                }
            }
        }
    }

    /// 4 KiB where we run; where it is more, madvise(2) refuses what is not a multiple.
    private static let pageBytes: UInt = 4_096

    private static func forget(_ range: Range<UInt>) {
        let start = unsafe UnsafeMutableRawPointer(bitPattern: range.lowerBound)
        _ = unsafe madvise(start, Int(clamping: range.upperBound - range.lowerBound), MADV_DONTNEED)
    }
}
