// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import FuzzTargets
import Testing

/// Runs what the fuzzer knows, without the fuzzer: seeds from real tools, inputs that reach something new, and every
/// input that once broke a parser.
@Suite struct CorpusReplayTests {
    static let fuzzing = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzzing", directoryHint: .isDirectory)

    /// Runs every file of the target in `Corpus` or `Crashes` and counts those that are accepted.
    static func replay(_ target: FuzzTarget, in folder: String) throws -> Int {
        let path = fuzzing.appending(path: folder).appending(path: target.name)
        guard FileManager.default.fileExists(atPath: path.path()) else { return 0 }
        var accepted = 0
        for file in try FileManager.default.contentsOfDirectory(at: path, includingPropertiesForKeys: nil) {
            let input = [UInt8](try Data(contentsOf: file))
            do throws(BrokenProperty) {
                if try target.run(input) == .accepted { accepted += 1 }
            } catch {
                Issue.record("\(file.lastPathComponent): \(error)")
            }
        }
        return accepted
    }

    @Test(arguments: FuzzTarget.all)
    func everythingHoldsForTheCorpusAndForWhatOnceBrokeAParser(_ target: FuzzTarget) throws {
        // A corpus of which nothing is read says nothing about what happens after reading.
        #expect(try Self.replay(target, in: "Corpus") > 0)
        _ = try Self.replay(target, in: "Crashes")
    }

    @Test func everyFolderOfTheCorpusHasATarget() throws {
        let names = Set(FuzzTarget.all.map(\.name))
        #expect(names.count == FuzzTarget.all.count)
        for folder in ["Corpus", "Crashes"] {
            let path = Self.fuzzing.appending(path: folder).path()
            guard FileManager.default.fileExists(atPath: path) else { continue }
            let found = Set(try FileManager.default.contentsOfDirectory(atPath: path)).subtracting([
                "README.md"
            ])
            #expect(found.subtracting(names) == [])
        }
    }
}
