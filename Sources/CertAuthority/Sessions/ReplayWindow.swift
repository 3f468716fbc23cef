// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Which of a session's sequence numbers have been spent.
///
/// A client's requests may overtake each other, so the largest number alone does not do. The latest numbers are kept;
/// what is not larger than all that were forgotten is refused, spent or not, and is sent again under a new number.
struct ReplayWindow {
    /// How many requests of one session may be on their way at a time.
    static let size = 128

    /// Everything up to here is spent.
    private var floor: UInt64
    private var recent: [UInt64] = []

    /// - Parameter floor: numbers up to this are refused: those before the server's own start may have been spent.
    init(after floor: UInt64) { self.floor = floor }

    /// Spends a number.
    ///
    /// - Returns: false when it was spent before, or may have been.
    mutating func spend(_ number: UInt64) -> Bool {
        guard number > floor, !recent.contains(number) else { return false }
        if recent.count < Self.size {
            recent.append(number)
            return true
        }
        var smallest = 0
        for index in recent.indices where recent[index] < recent[smallest] { smallest = index }
        if recent[smallest] < number {
            floor = recent[smallest]
            recent[smallest] = number
        } else {
            floor = number
        }
        return true
    }
}
