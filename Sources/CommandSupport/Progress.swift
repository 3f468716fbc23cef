// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A bar for long work, on a terminal only; redrawn ten times a second at most.
public struct Progress {
    private let title: String
    private let total: UInt64
    private let isShown: Bool
    private var lastDrawn = ContinuousClock.now
    private var isDrawn = false

    public init(_ title: String, total: UInt64) {
        self.title = title
        self.total = total
        isShown = Terminal.isWatched(STDERR_FILENO)
    }

    /// Shows that `done` of the total is done.
    public mutating func update(_ done: UInt64) {
        guard isShown, total > 0, ContinuousClock.now - lastDrawn > .milliseconds(100) else { return }
        lastDrawn = .now
        isDrawn = true
        let width = 30
        let filled = min(width, Int(Double(done) / Double(total) * Double(width)))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
        draw("\r\u{1b}[K\(title) [\(bar)] \(done) of \(total)")
    }

    /// Takes the bar away.
    public mutating func finish() {
        if isDrawn { draw("\r\u{1b}[K") }
        isDrawn = false
    }

    private func draw(_ text: String) {
        let bytes = Array(text.utf8)
        #if canImport(Darwin)
            _ = unsafe Darwin.write(STDERR_FILENO, bytes, bytes.count)
        #else
            _ = unsafe Glibc.write(STDERR_FILENO, bytes, bytes.count)
        #endif
    }
}
