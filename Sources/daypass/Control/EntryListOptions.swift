// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport

/// What lists of the log's entries have in common: how far back they go, how many there are, and whether to wait for more.
struct EntryListOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Not older than this: 90m, 2h, 7d.", valueName: "TIME"))
    var since: String?

    @Flag(name: .shortAndLong, help: "Go on, and show what comes.")
    var follow = false

    @Option(help: ArgumentHelp("At most so many, the newest.", valueName: "N"))
    var limit = 50

    /// The most that are asked for at once.
    static let maximumLimit = 1_000
    /// Between two questions for what is new: an alert is to be seen within two seconds.
    private static let pause = Duration.seconds(1)

    func validate() throws {
        guard (1...Self.maximumLimit).contains(limit) else {
            throw ValidationError("--limit: a number from 1 to \(Self.maximumLimit) expected")
        }
    }

    /// The beginning of a question for the newest entries.
    func query(limit: Int) throws -> String {
        guard let since else { return "?limit=\(limit)" }
        let (seconds, now) = (try parseTimeSpan(since, field: "--since"), millisecondsNow())
        // Whatever is before 1970 is before everything.
        return "?limit=\(limit)&since=\(seconds > now / 1_000 ? 0 : now - seconds * 1_000)"
    }

    /// Shows what there is, oldest first, and then what comes.
    ///
    /// - Parameters:
    ///   - index: an entry's place in the log.
    ///   - read: the newest so many, newest first.
    ///   - show: told whether they are the first.
    func list<Item>(
        by index: (Item) -> UInt64, _ read: (_ limit: Int) async throws -> [Item],
        show: (_ items: [Item], _ isFirst: Bool) -> Void
    ) async throws {
        let items = try await read(limit)
        show(items.reversed(), true)
        var last = items.first.map(index)
        while follow {
            try await Task.sleep(for: Self.pause)
            let fresh = try await read(Self.maximumLimit).filter { item in
                last.map { index(item) > $0 } ?? true
            }
            show(fresh.reversed(), false)
            last = fresh.first.map(index) ?? last
        }
    }
}
