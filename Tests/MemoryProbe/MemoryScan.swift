// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A look through all of this process's memory (/proc/self/maps and /proc/self/mem).
struct MemoryScan {
    /// Where a copy was found.
    enum Place: String, CaseIterable {
        case heap, stack, other
        /// Memory that this process itself can't read at the moment: the kernel's window shows it all the same.
        case guarded
    }

    /// Pieces of needles of 16 bytes each that were found, in their order or backwards, as libcrypto keeps numbers.
    private(set) var hits: [Place: Int] = [:]

    private let needles: [[UInt8]]
    private static let pieceBytes = 16
    private static let chunkBytes = 1 << 20

    /// Scans for needles that are masked.
    init(_ masked: [[UInt8]]) {
        needles = masked.flatMap { needle in
            stride(from: 0, through: needle.count - Self.pieceBytes, by: Self.pieceBytes).flatMap { start in
                let piece = Array(needle[start..<(start + Self.pieceBytes)])
                return [piece, piece.reversed()]
            }
        }
        // Memory of its own, so that it can leave it out: it fills with copies of everything.
        let window = unsafe mmap(
            nil, Self.chunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        let memory = unsafe open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
        guard let window = unsafe window, unsafe window != MAP_FAILED, memory >= 0 else { return }
        let regions = Self.regions()
        // What is guarded comes last: reading it copies it into the window.
        for region in regions.filter({ $0.place != .guarded }) + regions.filter({ $0.place == .guarded }) {
            unsafe scan(region, memory, UnsafeMutableRawBufferPointer(start: window, count: Self.chunkBytes))
        }
        _ = close(memory)
        unsafe munmap(window, Self.chunkBytes)
    }

    private struct Region {
        let range: Range<UInt>
        let place: Place
    }

    private static func regions() -> [Region] {
        readAll("/proc/self/maps").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            let bounds = fields.first?.split(separator: "-").compactMap { UInt($0, radix: 16) } ?? []
            guard bounds.count == 2, bounds[0] < bounds[1], fields.count >= 2 else { return nil }
            let name = fields.count > 5 ? fields[5] : ""
            if name == "[vvar]" || name == "[vsyscall]" { return nil }
            let place: Place =
                if !fields[1].hasPrefix("r") { .guarded } else if name == "[heap]" {
                    .heap
                } else if name.hasPrefix(
                    "[stack")
                {
                    .stack
                } else { .other }
            return Region(range: bounds[0]..<bounds[1], place: place)
        }
    }

    private mutating func scan(_ region: Region, _ memory: Int32, _ window: UnsafeMutableRawBufferPointer) {
        let own = UInt(bitPattern: window.baseAddress)
        let isOwn = region.range.overlaps(own..<(own + UInt(window.count)))
        var start = region.range.lowerBound
        while start < region.range.upperBound {
            let size = min(window.count, Int(region.range.upperBound - start))
            // The kernel may have joined the window with its neighbours into one region.
            if isOwn, start < own + UInt(window.count), own < start + UInt(size) {
                start = start < own ? start : own + UInt(window.count)
                let before = start < own ? Int(own - start) : 0
                if before > 0 { unsafe scanChunk(start, before, region.place, memory, window) }
                if before > 0 { start = own + UInt(window.count) }
                continue
            }
            unsafe scanChunk(start, size, region.place, memory, window)
            if size < window.count { break }
            start += UInt(size - Self.pieceBytes + 1)
        }
    }

    private mutating func scanChunk(
        _ start: UInt, _ size: Int, _ place: Place, _ memory: Int32, _ window: UnsafeMutableRawBufferPointer
    ) {
        let count = unsafe pread(memory, window.baseAddress, size, off_t(truncatingIfNeeded: start))
        guard count >= Self.pieceBytes, let base = window.baseAddress else { return }
        let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
        for needle in needles {
            var from = 0
            // The needle's first byte, unmasked, finds candidates; one byte of it is no copy.
            while from <= count - Self.pieceBytes,
                let found = unsafe memchr(
                    bytes + from, Int32(needle[0] ^ mask), count - Self.pieceBytes + 1 - from)
            {
                let position = unsafe found - UnsafeMutableRawPointer(bytes)
                var length = 1
                while length < Self.pieceBytes, unsafe bytes[position + length] ^ mask == needle[length] {
                    length += 1
                }
                if length == Self.pieceBytes { hits[place, default: 0] += 1 }
                from = position + 1
            }
        }
    }

    /// Reads to the end: /proc hands out its files in pieces of its own choice.
    private static func readAll(_ path: String) -> String {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { _ = close(file) }
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = unsafe read(file, &piece, piece.count)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += piece[..<count]
        }
    }
}
